"""The legal moves as data, and the only place that writes a status.

Each table maps FROM to the states it may move to. The diagrams in the documentation, the exhaustive test and the
database's guard triggers are made from these tables.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db import models

from . import statements
from .models import Effect, Run, Task

Moves = Mapping[str, frozenset[str]]


def _table(text: str) -> Moves:
    """`from: to to` lines, so that the tables read like the documentation."""
    pairs = (line.split(":") for line in text.strip().splitlines())
    return {source.strip(): frozenset(targets.split()) for source, targets in pairs}


RUN = _table("""
    pending: running cancelling cancelled suspended
    running: waiting suspended cancelling succeeded rejected failed cancelled
    waiting: running suspended cancelling rejected cancelled failed
    suspended: running waiting cancelling failed cancelled rejected
    cancelling: cancelled suspended
    succeeded:
    rejected:
    failed:
    cancelled:
""")

# succeeded, skipped and cancelled tasks move on only when the run is sent back to an earlier step.
TASK = _table("""
    ready: running cancelled waiting
    running: succeeded failed rejected skipped waiting retry_wait incident ready cancelled
    retry_wait: running cancelled incident
    waiting: ready succeeded rejected skipped cancelled incident
    incident: ready failed skipped cancelled succeeded
    succeeded: ready cancelled
    skipped: ready cancelled
    cancelled: ready
    failed:
    rejected:
""")

EFFECT = _table("""
    authorised: in_flight void
    in_flight: in_flight confirmed failed unknown
    unknown: confirmed failed in_flight
    void:
    confirmed:
    failed:
""")


class IllegalMove(Exception):
    """Raised when code asks for a move the table does not know: a bug, never a race."""

    def __init__(self, model: str, source: str, target: str):
        super().__init__(f"{model}: {source} → {target} is not a legal move")


def check(table: Moves, model: str, sources: Iterable[str], target: str) -> None:
    for source in sources:
        if target not in table[source]:
            raise IllegalMove(model, source, target)


def _guarded(
    model: type[models.Model],
    table: Moves,
    field: str,
    ids: Iterable,
    sources: Iterable[str],
    target: str,
    values: dict,
) -> int:
    sources = tuple(sources)
    check(table, model.__name__, sources, target)
    return statements.update(model, list(ids), (field, sources), **{field: target}, **values)


def move_runs(ids: Iterable[UUID], sources: Iterable[str], target: str, **values: Any) -> int:
    """Compare-and-set of run statuses; returns how many moved. Fewer than asked: somebody else was first."""
    return _guarded(Run, RUN, "status", ids, sources, target, values)


def move_tasks(ids: Iterable[UUID], sources: Iterable[str], target: str, **values: Any) -> int:
    """As move_runs, for tasks. Callers set ready_at and lease_until, which constraints tie to the status."""
    return _guarded(Task, TASK, "status", ids, sources, target, values)


def move_effects(ids: Iterable[UUID], sources: Iterable[str], target: str, **values: Any) -> int:
    """As move_runs, for effects."""
    return _guarded(Effect, EFFECT, "state", ids, sources, target, values)
