"""How it is going, by workflow: counted in the database, over what the reader may see."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Window
from django.db.models.fields import DurationField
from django.db.models.functions import RowNumber

from orchestrator.permissions import visible, visible_runs

from .models import Review

WORKFLOW = "run__version__workflow_id"


@dataclass(frozen=True, slots=True)
class Row:
    """One workflow. `waiting` is the median time from a case's opening to its answer; None before the first answer."""

    title: str
    runs: int
    ended: int
    asked: int
    open: int
    answered: int
    overturned: int
    waiting: timedelta | None

    @property
    def exception_rate(self) -> float | None:
        """Share of runs a person was asked about."""
        return self.asked / self.runs if self.runs else None

    @property
    def overturn_rate(self) -> float | None:
        """Share of answers that were taken back."""
        return self.overturned / self.answered if self.answered else None


def by_workflow(user: Any) -> list[Row]:
    seen = visible(Review.objects.all(), user)
    asked = Exists(Review.objects.filter(run=OuterRef("pk")))
    names = ("version__workflow_id", "version__workflow__title")
    runs = visible_runs(user).values(*names).order_by(names[1])
    counts = runs.annotate(
        runs=Count("pk"), ended=Count("pk", filter=~Q(ended_at=None)), asked=Count("pk", filter=Q(asked))
    )
    answers = {row[WORKFLOW]: row for row in answers_of(seen)}
    medians = median_waiting(seen)
    return [_row(row, answers.get(row["version__workflow_id"], {}), medians) for row in counts]


def _row(row: Any, answers: Any, medians: Any) -> Row:
    return Row(
        row["version__workflow__title"],
        row["runs"],
        row["ended"],
        row["asked"],
        answers.get("live", 0),
        answers.get("answered", 0),
        answers.get("overturned", 0),
        medians.get(row["version__workflow_id"]),
    )


def answers_of(reviews: QuerySet[Review]) -> QuerySet[Any]:
    answered = Q(settled_at__isnull=False)
    return (
        reviews.order_by()
        .values(WORKFLOW)
        .annotate(
            live=Count("pk", filter=Q(status__in=Review.LIVE)),
            answered=Count("pk", filter=answered),
            overturned=Count("pk", filter=Q(status=Review.Status.RECALLED)),
        )
    )


def median_waiting(reviews: QuerySet[Review]) -> dict[Any, timedelta]:
    """The median per workflow: the middle row of each, or the mean of the middle two."""
    waited = ExpressionWrapper(F("settled_at") - F("opened_at"), DurationField())
    rows = reviews.filter(settled_at__isnull=False).order_by().annotate(waited=waited)
    ranked = rows.annotate(
        place=Window(RowNumber(), partition_by=[F(WORKFLOW)], order_by="waited"),
        among=Window(Count("pk"), partition_by=[F(WORKFLOW)]),
    ).annotate(twice=F("place") * 2)
    middle: dict[Any, list[timedelta]] = defaultdict(list)
    for workflow, wait in ranked.filter(twice__gte=F("among"), twice__lte=F("among") + 2).values_list(
        WORKFLOW, "waited"
    ):
        middle[workflow].append(wait)
    return {workflow: sum(waits, timedelta()) / len(waits) for workflow, waits in middle.items()}
