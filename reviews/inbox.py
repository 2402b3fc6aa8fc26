"""What the queue page reads: views with their counts, rows page by page, neighbours of a case. Nothing is written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BooleanField, Exists, F, Func, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.fields.json import KeyTransform
from django.http import Http404
from django.utils import timezone

from orchestrator.permissions import AUDITORS, granted, may

from .models import URGENCY, Approval, Draft, Queue, Review, ReviewQuerySet, band_of
from .permissions import SEES

PAGE = 50
MOST = 1_000  # counted no further: beyond it "more than" is all a reader needs
SORTS = {"due": "By due band, then exposure", "oldest": "Oldest first", "exposure": "Largest exposure"}
ORDERS = {"due": URGENCY, "oldest": ("opened_at", "id"), "exposure": ("rank", "id")}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the address asks for. `view` is mine, today, asked, done, or the name of a queue."""

    view: str = "mine"
    wf: str = ""
    why: str = ""
    sort: str = "due"
    q: str = ""
    cursor: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Wanted":
        """From a query string; what is no word of ours falls back to its default."""
        found = {name: query.get(name, "")[:200].strip() for name in cls.__slots__}
        sort = found["sort"] if found["sort"] in SORTS else "due"
        return cls(**{**found, "view": found["view"] or "mine", "sort": sort})

    @property
    def is_narrowed(self) -> bool:
        return bool(self.wf or self.why or self.q)

    @property
    def query(self) -> str:
        """The query string without the cursor. It travels with a case, so that the next one is of the same list."""
        defaults = Wanted()
        parts = {name: getattr(self, name) for name in ("view", "wf", "why", "sort", "q")}
        return urlencode({name: value for name, value in parts.items() if value != getattr(defaults, name)})


@dataclass(frozen=True, slots=True)
class View:
    """A view in the side column. `count` as text: at most "1,000+"."""

    name: str
    title: str
    count: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person may see of the queues, read once a request. Auditors see every queue and decide in none."""

    user: Any
    queues: Sequence[Queue]
    inbox: ReviewQuerySet

    def title_of(self, view: str) -> str | None:
        own = dict(OWN_VIEWS)
        return own.get(view) or next((queue.title for queue in self.queues if queue.name == view), None)


OWN_VIEWS = (
    ("mine", "My queue"),
    ("today", "Due today"),
    ("asked", "Waiting for information"),
    ("done", "Done today"),
)


def sight_of(user: Any) -> Sight:
    auditing = Exists(user.groups.filter(name=AUDITORS))
    queues = Queue.objects.filter(Q(pk__in=granted(user, Queue, SEES)) | auditing)
    return Sight(user, list(queues), Review.objects.inbox_for(user))


def rows_of(sight: Sight, view: str, now: datetime) -> ReviewQuerySet:
    """The cases of a view, in no order."""
    user = sight.user
    if view == "done":
        mine = Approval.objects.filter(review=OuterRef("pk"), reviewer=user, at__gte=start_of_day(now))
        return Review.objects.filter(Exists(mine))
    if view == "today":
        return sight.inbox.filter(due_at__lt=start_of_day(now) + timedelta(days=1))
    if view == "asked":
        return Review.objects.live().filter(asked__isnull=False, queue__in=sight.queues)
    if view == "mine":
        return sight.inbox
    return Review.objects.live().filter(queue__in=[queue for queue in sight.queues if queue.name == view])


def start_of_day(now: datetime) -> datetime:
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


def narrowed(rows: ReviewQuerySet, wanted: Wanted) -> ReviewQuerySet:
    if wanted.wf:
        rows = rows.filter(run__version__workflow__name=wanted.wf)
    if wanted.why:
        rows = rows.filter(reasons__icontains=f'"rule": "{wanted.why}"')
    if wanted.q:
        found = Q(number__icontains=wanted.q) | Q(vendor__icontains=wanted.q) | Q(title__icontains=wanted.q)
        rows = rows.filter(found)
    return rows


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page with their due bands; `next` is the cursor of the page behind it, or empty."""

    rows: Sequence[Review]
    next: str = ""
    since: str = ""


def read_page(sight: Sight, wanted: Wanted) -> Page:
    """One page by key: whatever comes or goes meanwhile, no row that stays in its place is skipped or repeated."""
    now, order = timezone.now(), ORDERS[wanted.sort]
    rows = narrowed(rows_of(sight, wanted.view, now), wanted).order_by(*order)
    if key := read_cursor(wanted):
        rows = rows.filter(Behind(order, key))
    rows = rows.select_related("run__version__workflow", "queue", "claimed_by", "asked").defer("packet")
    found = list(rows.annotate(differences=KeyTransform("differences", "packet"))[: PAGE + 1])
    shown = found[:PAGE]
    return Page(shown, cursor_of(shown[-1], wanted.sort) if len(found) > PAGE else "", now.isoformat())


class Behind(Func):
    """The condition that a row stands after `key` in `order`, as one comparison of rows, which an index answers."""

    output_field = BooleanField()
    sign = ">"

    def __init__(self, order: Sequence[str], key: Sequence[Any]) -> None:
        fields: list[Any] = [Review._meta.get_field(name) for name in order]
        values = [Value(value, field) for value, field in zip(key, fields, strict=True)]
        super().__init__(*map(F, order), *values)

    def as_sql(self, compiler: Any, connection: Any, *_: Any, **__: Any) -> Any:
        parts, params = zip(*map(compiler.compile, self.source_expressions), strict=True)
        half = len(parts) // 2
        left, right = ", ".join(parts[:half]), ", ".join(parts[half:])
        return f"({left}) {self.sign} ({right})", [value for values in params for value in values]


class Before(Behind):
    sign = "<"


def cursor_of(row: Review, sort: str) -> str:
    values = [getattr(row, name) for name in ORDERS[sort]]
    return "~".join(v.isoformat() if isinstance(v, datetime) else str(v) for v in values)


READERS: Mapping[str, Callable[[str], Any]] = {
    "band": int,
    "rank": int,
    "due_at": datetime.fromisoformat,
    "opened_at": datetime.fromisoformat,
    "id": UUID,
}


def read_cursor(wanted: Wanted) -> list[Any]:
    """The key; a cursor nobody made begins at the first page."""
    names = ORDERS[wanted.sort]
    try:
        return [READERS[name](part) for name, part in zip(names, wanted.cursor.split("~"), strict=True)]
    except ValueError:
        return []


def key_of(row: Review, order: Sequence[str], now: datetime) -> list[Any]:
    """Where a row stands in an order; one that is no longer live, where it would stand."""
    band = band_of(row.due_at, now) if row.band is None else row.band
    return [band if name == "band" else getattr(row, name) for name in order]


def views_of(sight: Sight, now: datetime) -> list[View]:
    """Every view with its count, all counts in one statement."""
    names = [*(name for name, _ in OWN_VIEWS), *(queue.name for queue in sight.queues)]
    titles = [*(title for _, title in OWN_VIEWS), *(queue.title for queue in sight.queues)]
    counts = capped_counts([rows_of(sight, name, now) for name in names])
    return [View(*found) for found in zip(names, titles, counts, strict=True)]


def capped_counts(rows: Sequence[QuerySet[Any]]) -> list[str]:
    """How many rows each has, as text, in one statement; none is counted beyond MOST."""
    parts: list[str] = []
    values: list[Any] = []
    for number, query in enumerate(rows):
        try:
            sql, params = query.order_by().values("pk")[: MOST + 1].query.sql_with_params()
        except EmptyResultSet:
            parts.append("0")
            continue
        parts.append(f"(SELECT COUNT(*) FROM ({sql}) AS counted_{number})")  # noqa: S608 - Django's own SQL
        values += params
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", values)
        return [f"{count:,}" if count <= MOST else f"{MOST:,}+" for count in cursor.fetchone()]


def waiting(user: Any) -> str:
    """How much waits for this person, for the main navigation."""
    [count] = capped_counts([Review.objects.inbox_for(user)])
    return count


def next_of(sight: Sight, wanted: Wanted, *, after: Review | None = None, backwards: bool = False) -> Review | None:
    """The case behind (or before) `after` in the list it was opened from; without `after`, the first."""
    now, order = timezone.now(), ORDERS[wanted.sort]
    rows = narrowed(rows_of(sight, wanted.view, now), wanted).order_by(*order).defer("packet")
    if after is None:
        return rows.first()
    side = rows.order_by(*(f"-{name}" for name in order)) if backwards else rows
    place = (Before if backwards else Behind)(order, key_of(after, order, now))
    return side.exclude(task_id=after.task_id).filter(place).first()


PEOPLE = ("claimed_by", "asked", "delegated_to", "wanted_by")
RELATED = ("run__version__workflow", "run__started_by", "queue__policy", "queue__escalates_to", "task", *PEOPLE)


def newest_round(task: UUID, drafts_of: Any = None) -> Review:
    """The newest round of a case; Http404 where there is none. Whether it may be seen is not asked here. `drafts_of`: a
    person whose unrecorded draft comes with it, as `draft` and `draft_at`."""
    rows = Review.objects.select_related(*RELATED)
    if drafts_of is not None:
        drafts = Draft.objects.filter(task=OuterRef("task"), user=drafts_of, recorded_at=None)
        data, saved_at = (Subquery(drafts.values(name)[:1]) for name in ("data", "saved_at"))
        rows = rows.annotate(draft=data, draft_at=saved_at)
    review = rows.filter(task_id=task).order_by("-round").first()
    if review is None:
        raise Http404(f"no case {task}")
    return review


def newest_review(user: Any, task: UUID) -> Review:
    """The newest round of a case, for those who may see it; "not yours" and "does not exist" are the same 404."""
    review = newest_round(task)
    if not may(user, "view", review):
        raise Http404(f"no case {task}")
    return review
