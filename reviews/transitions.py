"""The legal moves of a review, and the only place that writes its status."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Model
from django.db.models.functions import Coalesce, Now

from orchestrator import statements
from orchestrator.transitions import _table, check

from .models import Review

LIVE = tuple(str(status) for status in Review.LIVE)

REVIEW = _table("""
    open: open claimed escalated approved rejected rerouted stale withdrawn
    claimed: open claimed escalated approved rejected rerouted stale withdrawn
    escalated: open claimed escalated approved rejected rerouted stale expired withdrawn
    approved: recalled
    rejected: recalled
    rerouted: recalled
    stale:
    recalled:
    expired:
    withdrawn:
""")
UNCLAIMED = {"claimed_by": None, "claimed_until": None, "wanted_by": None}
ENDED = {"band": None, "ended_at": Coalesce("ended_at", Now())}
AWAKE = {"snoozed_until": None, "snoozed_by": None, "snooze_moved_due": False}


def move_reviews(ids: Iterable[UUID], sources: Iterable[str], target: str, **values: object) -> int:
    """Compare-and-set of review statuses; returns how many moved. Fewer than asked: somebody else was first. Whatever
    moves is no longer snoozed, and only what is live has a due band; the rest has ended."""
    sources = tuple(sources)
    check(REVIEW, "Review", sources, target)
    values = AWAKE | values
    if target != Review.Status.CLAIMED:
        values = UNCLAIMED | values
    if target not in LIVE:
        values |= ENDED
    plain = {name: value.pk if isinstance(value, Model) else value for name, value in values.items()}
    return statements.update(Review, list(ids), ("status", sources), status=target, **plain)
