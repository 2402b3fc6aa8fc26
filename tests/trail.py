"""Events for tests of the trail, written as the product writes them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from audit.log import SYSTEM, Entry, record_many
from audit.models import Event

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def happened(kind: str = "run.started", *, at: datetime = NOON, **facts: Any) -> Event:
    """One event at a known time; by default of the run "r1", by the system, in no scope."""
    return happened_all([entry(kind, **facts)], at=at)[0]


def happened_all(entries: Sequence[Entry], *, at: datetime = NOON) -> list[Event]:
    with transaction.atomic():
        return record_many(entries, at=at)


def entry(kind: str = "run.started", **facts: Any) -> Entry:
    return Entry(kind, **({"subject": ("run", "r1"), "actor": SYSTEM} | facts))


def every_minute(count: int, **facts: Any) -> list[Event]:
    """`count` events, a minute apart, oldest first."""
    return [happened(at=NOON + timedelta(minutes=n), subject=("run", f"r{n}"), **facts) for n in range(count)]
