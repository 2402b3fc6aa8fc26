"""Taking an answer back while the undo window is open. Nothing is deleted: the recall is a decision of its own."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404

from audit.log import SYSTEM, database_now, person
from orchestrator import endings, engine, permissions, transitions
from orchestrator.models import Decision, Effect

from .claiming import current_account, locked, refusals_recorded
from .errors import NotAllowed, TooLate
from .judgements import judge_as
from .models import Draft, Review
from .opening import open_again, told
from .transitions import move_reviews

SETTLED = (Review.Status.APPROVED, Review.Status.REJECTED, Review.Status.REROUTED)


def undo(*, decision_id: UUID, actor: Any) -> dict[str, Any]:
    """Takes a settled answer back: its effects are void, the round is recalled and a new one opens with the case as it
    was. {"decision", "review_status", "run_status", "review"}. NotAllowed for others than those who signed it;
    TooLate after the window, or once a worker has taken it up."""
    decision = Decision.objects.filter(pk=decision_id, actor_kind=Decision.ActorKind.PERSON).first()
    review = Review.objects.filter(pk=decision.output.get("review")).first() if decision else None
    if review is None:
        raise Http404(f"no answer {decision_id}")
    with refusals_recorded(review.pk, actor, "undo"):
        return _undo(review.pk, decision, actor)


def _undo(review_id: UUID, decision: Decision, actor: Any) -> dict[str, Any]:
    review, user, now = locked(review_id), current_account(actor), database_now()
    _permit(user, review)
    settled = review.status in SETTLED and review.answer.get("decision") == str(decision.pk)
    if not settled or review.undo_until is None or now >= review.undo_until:
        raise TooLate
    if not engine.unresume(task_id=review.task_id):
        raise TooLate("The run has gone on with this answer already.")
    void_effects(review, now, why="the approval was taken back")
    move_reviews([review.pk], [review.status], Review.Status.RECALLED)
    output = {"recalls": str(decision.pk), "review": str(review.pk)}
    recall = judge_as(user, review, verdict="recall", output=output, at=now)
    told(review, "review.recalled", person(user), decision=str(recall.pk), recalls=str(decision.pk))
    Draft.objects.filter(task=review.task_id, recorded_at__gte=review.settled_at).update(recorded_at=None)
    review.status = Review.Status.RECALLED
    again = open_again(review, now=now)
    return {
        "decision": str(recall.pk),
        "review_status": str(review.status),
        "run_status": str(review.run.status),
        "review": str(again.pk),
    }


def _permit(user: Any, review: Review) -> None:
    """Whoever signed the round may take the answer back, as long as they may still decide here."""
    signed = review.approvals.filter(reviewer=user).exists()
    if not signed or permissions.is_agent(user) or not permissions.holds(user, "decide", review.queue):
        raise NotAllowed("author", "Only those who signed this answer may take it back.")


def void_effects(review: Review, now: datetime, *, why: str) -> None:
    """What this round had authorised is not to be sent."""
    for effect in review.run.effects.filter(packet_digest=review.packet_digest, state=Effect.State.AUTHORISED):
        moved = transitions.move_effects(
            [effect.pk], [Effect.State.AUTHORISED], Effect.State.VOID, ended_at=now, error=why
        )
        if not moved:
            raise TooLate("It has been sent already.")
        endings.told(review.run, "effect.voided", SYSTEM, effect=effect.key, why=why)
