"""Asking for a reversal of an answer that can no longer be taken back by whoever gave it: a case of its own, for the
team lead, with the answer and the request on record (workflows/reversal.yaml, orchestrator/taking_back.py)."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, QuerySet
from django.http import Http404
from django.utils import translation
from django.utils.translation import gettext

from audit.ids import uuid7
from audit.log import database_now, person
from orchestrator import permissions, taking_back
from orchestrator import services as runs
from orchestrator.models import Decision, Run

from .claiming import current_account, locked, refusals_recorded
from .errors import Conflict, Invalid, NotAllowed
from .models import Comment, Review
from .notices import notify
from .opening import told
from .packet import name_of
from .policies import REROUTE
from .querysets import had_a_part
from .reasons import words_of
from .undoing import SETTLED

WORKFLOW = "reversal"
ASKED = "Asked for a reversal"
LONGEST = 2_000
MOST = 50  # people told
REFUSED = (Run.Status.REJECTED, Run.Status.FAILED, Run.Status.CANCELLED)


def answered_by(decision_id: UUID) -> tuple[Decision, Review]:
    """A person's answer and the round it settled; Http404 where it settled none."""
    decision = Decision.objects.filter(pk=decision_id, actor_kind=Decision.ActorKind.PERSON).first()
    review = Review.objects.filter(pk=decision.output.get("review")).first() if decision else None
    if decision is None or review is None or review.answer.get("decision") != str(decision.pk):
        raise Http404(f"no answer {decision_id}")
    return decision, review


def reversals_of(decision_id: Any) -> QuerySet[Run]:
    """The runs that were started to reverse this decision, the newest first."""
    found = Run.objects.filter(version__workflow__name=WORKFLOW, input__decision=str(decision_id))
    return found.order_by("-started_at", "-pk")


def ask_for_reversal(*, decision_id: UUID, actor: Any, why: str) -> Run:
    """Starts the run in which others look at the answer, and at why it was wrong; returns it. What was done outside is
    taken back only when they approve. NotAllowed; Conflict while it can still be undone, or where it was asked."""
    if not why.strip() or len(why) > LONGEST:
        raise Invalid(
            [("why", gettext("why: expected a reason of at most %(longest)s characters") % {"longest": LONGEST})]
        )
    decision, review = answered_by(decision_id)
    with refusals_recorded(review.pk, actor, "reverse"):
        review, user = locked(review.pk), current_account(actor)
        if permissions.is_agent(user) or not permissions.holds(user, "decide", review.queue):
            raise NotAllowed("queue", gettext("Only those who decide cases of this queue may ask for a reversal."))
        if objection := _in_the_way(decision, review):
            raise Conflict(objection)
        run = _start(decision, review, user, why.strip())
        _tell(decision, review, user, why.strip(), run)
        return run


def _in_the_way(decision: Decision, review: Review) -> str:
    """Why this answer cannot be reversed as things stand; empty where it can."""
    if review.status not in SETTLED:
        return gettext("This answer does not stand any more: the case is %(status)s.") % {
            "status": review.get_status_display()
        }
    if review.control:
        return gettext("This was a control case: nothing was done, so there is nothing to take back.")
    if review.undo_until is not None and database_now() < review.undo_until:
        return gettext("It can still be undone; whoever gave the answer takes it back.")
    if review.run.status in (Run.Status.CANCELLED, Run.Status.CANCELLING, Run.Status.FAILED):
        return gettext("Nothing of it stands any more: its run is %(status)s.") % {
            "status": review.run.get_status_display()
        }
    if decision.verdict == REROUTE and review.run.status in Run.ENDED:
        return gettext("The case went elsewhere; ask for a reversal of what was decided there.")
    if taking_back.reverses(review.run):
        return gettext("A reversal is not reversed; hand the case in again.")
    if reversals_of(decision.pk).exclude(status__in=REFUSED).exists():
        return gettext("A reversal of this answer was asked for already.")
    return ""


def _start(decision: Decision, review: Review, user: Any, why: str) -> Run:
    output = decision.output
    with translation.override(settings.LANGUAGE_CODE):  # it is stored, and read by others
        reason = words_of(review.queue.policy, decision.verdict, output.get("reason", ""))
    said = {"reason": reason, "said": output.get("comment", "")}
    given = {
        taking_back.DECISION: str(decision.pk),
        "case": review.title,
        "why": why,
        "asked_by": name_of(user),
        "decided_by": name_of(decision.person),
        "answer": decision.verdict,
        "decided_at": decision.made_at.isoformat(timespec="seconds"),
        **{name: words for name, words in said.items() if words},
    }
    rows = review.run.rundocument_set.select_related("document").order_by("role", "document_id")
    documents = {f"{row.role}-{n}"[:60]: row.document for n, row in enumerate(rows, 1)}
    try:
        run, _ = runs.start_run(workflow=WORKFLOW, input=given, actor=user, documents=documents)
    except runs.UnknownWorkflow:
        raise Conflict(
            gettext(
                "No reversal can be asked for here: the workflow “%(name)s” is not in force. An administrator hands it"
                " over, and another puts it in force."
            )
            % {"name": WORKFLOW}
        ) from None
    except runs.ServiceError as error:
        raise Conflict(gettext("No reversal can be asked for here: %(error)s") % {"error": error}) from None
    return run


def _tell(decision: Decision, review: Review, user: Any, why: str, run: Run) -> None:
    given = f"{name_of(decision.person)}: {decision.verdict}"
    text = f"{ASKED} ({given}). {why}"
    Comment.objects.create(id=uuid7(), task=review.task, review=review, author=user, text=text, at=database_now())
    told(review, "review.reversal_asked", person(user), decision=str(decision.pk), why=why, run=str(run.pk))


def tell_of(review: Review) -> None:
    """Those who may decide whether an answer is reversed hear of it when its case is there, and are led to that."""
    asking = review.run.started_by
    others = permissions.holders("decide", review.queue).exclude(had_a_part(review.reverses_id, OuterRef("pk")))
    for senior in others[:MOST]:
        notify(senior, "review.reversal_asked", review.task, asking)
