"""What of a run a case is made from, read together: in one statement, and a further one only for what there is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Exists, FilteredRelation, Q, QuerySet

from audit.models import Event
from orchestrator.models import Decision, Effect, Run, RunDocument, Task
from orchestrator.statements import Slot, look_up

from .models import Review

TASK = ("id", "step", "kind", "status", "started_at", "ended_at")
JUDGED = tuple(field.attname for field in Decision._meta.concrete_fields)
TOLD = ("refused", "documented", "approved", "effected")


@dataclass(frozen=True, slots=True)
class RunRows:
    """`decisions` oldest first, each with its task; `tasks` as they were begun; `refused` are the sources that agents
    of the run were not let into; `approved` the rounds that people approved; `effected`: it has effects already."""

    decisions: Sequence[Decision]
    tasks: Sequence[Task]
    documents: Sequence[RunDocument]
    refused: Sequence[Event]
    approved: Sequence[Review]
    effected: bool


def rows_of(run: Run) -> RunRows:
    found = look_up(_tasks_with_decisions, run=run.pk, text=str(run.pk))
    tasks = {row[0]: _task(row) for row in found}
    refused, documented, approved, effected = found[0][len(TASK) : len(TASK) + len(TOLD)]
    return RunRows(
        decisions=_decisions(found, tasks),
        tasks=list(tasks.values()),
        documents=look_up(_documents, run=run.pk) if documented else (),
        refused=look_up(_refused, text=str(run.pk)) if refused else (),
        approved=look_up(_approved, run=run.pk) if approved else (),
        effected=effected,
    )


def _task(row: Sequence[Any]) -> Task:
    return Task.from_db(connection.alias, TASK, row[: len(TASK)])


def _decisions(rows: Iterable[Sequence[Any]], tasks: dict[Any, Task]) -> list[Decision]:
    found = []
    for row in rows:
        judged = row[len(TASK) + len(TOLD) :]
        if judged[0] is not None:  # a task in which nothing has been judged
            decision = Decision.from_db(connection.alias, JUDGED, judged)
            decision.task = tasks[row[0]]
            found.append(decision)
    return sorted(found, key=lambda decision: (decision.made_at, decision.pk))


def _tasks_with_decisions(*, run: Slot, text: Slot) -> QuerySet:
    told = (_refused(text=text), _documents(run=run), _approved(run=run), Effect.objects.filter(run__pk=run))
    exist = {name: Exists(rows) for name, rows in zip(TOLD, told, strict=True)}
    # The run is named on both sides, so that no plan looks for one run's decisions among all there are.
    judged = FilteredRelation("decisions", condition=Q(decisions__run=run))
    rows = Task.objects.filter(run__pk=run).annotate(**exist, judged=judged).order_by("started_at", "pk")
    return rows.values_list(*TASK, *TOLD, *(f"judged__{name}" for name in JUDGED))


def _documents(*, run: Slot) -> QuerySet:
    return RunDocument.objects.filter(run__pk=run).select_related("document").order_by("role", "document_id")


def _refused(*, text: Slot) -> QuerySet:
    return Event.objects.filter(run=text, kind="source.refused").order_by("at", "id")


def _approved(*, run: Slot) -> QuerySet:
    return Review.objects.filter(run__pk=run, status=Review.Status.APPROVED).order_by("pk")
