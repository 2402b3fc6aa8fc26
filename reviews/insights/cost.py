"""Cost: what the machines and the people cost for a final decision."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.utils.translation import gettext as _

from orchestrator.models import Decision

from ..models import Approval
from . import charts
from .flow import FINAL, NEWEST, ended
from .scope import Scope
from .tables import COUNT, MONEY, SPAN, Column, Table, grouped, high, middle, shown

HOUR = 3600


@dataclass(frozen=True, slots=True)
class Spent:
    """What one case took: money for agents, seconds of people with the case open before they answered."""

    machine: Decimal
    seconds: int

    @property
    def whole(self) -> Decimal:
        return self.machine + settings.REVIEWER_HOUR_COST * self.seconds / HOUR


def read(scope: Scope) -> dict[str, list[Spent]]:
    """By workflow, of the newest cases that were finally answered in the period."""
    rows = ended(scope).filter(status__in=FINAL).order_by("-ended_at").values_list("workflow", "run_id", "task_id")
    cases = list(rows[:NEWEST])
    machine, people = machine_cost([run for _w, run, _t in cases]), seconds_open([task for *_w, task in cases])
    found: dict[str, list[Spent]] = defaultdict(list)
    for workflow, run, task in dict.fromkeys(cases):
        found[workflow].append(Spent(machine.get(run, Decimal(0)), people.get(task, 0)))
    return found


def machine_cost(runs: list[Any]) -> Mapping[Any, Decimal]:
    rows = Decision.objects.filter(run__in=runs).order_by()
    return dict(rows.values_list("run_id").annotate(whole=Sum("cost")))


def seconds_open(tasks: list[Any]) -> Mapping[Any, int]:
    found: dict[Any, int] = defaultdict(int)
    rows = Approval.objects.filter(review__task__in=tasks).order_by()
    for task, seconds in rows.values_list("review__task_id", "seen__seconds"):
        found[task] += seconds or 0
    return found


def tables(scope: Scope) -> list[Table]:
    found = {scope.title_of(name): spent for name, spent in sorted(read(scope).items())}
    hour = shown(MONEY, settings.REVIEWER_HOUR_COST)
    counted = (
        _("The machines' cost, and %(hour)s for an hour of people's time.") % {"hour": hour}
        if settings.REVIEWER_HOUR_COST
        else _("The machines' cost alone: nobody has said what an hour of people's time costs.")
    )
    newest = _("Of the newest %(n)s final answers of the period.") % {"n": grouped(NEWEST)}
    time = _("While the case was open on the page before an answer. %(newest)s") % {"newest": newest}
    machine, whole = _("Machine cost of a case"), _("Cost of a final decision")
    return [
        table("decisions", whole, found, lambda one: one.whole, MONEY, "c1", counted),
        table("people", _("People's time for a case"), found, lambda one: one.seconds, SPAN, "c1", time),
        table("machines", machine, found, lambda one: one.machine, MONEY, "c2", newest),
    ]


def table(
    key: str,
    title: str,
    found: Mapping[str, list[Spent]],
    of: Callable[[Spent], Any],
    kind: str,
    look: str,
    note: str,
) -> Table:
    """Number, sum, median and the ninth tenth by workflow."""
    values = {name: [of(one) for one in spent] for name, spent in found.items()}
    rows = [[name, len(v), sum(v), middle(v), high(v)] for name, v in values.items()]
    unit = "seconds" if kind == SPAN else "amount"
    columns = [
        Column("workflow", _("Workflow")),
        Column("final_decisions", _("Final answers"), COUNT),
        Column(f"sum_{unit}", _("Sum"), kind),
        Column(f"median_{unit}", _("Half within"), kind),
        Column(f"p90_{unit}", _("Nine of ten within"), kind),
    ]
    series = [
        charts.Series(_("Half within"), look, [float(row[3]) for row in rows]),
        charts.Series(_("Nine of ten within"), f"{look} half", [float(row[4]) for row in rows]),
    ]
    drawn = charts.bars(title, list(values), series, lambda value: shown(kind, value))
    return Table(key, title, columns, rows, note, drawn)
