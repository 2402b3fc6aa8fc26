"""Answers that leave a case open: a question, a hand-over, a step up; and the answer to a question. Inside the
transaction of deciding, under the run's lock."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.utils.translation import gettext

from audit.ids import uuid7
from audit.log import database_now, person
from audit.models import Event
from orchestrator import permissions
from orchestrator.models import Decision

from .claiming import current_account, hand_to, locked, move_up, refusals_recorded
from .errors import Conflict, Invalid, Missing, NotAllowed
from .keeping import keep, state_of
from .models import Approval, Recallable, Review, band_of
from .notices import notify
from .opening import told
from .settling import corrected_round, undo_end
from .transitions import LIVE, move_reviews

if TYPE_CHECKING:
    from .deciding import Act

ANSWER = "answer"
FIRST = timedelta(days=1)  # so long whoever asked comes first; then the whole team


def still_open(act: "Act", told_of: Event, before: Mapping[str, Any], corrected: Decision | None) -> dict[str, Any]:
    until = keep(act.review, act.user, told_of, before, undo_end(act), corrected=corrected, pk=act.vote.pk)
    return {
        "decision": str(act.vote.pk),
        "review_status": str(Review.Status(Review.objects.values_list("status", flat=True).get(pk=act.review.pk))),
        "run_status": str(act.run.status),
        "undo_until": until.isoformat() if until else None,
    }


def named_person(target: str) -> Any:
    """The active account behind `user:NAME`; Invalid without one."""
    kind, _, name = target.partition(":")
    found = get_user_model().objects.filter(username=name, is_active=True).first() if kind == "user" else None
    if found is None or permissions.is_agent(found):
        raise Invalid(
            [
                (
                    "target",
                    gettext("target: %(target)r is nobody; expected user:NAME of a person with an account")
                    % {"target": target},
                )
            ]
        )
    return found


def carry_corrections(act: "Act") -> Decision | None:
    """What was corrected holds from now on: the question, hand-over or step up is about the corrected case."""
    if not act.changes:
        return None
    decision, act.review, _ = corrected_round(act, act.corrected_case(), "decision.recorded")
    act.vote.review, act.vote.round, act.vote.level = act.review, act.review.round, act.review.level
    return decision


def bounded(act: "Act") -> None:
    """A case does not go round for ever: the same kind of answer is given as often as rounds are allowed."""
    verdict, most = act.answer.verdict, act.review.queue.policy.max_rounds
    given = Approval.objects.filter(review__task=act.review.task_id, verdict=verdict)
    if given.exclude(pk__in=Recallable.objects.exclude(recalled_at=None).values("pk")).count() >= most:
        done = {"ask": gettext("asked about"), "delegate": gettext("handed over")}[verdict]
        raise Invalid(
            [
                (
                    "target",
                    gettext("%(target)s: this case was %(done)s %(most)s times, as often as it may be.")
                    % {"target": act.answer.target, "done": done, "most": most},
                )
            ]
        )


def ask(act: "Act") -> dict[str, Any]:
    """The clock stops until the person asked has answered; the case stays decidable."""
    asked = named_person(act.answer.target)
    if asked.pk == act.user.pk:
        raise Invalid([("target", gettext("target: you cannot ask yourself"))])
    if not act.answer.comment.strip():
        raise Invalid([("comment", Missing(gettext("comment: is missing; write the question")))])
    bounded(act)
    before, corrected = state_of(act.review), carry_corrections(act)
    move_reviews([act.review.pk], LIVE, Review.Status.OPEN, asked=asked)
    event = told(act.review, "review.asked", act.actor, **act.said(), to=str(asked.pk))
    notify(asked, "review.asked", act.review.task, act.user, mail_from=undo_end(act))
    return still_open(act, event, before, corrected)


def delegate(act: "Act") -> dict[str, Any]:
    """To one person, who could decide it too; what was handed over is not handed on by them."""
    to = named_person(act.answer.target)
    if to.pk == act.user.pk or act.review.delegated_to_id == act.user.pk:
        raise Invalid([("target", gettext("target: a case is handed over once, and to somebody else"))])
    bounded(act)
    before, corrected = state_of(act.review), carry_corrections(act)
    until = act.now + timedelta(hours=act.answer.hours) if act.answer.hours else None
    hand_to(act.review, to, until)
    ends = {"until": until} if until else {}
    event = told(act.review, "review.delegated", act.actor, **act.said(), to=str(to.pk), **ends)
    notify(to, "review.delegated", act.review.task, act.user, mail_from=undo_end(act))
    return still_open(act, event, before, corrected)


def escalate(act: "Act") -> dict[str, Any]:
    """Up to the queue this one escalates to. The round goes on, signatures stay."""
    if act.review.queue.escalates_to is None:
        raise Invalid(
            [
                (
                    "target",
                    gettext("The queue %(queue_title)s has nobody above it.") % {"queue_title": act.review.queue.title},
                )
            ]
        )
    before, corrected = state_of(act.review), carry_corrections(act)
    move_up(act.review, act.now)
    event = told(act.review, "review.escalated", act.actor, **act.said())
    return still_open(act, event, before, corrected)


def answer(*, review_id: UUID, actor: Any, text: str) -> Approval:
    """The person asked says what they know. The time the question was open does not count against the case, which goes
    back to whoever asked. NotAllowed, Conflict, Invalid."""
    if not text.strip() or len(text) > 4000:
        raise Invalid([("text", gettext("text: expected an answer of at most 4000 characters"))])
    with refusals_recorded(review_id, actor, ANSWER):
        review, user, now = locked(review_id), current_account(actor), database_now()
        if not review.is_live or review.asked_id is None:
            raise Conflict(gettext("There is no open question on this case any more."))
        if not permissions.may(user, ANSWER, review):
            raise NotAllowed("asked", gettext("Somebody else was asked."))
        question = review.approvals.filter(verdict="ask").last()
        due = review.due_at + (now - question.at)
        back = {"delegated_to": question.reviewer, "delegated_until": now + FIRST}
        values = {"asked": None, "due_at": due, "band": band_of(due, now), **back}
        move_reviews([review.pk], LIVE, Review.Status.OPEN, **values)
        told(review, "review.answered", person(user), text=text)
        notify(question.reviewer, "review.answered", review.task, user)
        return Approval.objects.create(
            id=uuid7(),
            review=review,
            round=review.round,
            level=review.level,
            reviewer=user,
            verdict=ANSWER,
            comment=text,
            nonce=f"answer:{uuid7()}",
            packet_digest=review.packet_digest,
            at=now,
        )
