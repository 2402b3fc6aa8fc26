"""How many runs of one workflow are under way at once: the others are pending, and begin in their turn.

A run that waits for a person takes nobody's place. Counting holds the workflow's row, so that two starts count one
after the other; the sweeper repeats what was missed.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from django.db import transaction

from audit.log import database_now

from . import dispatch, tasks, transitions
from .definitions import Definition
from .models import Run, Workflow
from .pinned import definition_of

UNDER_WAY = (Run.Status.RUNNING, Run.Status.CANCELLING)
BATCH = 100


def has_room(workflow: Workflow, definition: Definition) -> bool:
    """Whether one more may begin now. The caller's transaction keeps the workflow's row until it has begun."""
    if not definition.at_once:
        return True
    Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
    waiting = Run.objects.filter(version__workflow=workflow, status=Run.Status.PENDING)
    return not waiting.exists() and _under_way(workflow) < definition.at_once


def admit_soon(definitions: Iterable[Definition]) -> None:
    """Runs of these have ended: once that is committed, others may begin."""
    for name in sorted({definition.name for definition in definitions if definition.at_once}):
        transaction.on_commit(partial(admit, name))


@transaction.atomic
def admit(name: str) -> int:
    """Begins as many pending runs of a workflow as there is room for, the oldest first, with what priority is worth as
    in every queue. Returns how many."""
    workflow = Workflow.objects.select_for_update(no_key=True, of=("self",)).get(name=name)
    begun, now = 0, database_now()
    for run in _in_turn(workflow):
        if _under_way(workflow) >= (definition_of(run.version_id).at_once or BATCH):
            break
        begun += _begin(run, now)
    if begun:
        dispatch.wake_on_commit()
    return begun


def _in_turn(workflow: Workflow) -> list[Run]:
    pending = Run.objects.filter(version__workflow=workflow, status=Run.Status.PENDING).order_by("started_at", "pk")
    oldest = [run for degree in range(tasks.MAX_PRIORITY + 1) for run in pending.filter(priority=degree)[:BATCH]]
    return sorted(oldest, key=lambda run: run.started_at - run.priority * tasks.AHEAD)


def _begin(run: Run, now: datetime) -> bool:
    if not transitions.move_runs([run.pk], [Run.Status.PENDING], Run.Status.RUNNING):
        return False
    run.status = Run.Status.RUNNING
    tasks.open_due(run, now=now)
    return True


def _under_way(workflow: Workflow) -> int:
    return Run.objects.filter(version__workflow=workflow, status__in=UNDER_WAY).count()


def sweep() -> int:
    """Workflows with pending runs (settings.SWEEPERS); returns how many runs began."""
    held = Run.objects.filter(status=Run.Status.PENDING).values("version__workflow__name").distinct()
    return sum(admit(row["version__workflow__name"]) for row in held)
