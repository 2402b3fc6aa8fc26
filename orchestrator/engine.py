"""The way of a run: claim → execute → record, in batches.

A job only says "there is work". Rows are locked in the order run → task → review → effect, every status is written by
compare-and-set, and the database's clock is the only one that counts.
"""

import itertools
import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from audit.rows import pipelined

from . import statements, timeouts, transitions
from .case import Case, load_cases
from .clock import Clock
from .definitions import LANES
from .models import Run, Task
from .pinned import PINNED, Pinned
from .policies import gate
from .recording import FAST_LANE, LEASE, Recording
from .statements import Slot
from .steps.base import StepHandler, Work, get_handler
from .steps.outcomes import Complete, Fail, Outcome, Retry

logger = logging.getLogger(__name__)

BATCH = 32
BUDGET = 0.25  # seconds a job works before it lets others in
LOCK_TRIES = 6  # of lock_timeout each: longer than a frozen process may keep a run
# Every fourth claim goes by age, so that no stream of urgent work, however long, keeps the oldest waiting.
BY_AGE = {lane: itertools.cycle((False, False, False, True)) for lane in LANES}


@transaction.atomic
def claim(lane: str = FAST_LANE, limit: int = BATCH, *, by_age: bool = False) -> list[Work]:
    """Transaction A: up to `limit` tasks that are due, each with a lease and a higher fence. Never waits for rows that
    another worker holds."""
    found = statements.select(_due, (), lane, limit, by_age)
    if by_age and not found:  # perhaps something is to be tried again
        found = statements.select(_due, (), lane, limit, False)
    rows = _apart([Due(*row) for row in found])
    if not rows:
        return []
    with pipelined():
        ids = [row.pk for row in rows]
        transitions.move_tasks(ids, (Task.Status.READY, Task.Status.RETRY_WAIT), Task.Status.RUNNING, **CLAIMED)
        runs = [Pinned(*row) for row in statements.select(_pinned, {row.run_id: None for row in rows})]
    pinned = {one.run_id: one for one in runs}
    begun = {row.run_id: pinned[row.run_id].input for row in rows if not _is_first(row, pinned[row.run_id])}
    cases = load_cases(begun) if begun else {}
    cases |= {run_id: Case(run_id, one.input) for run_id, one in pinned.items() if run_id not in cases}
    works = [_held(row, pinned[row.run_id], cases[row.run_id].copy()) for row in rows]
    for work in works:
        if work.step.is_slow:
            timeouts.hold_longer(work)
    return works


class Due(NamedTuple):
    """A task that may be claimed, as it was before."""

    pk: UUID
    run_id: UUID
    step: str
    round: int
    attempts: int
    fence: int
    deaths: int
    objections: Sequence[str] | None


def _due(_: Sequence[Slot], lane: str, limit: int, by_age: bool) -> QuerySet:
    """By age, what is tried again does not count: it has had its turn."""
    due = Task.objects.filter(ready_at__lte=Clock(), lane=lane)
    rows = due.filter(status=Task.Status.READY).order_by("id") if by_age else due.order_by("ready_at", "id")
    return rows.select_for_update(skip_locked=True).values_list("pk", *Due._fields[1:])[:limit]


def _pinned(run_ids: Sequence[Slot]) -> QuerySet:
    return Run.objects.filter(pk__in=run_ids).values_list("pk", *PINNED[1:])


CLAIMED = {
    "ready_at": None,
    "attempts": F("attempts") + 1,
    "fence": F("fence") + 1,
    "lease_until": Now() + LEASE,
    "started_at": Coalesce("started_at", Now()),
}


def _apart(rows: list[Due]) -> list[Due]:
    """What a worker died over may have killed it: it is claimed alone, and takes nobody with it a second time."""
    return rows[:1] if rows and rows[0].deaths else [row for row in rows if not row.deaths]


def _is_first(row: Due, pinned: Pinned) -> bool:
    """Nothing can have been decided before it. What takes an effect back needs no step, and comes last."""
    step = pinned.definition.step(row.step)
    return row.round == 1 and not step.needs and not step.undoes


def _held(row: Due, pinned: Pinned, case: Case) -> Work:
    step = pinned.definition.step(row.step)
    return Work(
        row.pk, pinned, step, fence=row.fence + 1, attempt=row.attempts + 1, case=case, objections=row.objections or ()
    )


def execute(work: Work) -> Outcome:
    """Runs the handler, outside any transaction, and evaluates the policies over what it found."""
    handler = get_handler(work.step.kind)
    timeouts.begin(work, give_up)
    try:
        return _outcome(work, handler, handler.execute)
    finally:
        timeouts.end()


def give_up(work: Work) -> None:
    """The try has taken longer than its timeout, and its thread still has it: here the run goes on without it."""
    if not timeouts.hold_longer(work):
        return  # its answer was quicker, or somebody else has the task
    late = replace(work, entries=list(work.entries), spent=replace(work.spent), case=work.case.copy())
    handler, reason = get_handler(work.step.kind), str(timeouts.TookTooLong(work))
    record([(late, _outcome(late, handler, partial(handler.too_late, reason=reason)))])


def _outcome(work: Work, handler: StepHandler, ask: Callable[[Work], Outcome]) -> Outcome:
    try:
        outcome = ask(work)
        if handler.automated and isinstance(outcome, Complete):
            work.evaluation = gate.evaluate(work, outcome)
        return outcome
    except timeouts.TookTooLong as error:
        return Retry(str(error))
    except OperationalError as error:  # somebody holds the run, or the database went away: not the step's fault
        logger.warning("step %s of run %s: %s", work.step.name, work.run_id, error)
        return Retry("the database did not answer in time")
    except Exception as error:  # one bad step must not cost the batch its leases
        logger.exception("step %s of run %s failed", work.step.name, work.run_id)
        return Fail(f"{type(error).__name__} in step {work.step.name}", kind="crash")


def record(results: Sequence[tuple[Work, Outcome]], *, keep: int = 0) -> list[Work]:
    """Transaction B: writes the results whose fence still holds and opens the steps that follow, up to `keep` of them
    leased to the caller at once (no claim between the steps of a run). Returns those. Runs that somebody holds are
    waited for several times over: what was worked out must not wait for its lease to end."""
    tries = LOCK_TRIES
    while results:
        recording, tries = Recording(results, keep=keep), tries - 1
        try:
            with transaction.atomic():
                return recording.write()
        except OperationalError:
            if recording.rows or not tries:  # past the lock it has taken results in, which counts once
                raise
        connection.close_if_unusable_or_obsolete()
    return []


def drain(*, lanes: Iterable[str] = LANES, budget: float = BUDGET, more: Callable[[], None] = lambda: None) -> bool:
    """Works until the budget (seconds) is spent or nothing is due. True: there may be more. `more` is called whenever
    there was at least as much as one worker takes at once: another may help."""
    end, lanes, found = time.monotonic() + budget, tuple(lanes), True
    while found and (due := due_lanes(*lanes)):
        found = False  # unless this claims some of it: others may have it by now
        for lane in due:
            size = BATCH if lane == FAST_LANE else 1  # a batch of slow steps would serialise under one lease
            works = claim(lane, size, by_age=next(BY_AGE[lane]))
            found = found or bool(works)
            if len(works) == size:
                more()
            while works:
                keep = BATCH if time.monotonic() < end else 0
                works = record([(work, execute(work)) for work in works], keep=keep)
            if time.monotonic() >= end:
                return True
    return False


def due_lanes(*lanes: str) -> list[str]:
    """Those of them in which something may be claimed, as the tasks that have been ready longest tell."""
    return sorted({lane for (lane,) in statements.select(_longest_ready, (), lanes)}, key=lanes.index)


def _longest_ready(_: Sequence[Slot], lanes: tuple[str, ...]) -> QuerySet:
    due = Task.objects.filter(ready_at__lte=Clock(), lane__in=lanes)
    return due.order_by("ready_at", "id").values_list("lane")[:BATCH]


def resume(*, task_id: UUID, ready_at: datetime) -> bool:
    """A waiting task has its answer: it may be claimed from `ready_at` on (the end of the undo window). The caller
    holds the run's lock. False: it was no longer waiting."""
    values = {"ready_at": ready_at, "attempts": 0, "deaths": 0}
    return bool(transitions.move_tasks([task_id], [Task.Status.WAITING], Task.Status.READY, **values))


def complete(work: Work, output: dict[str, Any]) -> str | None:
    """The answer of a waiting task that nobody can take back any more: recorded here and now, where resume() would have
    a worker claim the task first. The caller holds the run's lock. What the run is then; None: the task was no longer
    waiting."""
    recording = Recording([(work, Complete(output, None))], source=Task.Status.WAITING)
    recording.write()
    return recording.status_after(work) if recording.holds(work) else None


def unresume(*, task_id: UUID) -> bool:
    """Takes resume() back while nobody has claimed the task. The caller holds the run's lock."""
    return bool(transitions.move_tasks([task_id], [Task.Status.READY], Task.Status.WAITING, ready_at=None))


def lock_runs(run_ids: Collection[UUID] | QuerySet[Any, UUID]) -> list[Run]:
    """Locks runs in id order: the first lock of every transaction that changes one."""
    return list(Run.objects.filter(pk__in=run_ids).order_by("pk").select_for_update(no_key=True))
