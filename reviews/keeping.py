"""How a case stands before an act that leaves it open, kept for whoever takes the act back (recalling.py)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.models import Event
from orchestrator.models import Decision

from .models import Recallable, Review

# What such an act may change; its status besides.
STATE = (
    "queue",
    "asked",
    "delegated_to",
    "delegated_until",
    "due_at",
    "snoozed_until",
    "snoozed_by",
    "snooze_moved_due",
)


def state_of(review: Review) -> dict[str, Any]:
    """How the case stands, for JSON. A claim ends with the act and is not given back: whoever goes on claims anew."""
    kept = str(review.status) if review.status == Review.Status.ESCALATED else str(Review.Status.OPEN)
    return {"status": kept, **{name: _plain(review, name) for name in STATE}}


def _plain(review: Review, name: str) -> Any:
    value = getattr(review, Review._meta.get_field(name).attname)  # type: ignore[union-attr]
    value = value.isoformat() if isinstance(value, datetime) else value
    return str(value) if isinstance(value, UUID) else value


def keep(
    review: Review,
    user: Any,
    told_of: Event,
    before: Mapping[str, Any],
    until: datetime,
    *,
    corrected: Decision | None = None,
    **named: Any,
) -> datetime | None:
    """What is needed to take the act back; until when it can be, None where it never can. `review`: the round in which
    the case stands after it; `corrected`: what it put right; `named`: `pk`, of an answer, or `nonce`."""
    if until <= told_of.at:
        return None
    Recallable.objects.create(
        review=review, person=user, event=told_of.pk, before=before, until=until, corrected=corrected, **named
    )
    return until
