"""Taking an answer back while the undo window is open. Nothing is deleted: the recall is a decision of its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from audit.log import SYSTEM, database_now, person
from orchestrator import endings, engine, permissions, transitions
from orchestrator.models import Decision, Effect

from . import recalling
from .claiming import current_account, locked, refusals_recorded
from .errors import Conflict, NotAllowed, TooLate
from .judgements import judge_as
from .models import Approval, Draft, Queue, Recallable, Review
from .opening import open_again, told
from .policies import SIGNED
from .transitions import move_reviews

SETTLED = (Review.Status.APPROVED, Review.Status.REJECTED, Review.Status.REROUTED)


def undo(*, decision_id: UUID, actor: Any) -> dict[str, Any]:
    """Takes an answer back: its effects are void, the round is over and a new one opens with the case as it was, in
    which nobody has signed. An answer that others have yet to sign as well is named by its own id. So is what left the
    case open: there the round goes on, as it stood before; where it carried corrections, in a new round without them.
    {"decision", "review_status", "run_status", "review"}. NotAllowed for others than those who signed it; TooLate after
    the window, once somebody has signed or changed anything after it, or once a worker has taken it up."""
    review_id = round_of(decision_id)
    with refusals_recorded(review_id, actor, "undo"):
        kept = Recallable.objects.filter(pk=decision_id).first()
        return _recall(kept, actor) if kept else _undo(review_id, str(decision_id), actor)


def round_of(decision_id: UUID) -> UUID:
    """The round that was answered; Http404 where nothing of this id was."""
    decision = Decision.objects.filter(pk=decision_id, actor_kind=Decision.ActorKind.PERSON).first()
    if decision is not None:
        found = Review.objects.filter(pk=decision.output.get("review")).values_list("pk", flat=True).first()
    else:
        rows: list[Any] = [Approval.objects.filter(verdict__in=SIGNED), Recallable.objects.all()]
        keys = (row.filter(pk=decision_id).values_list("review", flat=True).first() for row in rows)
        found = next(filter(None, keys), None)
    if found is None:
        raise Http404(f"no answer {decision_id}")
    return found


def _recall(kept: Recallable, actor: Any) -> dict[str, Any]:
    review, user, now = locked(kept.review_id), current_account(actor), database_now()
    kept.refresh_from_db()
    _permit(user, kept.person_id == user.pk, Queue.objects.get(pk=kept.before["queue"]))
    since, standing = recalling.take_back(kept, review, user, now)
    Draft.objects.filter(task=review.task_id, user=user, recorded_at__gte=since).update(recorded_at=None)
    return _told_of(kept.pk, review, standing)


def _told_of(record: UUID, review: Review, now_open: Review) -> dict[str, Any]:
    return {
        "decision": str(record),
        "review_status": str(review.status),
        "run_status": str(review.run.status),
        "review": str(now_open.pk),
    }


def _undo(review_id: UUID, answered: str, actor: Any) -> dict[str, Any]:
    review, user, now = locked(review_id), current_account(actor), database_now()
    if review.control and not review.is_live:
        raise Conflict(gettext("This was a control case: nothing was done, so there is nothing to take back."))
    _permit(user, review.approvals.filter(reviewer=user).exists(), review.queue)
    since = (_last_signature if review.is_live else _settled)(review, answered, user, now)
    recall = judge_as(user, review, verdict="recall", output={"recalls": answered, "review": str(review.pk)}, at=now)
    told(review, "review.recalled", person(user), decision=str(recall.pk), recalls=answered)
    Draft.objects.filter(task=review.task_id, recorded_at__gte=since).update(recorded_at=None)
    return _told_of(recall.pk, review, open_again(review, now=now))


def _settled(review: Review, answered: str, user: Any, now: datetime) -> datetime:
    """Takes back what settled the round; returns when that was."""
    settled = review.status in SETTLED and review.answer.get("decision") == answered
    if not settled or review.undo_until is None or now >= review.undo_until:
        raise TooLate
    if review.answer.get("target", "").startswith("queue:"):  # the step waits on, for those who have it now
        recalling.fetch_back(review, user)
    elif not engine.unresume(task_id=review.task_id):
        raise TooLate(gettext("The run has gone on with this answer already."))
    void_effects(review, now, why="the approval was taken back")
    _end(review, Review.Status.RECALLED)
    return review.settled_at


def _last_signature(review: Review, answered: str, user: Any, now: datetime) -> datetime:
    """Takes back the newest of the signatures a round has so far: those before it were given with it to come, so the
    round is over with it. Returns when it was given."""
    last = review.approvals.filter(verdict__in=SIGNED).order_by("at", "id").last()
    if last is None or str(last.pk) != answered or last.reviewer_id != user.pk:
        raise TooLate(gettext("Somebody else has signed since."))
    until = parse_datetime(last.response.get("undo_until") or "")
    if until is None or now >= until:
        raise TooLate
    _end(review, Review.Status.STALE)
    return last.at


def _end(review: Review, status: str) -> None:
    if not move_reviews([review.pk], [review.status], status):
        raise TooLate(gettext("Somebody else was first."))
    review.status = status


def _permit(user: Any, gave_it: bool, queue: Queue) -> None:
    """Whoever gave the answer may take it back, as long as they may still act there."""
    holds = any(permissions.holds(user, name, queue) for name in ("decide", "reroute"))
    if not gave_it or permissions.is_agent(user) or not holds:
        raise NotAllowed("author", gettext("Only those who signed this answer may take it back."))


def void_effects(review: Review, now: datetime, *, why: str) -> None:
    """What this round had authorised is not to be sent."""
    for effect in review.run.effects.filter(packet_digest=review.packet_digest, state=Effect.State.AUTHORISED):
        moved = transitions.move_effects(
            [effect.pk], [Effect.State.AUTHORISED], Effect.State.VOID, ended_at=now, error=why
        )
        if not moved:
            raise TooLate(gettext("It has been sent already."))
        endings.told(review.run, "effect.voided", SYSTEM, effect=effect.key, why=why)
