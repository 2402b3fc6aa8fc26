"""Runs that were started by a step of another run: the end of a child wakes its parent, the end of a parent stops its
children. Each touches one run at a time, in a transaction of its own; what was missed the sweeper repeats."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.expressions import RawSQL

from audit.log import database_now

from . import dispatch, endings, engine
from .models import Run, Task

BATCH = 100
MAX_DEPTH = 5
# As a literal: a prepared statement with a parameter in its place could not use the index that is there for it.
WORKFLOW = RawSQL("'workflow'", ())
GONE = (Task.Status.CANCELLED, Task.Status.FAILED, Task.Status.REJECTED, Task.Status.SKIPPED)


def depth_of(run_id: UUID) -> int:
    """How many runs stand above this one."""
    depth, parent = 0, Run.objects.values_list("parent_id", flat=True).get(pk=run_id)
    while parent is not None and depth < MAX_DEPTH:
        depth, parent = depth + 1, Run.objects.values_list("parent_id", flat=True).get(tasks=parent)
    return depth


@transaction.atomic
def wake_parent(task_id: UUID) -> bool:
    """The task that waited for a child looks again. False: it does not wait (any more, or not yet)."""
    [run] = engine.lock_runs(Run.objects.filter(tasks=task_id).values_list("pk", flat=True))
    now = database_now()
    if not engine.resume(task_id=task_id, ready_at=now):
        return False
    if run.status == Run.Status.WAITING:
        endings.go_on(run, now=now)
    dispatch.wake_on_commit()
    return True


@transaction.atomic
def stop(run_id: UUID) -> bool:
    """A child whose parent no longer waits for it is cancelled."""
    [run] = engine.lock_runs([run_id])
    if run.status in Run.ENDED or run.status == Run.Status.CANCELLING:
        return False
    return endings.end(
        run, Run.Status.CANCELLED, outcome="the run that started it no longer needs it", now=database_now()
    )


def stop_children(task_ids: Collection[UUID]) -> int:
    return sum(stop(pk) for pk in Run.objects.filter(_live(), parent__in=task_ids).values_list("pk", flat=True))


def sweep() -> int:
    """Parents whose child has ended, children whose parent is gone (settings.SWEEPERS); returns how many."""
    children = Run.objects.filter(parent=OuterRef("pk"))
    waiting = Task.objects.filter(kind=WORKFLOW, status=Task.Status.WAITING)
    ready = waiting.filter(Exists(children), ~Exists(children.filter(_live()))).values_list("pk", flat=True)[:BATCH]
    living = Run.objects.filter(_live(), parent__isnull=False)
    orphans = living.filter(parent__status__in=GONE).values_list("pk", flat=True)[:BATCH]
    return sum(wake_parent(pk) for pk in list(ready)) + sum(stop(pk) for pk in list(orphans))


def _live() -> Q:
    return Q(ended_at__isnull=True) & ~Q(status=Run.Status.CANCELLING)
