"""The only writer of the trail. An event is written in the transaction of what it tells of, or not at all."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from .canonical import encode_plain, iso_utc, plain
from .ids import uuid7
from .kinds import KINDS
from .models import Event, Pending
from .rows import insert_rows

ACTOR_KINDS = frozenset({"person", "agent", "policy", "system"})
NOW = {
    "postgresql": "SELECT date_trunc('milliseconds', clock_timestamp())",
    "sqlite": "SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')",
}


class TrailError(Exception):
    """Something that may not enter the trail."""


class UnknownKind(TrailError):
    """An event of a kind that `audit/kinds.py` does not list."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"kind: {kind!r} is not in audit/kinds.py; expected one of its {len(KINDS)} kinds")


class OutsideTransaction(TrailError):
    """An event written on its own could outlive, or be outlived by, what it tells of."""

    def __init__(self) -> None:
        super().__init__("the trail is written inside transaction.atomic(), together with the change it records")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it. `kind` is person, agent, policy or system; `label` is the name at the time."""

    kind: str
    id: str
    label: str

    def __post_init__(self) -> None:
        if self.kind not in ACTOR_KINDS:
            raise ValueError(f"kind: {self.kind!r}; expected one of {', '.join(sorted(ACTOR_KINDS))}")


SYSTEM = Actor("system", "system", "Countersign")


def person(user: Any) -> Actor:
    """The actor for a user account."""
    return Actor("person", str(user.pk), user.get_full_name() or user.get_username())


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to be recorded. `subject` is (type, id); `workflow` and `queue` say who may see it."""

    kind: str
    subject: tuple[str, str]
    actor: Actor
    run: str = ""
    workflow: str = ""
    queue: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Moment:
    """Events of one transaction that are written together."""

    at: datetime
    stamp: str
    events: list[Event] = field(default_factory=list)

    def note(self, entries: Sequence[Entry]) -> list[Event]:
        found = [_event(entry, self.at, self.stamp) for entry in entries]
        self.events += found
        return found


_moment: ContextVar[Moment | None] = ContextVar("moment", default=None)


@contextmanager
def one_moment(at: datetime) -> Iterator[None]:
    """What record() is told inside, all at `at`, is written in two statements at the end of the block; nothing, where
    it fails. The block lies inside one transaction, and no part of it is rolled back by itself."""
    _refuse_outside_transaction()
    moment = Moment(*_cut(at))
    token = _moment.set(moment)
    try:
        yield
    finally:
        _moment.reset(token)
    _insert(moment.events)


def record(
    kind: str,
    *,
    subject: tuple[str, Any],
    actor: Actor,
    run: Any = "",
    workflow: str = "",
    queue: str = "",
    data: Mapping[str, Any] | None = None,
) -> Event:
    """Record one event, now by the database's clock (or with others, in one_moment()). UnknownKind,
    OutsideTransaction; TypeError for data without a canonical form."""
    return record_entry(Entry(kind, (subject[0], str(subject[1])), actor, str(run), workflow, queue, data or {}))


def record_entry(entry: Entry) -> Event:
    """The same of an entry that is there already."""
    _refuse_outside_transaction()
    moment = _moment.get()
    return moment.note([entry])[0] if moment else record_many([entry], at=database_now())[0]


def record_many(entries: Sequence[Entry], *, at: datetime) -> list[Event]:
    """Record events in this order, all at `at` (cut to milliseconds), in two statements; with others, at their time,
    in one_moment(). Errors as `record()`."""
    _refuse_outside_transaction()
    if moment := _moment.get():
        return moment.note(entries)
    events = Moment(*_cut(at)).note(entries)
    _insert(events)
    return events


def _insert(events: Sequence[Event]) -> None:
    insert_rows(events)
    insert_rows([Pending(event_id=event.id) for event in events])


def _cut(at: datetime) -> tuple[datetime, str]:
    """To milliseconds, as a time and as text."""
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    return at, iso_utc(at, "milliseconds")


def database_now() -> datetime:
    """The database's clock in UTC, whole milliseconds: worker clocks may disagree with each other."""
    with connection.cursor() as cursor:
        cursor.execute(NOW[connection.vendor])
        now = cursor.fetchone()[0]
    return now.astimezone(UTC) if isinstance(now, datetime) else datetime.fromisoformat(now).replace(tzinfo=UTC)


def _event(entry: Entry, at: datetime, stamp: str) -> Event:
    if entry.kind not in KINDS:
        raise UnknownKind(entry.kind)
    key, actor = uuid7(), entry.actor
    subject_type, subject_id = entry.subject
    body = {
        "v": 1,
        "id": str(key),
        "kind": entry.kind,
        "subject": [subject_type, subject_id],
        "actor": {"kind": actor.kind, "id": actor.id},
        "at": stamp,
        "run": entry.run,
        "workflow": entry.workflow,
        "queue": entry.queue,
        "data": plain(entry.data),
    }
    return Event(
        id=key,
        at=at,
        kind=entry.kind,
        subject_type=subject_type,
        subject_id=subject_id,
        run=entry.run,
        workflow=entry.workflow,
        queue=entry.queue,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:200],
        body=encode_plain(body),
    )


def _refuse_outside_transaction() -> None:
    if not connection.in_atomic_block:
        raise OutsideTransaction
