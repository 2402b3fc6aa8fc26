"""What follows a batch of plain results, seen for all their runs at once: one statement, however many runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import QuerySet

from . import statements, tasks
from .definitions import Definition, Step
from .models import Task
from .statements import Slot


@dataclass(slots=True)
class Ahead:
    """Runs that go on with these steps (perhaps none: a sibling is still at work), what is done in them, and runs that
    are over."""

    due: dict[UUID, list[Step]] = field(default_factory=dict)
    done: dict[UUID, frozenset[str]] = field(default_factory=dict)
    over: list[UUID] = field(default_factory=list)


def look_ahead(definitions: Mapping[UUID, Definition], moved: Mapping[UUID, str]) -> Ahead:
    """`definitions` maps running runs of the first round, under lock, to what they run; `moved` maps task → the status
    it is about to get. A run that comes out in neither part needs a closer look (endings.settle)."""
    ahead, statuses = Ahead(), _statuses(definitions, moved)
    for run_id, definition in definitions.items():
        now = statuses[run_id]
        due = tasks.due_steps(definition, now)
        still_open = {status for status in now.values() if status in Task.OPEN}
        if due or still_open - {Task.Status.WAITING}:
            if not any(step.name in now for step in due):  # a cleared task is opened again, not made anew
                ahead.due[run_id] = due
                ahead.done[run_id] = frozenset(name for name, status in now.items() if status in Task.DONE)
        elif not still_open and not any(step.kind == "effect" for step in definition.steps.values()):
            ahead.over.append(run_id)
    return ahead


def _statuses(definitions: Mapping[UUID, Definition], moved: Mapping[UUID, str]) -> dict[UUID, dict[str, str]]:
    """{run: {step: status}} as it will be."""
    found: dict[UUID, dict[str, str]] = {run_id: {} for run_id in definitions}
    for pk, run_id, step, status in statements.select(_tasks_of, found.keys()):
        found[run_id][step] = moved.get(pk, status)
    return found


def _tasks_of(run_ids: Sequence[Slot]) -> QuerySet:
    return Task.objects.filter(run__pk__in=run_ids).values_list("pk", "run_id", "step", "status")
