"""What the run document says of a run's reviews (settings.RUN_DOCUMENT_PARTS)."""

from typing import Any

from orchestrator.models import Run
from orchestrator.run_document import moment

from .blind import hides_answers
from .models import Approval, Review


def reviews_of(run: Run) -> list[dict[str, Any]]:
    """Every round with the answers given in it, oldest first; those that are given blindly, once they count."""
    rows = run.reviews.select_related("queue").prefetch_related("approvals__reviewer").defer("packet")
    return [review_part(row) for row in rows.order_by("opened_at", "pk")]


def review_part(review: Review) -> dict[str, Any]:
    return {
        "id": str(review.pk),
        "task": str(review.task_id),
        "queue": review.queue.name,
        "round": review.round,
        "status": review.status,
        "level": review.level,
        "levels": review.levels,
        "reasons": [{"rule": reason["rule"], "text": reason["text"]} for reason in review.reasons],
        "digest": review.packet_digest,
        "opened_at": moment(review.opened_at),
        "due_at": moment(review.due_at),
        "settled_at": moment(review.settled_at),
        "undo_until": moment(review.undo_until),
        "approvals": [] if hides_answers(review) else [approval_part(row) for row in review.approvals.all()],
    }


def approval_part(approval: Approval) -> dict[str, Any]:
    return {
        "id": str(approval.pk),
        "level": approval.level,
        "reviewer": approval.reviewer.get_username(),
        "verdict": approval.verdict,
        "reason": approval.reason,
        "comment": approval.comment,
        "corrections": approval.corrections,
        "target": approval.target,
        "digest": approval.packet_digest,
        "at": moment(approval.at),
    }
