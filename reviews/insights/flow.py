"""Flow: what came in and what left by day, what waits by due band, how long people take, how often in time."""

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.models import Event
from orchestrator.models import Run, WorkflowVersion

from ..models import BANDS, Review
from . import charts
from .scope import Scope
from .tables import COUNT, DAY, SHARE, SHARE_COLUMNS, SPAN, Column, Table, day, grouped, high, middle, shares, whole

NEWEST = 2_000  # cases that times are taken from
NEWEST_RUNS = 10_000  # runs that are counted by workflow
NO_CONTROL = Q(control=None) | Q(ended_at=None)  # until it is over it looks like any other
FINAL = (Review.Status.APPROVED, Review.Status.REJECTED)


def tables(scope: Scope) -> list[Table]:
    bands = dict.fromkeys(range(len(BANDS)), 0) | waiting(scope)
    return [per_day(scope, sum(bands.values())), by_band(bands), in_time(scope), times(scope), by_workflow(scope)]


def ended(scope: Scope) -> QuerySet[Review]:
    """Rounds that ended in the period."""
    return scope.within(Review.objects.counted().filter(ended_at__gte=scope.since))


def waiting(scope: Scope) -> dict[int, int]:
    """How many wait now, by due band."""
    rows = scope.within(Review.objects.listed()).order_by()
    return dict(rows.values_list("band").annotate(number=Count("*")))


def by_days(rows: QuerySet[Review], moment: str) -> dict[date, int]:
    return dict(rows.order_by().values_list(TruncDate(moment)).annotate(number=Count("*")))


def per_day(scope: Scope, now_waiting: int) -> Table:
    """How many waited at the end of a day is told backwards from those that wait now."""
    came = by_days(scope.within(Review.objects.counted().filter(opened_at__gte=scope.since)), "opened_at")
    left = by_days(ended(scope), "ended_at")
    last, rows = scope.until.date(), list[list[Any]]()
    while last >= scope.since.date():
        rows.insert(0, [last, came.get(last, 0), left.get(last, 0), now_waiting])
        now_waiting -= came.get(last, 0) - left.get(last, 0)
        last -= timedelta(days=1)
    title, (days, *numbers) = _("In, out and waiting by day"), zip(*rows, strict=True)
    names = ((_("In"), "c3"), (_("Out"), "c1"), (_("Waiting"), "c0"))
    *pairs, line = [charts.Series(name, look, values) for (name, look), values in zip(names, numbers, strict=True)]
    return Table(
        "per-day",
        title,
        [
            Column("day", _("Day"), DAY),
            *(Column(k, n, COUNT) for k, (n, _look) in zip(("in", "out", "waiting"), names, strict=True)),
        ],
        rows,
        _("Waiting: at the end of the day. A case that comes back for another round counts again."),
        charts.columns(title, [day(value) for value in days], pairs, line),
    )


def by_band(bands: dict[int, int]) -> Table:
    title = _("Waiting now, by when it is due")
    names, numbers = [str(name) for name in BANDS], [bands[band] for band in range(len(BANDS))]
    drawn = charts.bars(title, names, [charts.Series(_("Cases"), "c1", numbers)], whole)
    columns = [Column("due", _("Due")), Column("cases", _("Cases"), COUNT)]
    return Table("waiting", title, columns, [list(row) for row in zip(names, numbers, strict=True)], "", drawn)


def in_time(scope: Scope) -> Table:
    """Due times are put off while a question is open, so that the clock stands still."""
    kept = Q(overdue_at=None) & (Q(settled_at__lte=F("due_at")) | Q(asked__isnull=False))
    rows = ended(scope).filter(status__in=FINAL).order_by("workflow").values_list("workflow")
    found = [
        [scope.title_of(workflow), number, hit, *shares(hit, number)]
        for workflow, number, hit in rows.annotate(number=Count("*"), hit=Count("pk", filter=kept))
    ]
    title = _("Answered in time")
    drawn = charts.bars(
        title,
        [row[0] for row in found],
        [
            charts.Series(title, "c1", [row[2] for row in found]),
            charts.Series(_("Late"), "c3", [r[1] - r[2] for r in found]),
        ],
        whole,
        stacked=True,
    )
    return Table(
        "in-time",
        title,
        [
            Column("workflow", _("Workflow")),
            Column("answered", _("Final answers"), COUNT),
            Column("in_time", title, COUNT),
            *SHARE_COLUMNS,
        ],
        found,
        _("Final before it was due; the clock stands still while a question is open."),
        drawn,
    )


def times(scope: Scope) -> Table:
    looked, answered = first_looks(scope), answers(scope)
    rows = [
        [_("To the first look"), len(looked), middle(looked), high(looked)],
        [_("To the answer"), len(answered), middle(answered), high(answered)],
    ]
    columns = [Column("time", _("From opening")), Column("cases", _("Cases"), COUNT)]
    spans = [Column("median_seconds", _("Half within"), SPAN), Column("p90_seconds", _("Nine of ten within"), SPAN)]
    most = ngettext("Of the newest %(n)s case of the period.", "Of the newest %(n)s cases of the period.", NEWEST)
    return Table("times", _("How long it takes"), [*columns, *spans], rows, most % {"n": grouped(NEWEST)})


def answers(scope: Scope) -> list[float]:
    """Seconds from opening to the answer that stands."""
    rows = ended(scope).filter(status__in=FINAL).order_by("-ended_at").values_list("opened_at", "settled_at")
    return [(settled - opened).total_seconds() for opened, settled in rows[:NEWEST]]


def first_looks(scope: Scope) -> list[float]:
    """Seconds from opening until somebody first read the case."""
    rows = scope.within(Review.objects.counted().filter(opened_at__gte=scope.since)).order_by("-opened_at")
    opened = {str(key): at for key, at in rows.values_list("pk", "opened_at")[:NEWEST]}
    views = Event.objects.filter(kind="review.viewed", subject_id__in=list(opened), actor_kind="person").order_by()
    looks = views.values_list("subject_id").annotate(first=Min("at"))
    return [max((at - opened[key]).total_seconds(), 0) for key, at in looks]


def by_workflow(scope: Scope) -> Table:
    """Where automation is enough, and where people are needed."""
    workflows = dict(
        WorkflowVersion.objects.filter(workflow__name__in=list(scope.workflows)).values_list("pk", "workflow__name")
    )
    asked = Exists(Review.objects.filter(run=OuterRef("pk")))
    begun = Run.objects.filter(NO_CONTROL, version__in=list(workflows), started_at__gte=scope.since)
    newest = begun.annotate(asked=asked).order_by("-started_at", "-id").values_list("version_id", "ended_at", "asked")
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for version, ended_at, stopped in newest[:NEWEST_RUNS]:
        numbers = counted[workflows[version]]
        for place, one in enumerate((1, ended_at is not None, stopped)):
            numbers[place] += one
    rows: list[list[Any]] = [[scope.workflows[name], *found, *rate(found)] for name, found in sorted(counted.items())]
    title = _("Runs by workflow")
    drawn = charts.bars(
        title,
        [row[0] for row in rows],
        [
            charts.Series(_("A person was asked"), "c1", [row[3] for row in rows]),
            charts.Series(_("Nobody had to look"), "c2", [row[1] - row[3] for row in rows]),
        ],
        whole,
        stacked=True,
    )
    return Table(
        "workflows",
        title,
        [
            Column("workflow", _("Workflow")),
            Column("runs", _("Runs begun"), COUNT),
            Column("ended", _("Ended"), COUNT),
            Column("asked", _("A person was asked"), COUNT),
            Column("exception_rate", _("Share asked"), SHARE),
        ],
        rows,
        _("Around 2%% asked, plain automation is enough; around 20%%, people belong in it. Of the newest %(n)s runs.")
        % {"n": grouped(NEWEST_RUNS)},
        drawn,
    )


def rate(found: list[int]) -> list[float | None]:
    runs, _over, stopped = found
    return [stopped / runs if runs else None]
