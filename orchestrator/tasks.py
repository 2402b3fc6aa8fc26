"""Opening, reopening and clearing tasks. Callers hold the run's lock."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from audit.ids import uuid7
from audit.log import SYSTEM, record

from . import transitions
from .case import load_cases
from .definitions import Definition, Step
from .joining import is_settled
from .models import Effect, Run, Task
from .pinned import definition_of
from .steps.base import get_handler

MAX_PRIORITY = 3
AHEAD = timedelta(seconds=100)  # per degree of priority: 3 degrees make five minutes
CLOSED = (Task.Status.SUCCEEDED, Task.Status.SKIPPED, Task.Status.CANCELLED)


def new_task(run_id: UUID, step: Step, ready_at: datetime, round_: int, priority: int = 0) -> Task:
    """A row for a step that is ready: not yet written. Tasks are claimed by the time they were ready at, so an earlier
    time is priority that ages: nothing waits longer than MAX_PRIORITY * AHEAD behind what is urgent."""
    return Task(
        id=uuid7(),
        run_id=run_id,
        step=step.name,
        kind=step.kind,
        lane=get_handler(step.kind).lane(step),
        status=Task.Status.READY,
        ready_at=ready_at - priority * AHEAD,
        round=round_,
    )


def reopen(task_id: UUID, ready_at: datetime, round_: int) -> bool:
    """A finished or cleared step is to run again. The fence stays as it is and grows with the next claim."""
    return bool(
        transitions.move_tasks(
            [task_id],
            CLOSED,
            Task.Status.READY,
            ready_at=ready_at,
            round=round_,
            attempts=0,
            deaths=0,
            ended_at=None,
            error="",
        )
    )


def due_steps(definition: Definition, statuses: Mapping[str, str]) -> list[Step]:
    """Steps whose needs are done and that have no task, or a cleared one. `statuses` maps step → task status. What only
    serves a join that has started without it is not due any more."""
    done = {name for name, status in statuses.items() if status in Task.DONE}
    idle = (None, Task.Status.CANCELLED)
    started = [join for join in definition.early_joins if statuses.get(join) not in idle]
    needless = frozenset().union(*(definition.only_for(join) for join in started))
    return [
        step
        for step in definition.steps.values()
        if statuses.get(step.name) in idle
        and step.name not in needless
        and sum(need in done for need in step.needs) >= step.enough
    ]


def open_due(run: Run, *, now: datetime) -> list[Step]:
    """Opens every due step of a run: after it was answered early, sent back or un-paused."""
    definition, rows = definition_of(run.version_id), {task.step: task for task in run.tasks.all()}
    due = due_steps(definition, {name: task.status for name, task in rows.items()})
    if any(step.join == "any" for step in due):
        due = _start_early(run, due, rows, now)
    for step in due:
        open_step(run, step, rows.get(step.name), now)
    return due


def _start_early(run: Run, due: Sequence[Step], rows: Mapping[str, Task], now: datetime) -> list[Step]:
    """Of what is due, what really starts: a quorum waits until it is settled, and what only served a join that starts
    now is stopped."""
    definition = definition_of(run.version_id)
    outputs = load_cases({run.pk: run.input})[run.pk].data
    finished = {name for name, task in rows.items() if task.status in Task.DONE}
    open_quorums = {
        s.name for s in due if s.target == "quorum" and s.kind == "join" and not finished.issuperset(s.needs)
    }
    starting = [s for s in due if s.name not in open_quorums or is_settled(s, outputs)]
    needless = frozenset().union(*(definition.only_for(s.name) for s in starting))
    stopped = [task for name, task in rows.items() if name in needless and task.status in Task.OPEN]
    clear(stopped, now)
    for task in stopped:
        told = {"step": task.step, "why": "a join went on without it"}
        subject = ("task", str(task.pk))
        record("task.cancelled", subject=subject, actor=SYSTEM, run=str(run.pk), workflow=definition.name, data=told)
    return [step for step in starting if step.name not in needless]


def open_step(run: Run, step: Step, row: Task | None, now: datetime) -> UUID:
    """Makes the step's task ready, whether or not it had one before; returns its id."""
    if row is not None:
        reopen(row.pk, now, run.round)
        return row.pk
    task = new_task(run.pk, step, now, run.round, run.priority)
    task.save(force_insert=True)
    return task.pk


def clear(tasks: Collection[Task], now: datetime, *, spare_effects: bool = True) -> None:
    """Cancels open and finished tasks. An effect that may be on its way outside is spared: its result must be kept."""
    # A claim takes no lock on the run: what was ready a moment ago may be running by now.
    ids = [t.pk for t in tasks]
    rows = list(Task.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True))
    spared = under_way(rows) if spare_effects else frozenset()
    for status in (*Task.OPEN, *Task.DONE):
        chosen = [t for t in rows if t.status == status and t.pk not in spared]
        ids = [t.pk for t in chosen]
        if not ids:
            continue
        ended = now if status in Task.OPEN else None
        transitions.move_tasks(ids, [status], Task.Status.CANCELLED, ready_at=None, lease_until=None, ended_at=ended)
        for kind in {t.kind for t in chosen}:
            get_handler(kind).cancelled([t.pk for t in chosen if t.kind == kind], now)


def under_way(tasks: Collection[Task]) -> frozenset[UUID]:
    """The open tasks whose effect may be on its way outside."""
    ids = [t.pk for t in tasks if t.kind == "effect" and t.status in Task.OPEN]
    sent = Effect.objects.filter(task_id__in=ids, state__in=(Effect.State.IN_FLIGHT, Effect.State.UNKNOWN))
    return frozenset(sent.values_list("task_id", flat=True)) if ids else frozenset()


def park(run: Run, now: datetime) -> None:
    """Takes what nobody has begun out of the workers' sight; open_due() brings it back."""
    waiting = [t for t in run.tasks.all() if t.status in (Task.Status.READY, Task.Status.RETRY_WAIT)]
    spared = under_way(waiting)
    for status in (Task.Status.READY, Task.Status.RETRY_WAIT):
        ids = [t.pk for t in waiting if t.status == status and t.pk not in spared]
        transitions.move_tasks(ids, [status], Task.Status.CANCELLED, ready_at=None) if ids else None


def send_back(run: Run, step: str, *, now: datetime) -> None:
    """Runs an earlier step again and clears what came after it; branches that do not depend on it stay as they are.
    The caller has checked that no effect after it was sent, and bounded the rounds."""
    later = definition_of(run.version_id).descendants(step)
    rows = {task.step: task for task in run.tasks.all()}
    run.round += 1
    Run.objects.filter(pk=run.pk).update(round=run.round)
    clear([task for name, task in rows.items() if name in later], now)
    reopen(rows[step].pk, now, run.round)
