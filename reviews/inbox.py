"""What the queue page reads: views with their counts, rows page by page, neighbours of a case. Nothing is written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import BooleanField, Exists, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Now
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext

from orchestrator.permissions import AUDITORS, granted_each, may
from orchestrator.words import later as _

from .models import Approval, Draft, Queue, Review
from .permissions import SEES
from .policies import SIGNED
from .querysets import URGENCY, ReviewQuerySet
from .searching import cases_with, words_in
from .wanted import ALL, MINE, ORDERS, SORTS, Unknown, Wanted, cursor_of, key_of

__all__ = ["ORDERS", "SORTS", "Sight", "Unknown", "Wanted", "key_of"]

PAGE = 50
MOST = 1_000  # counted no further: beyond it "more than" is all a reader needs
NAMED = ("claimed_by", "asked", "delegated_to", "snoozed_by")
FEW = 500  # cases found by a search that are named one by one
FEWEST, MOST_IN_ALL = 100, 10_000  # of a queue, and of all queues together, as far as they are counted
TODAY, DONE = "today", "done"
INBOX = (MINE, TODAY, "blind")  # what the person could take now
OWN_VIEWS = (
    (MINE, _("My queue")),
    (TODAY, _("Due today")),
    ("blind", _("Blind second review")),
    ("asked", _("Waiting for information")),
    ("drafts", _("Drafts")),
    ("snoozed", _("Snoozed")),
    (DONE, _("Done today")),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, and the day it is in: times, or the places of times in a statement that is kept."""

    now: Any
    today: Any
    tomorrow: Any

    @classmethod
    def of(cls, now: datetime) -> "Moment":
        today = start_of_day(now)
        return cls(now, today, today + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person may see of the queues, and when: read once a request (or a query, for who asks but one thing).
    Auditors see every queue and decide in none."""

    user: Any
    queues: Collection[Queue] | QuerySet[Queue]
    inbox: ReviewQuerySet
    at: Moment

    def title_of(self, view: str) -> str | None:
        own = dict(OWN_VIEWS) | {ALL: gettext("All cases")}
        return own.get(view) or next((queue.title for queue in self.queues if queue.name == view), None)

    def named(self, name: str) -> Any:
        """The queue of that name, as what `queue__in` takes."""
        if isinstance(self.queues, QuerySet):
            return self.queues.filter(name=name)
        return [queue for queue in self.queues if queue.name == name]


def sight_of(user: Any, *, counted: bool = False) -> Sight:
    """In two statements. `counted`: each queue with how many wait there, as `waiting` (at most one above `limit`)."""
    held = granted_each(user, Queue, SEES)
    keys = set().union(*held.values())
    auditing = Exists(user.groups.filter(name=AUDITORS))
    queues = Queue.objects.select_related("policy").filter(Q(pk__in=keys) | auditing)
    if counted:  # whoever holds nothing may be an auditor, who sees any number
        queues = with_waiting(queues, min(MOST, max(FEWEST, MOST_IN_ALL // len(keys))) if keys else FEWEST)
    return Sight(user, list(queues), Review.objects.inbox_for(user, held["decide"]), Moment.of(timezone.now()))


def reach_of(user: Any) -> Sight:
    """The same in one statement, for who asks but one thing. Which queues are a person's own is known when that is
    planned: a plan that cannot know looks through everybody's cases for the first of a few."""
    held = granted_each(user, Queue, SEES)
    seen = Q(pk__in=set().union(*held.values())) | Exists(user.groups.filter(name=AUDITORS))
    inbox = Review.objects.inbox_for(user, held["decide"])
    return Sight(user, Queue.objects.filter(seen), inbox, Moment.of(timezone.now()))


def with_waiting(queues: QuerySet[Queue], limit: int) -> QuerySet[Queue]:
    waiting = Review.objects.listed().filter(queue=OuterRef("pk")).order_by(*URGENCY).values("pk")[: limit + 1]
    return queues.annotate(waiting=Counted(waiting), limit=Value(limit))


class Counted(Subquery):
    """How many rows a query has, which may have a limit."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def rows_of(sight: Sight, view: str) -> ReviewQuerySet:
    """The cases of a view, in no order."""
    user, seen = sight.user, Review.objects.listed().filter(queue__in=sight.queues)
    if view == DONE:
        mine = Approval.objects.filter(reviewer=user, at__gte=sight.at.today)
        return Review.objects.filter(pk__in=mine.values("review"))
    if view == MINE:
        return sight.inbox
    if view == TODAY:
        return sight.inbox.filter(band__lt=3, due_at__lt=sight.at.tomorrow)
    if view == "blind":
        votes = Approval.objects.filter(review=OuterRef("pk"), verdict__in=SIGNED)
        return sight.inbox.filter(Exists(votes), signed_at__isnull=False, levels__0__blind=True)
    if view == "asked":
        return seen.filter(asked__isnull=False)
    if view == "drafts":
        return seen.filter(task__in=Draft.objects.filter(user=user, recorded_at=None).values("task"))
    if view == "snoozed":
        return seen.filter(snoozed_until__gt=sight.at.now)
    if view == ALL:
        rounds = Review.objects.filter(task=OuterRef("task_id"), round__gt=OuterRef("round"))
        return Review.objects.filter(~Exists(rounds), queue__in=sight.queues)
    return Review.objects.listed().filter(queue__in=sight.named(view))


def start_of_day(now: datetime) -> datetime:
    return timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)


def narrowed(sight: Sight, wanted: Wanted, *, ahead: bool = True) -> ReviewQuerySet:
    """The cases of a list. `ahead`: what the words are found in may be read in a statement of its own."""
    rows = rows_of(sight, wanted.view)
    if wanted.owner == "others" and wanted.view in INBOX:
        return rows.none()  # what somebody else holds is in nobody's inbox
    if wanted.view == ALL and wanted.sort == "due":
        rows = rows.listed()  # what is settled has no due band
    if wanted.wf:
        rows = rows.filter(workflow=wanted.wf)
    if wanted.owner:
        rows = rows.filter(owned(wanted.owner, sight.user))
    return with_words(rows, wanted, ahead) if wanted.q or wanted.why else rows


def with_words(rows: ReviewQuerySet, wanted: Wanted, ahead: bool) -> ReviewQuerySet:
    """Those that have the words. A few are read first: no planner can tell that what is rare everywhere is rare among
    what waits, too."""
    words = words_in(wanted.q)
    if wanted.q and not words:
        return rows.none()
    found = cases_with(connection.vendor, words, [wanted.why] if wanted.why else []).values_list("task_id", flat=True)
    few = list(found[: FEW + 1]) if ahead else None
    return rows.filter(task__in=found if few is None or len(few) > FEW else few)


def owned(owner: str, user: Any) -> Q:
    held = Q(claimed_until__gt=Now())
    return {"mine": held & Q(claimed_by=user), "others": held & ~Q(claimed_by=user), "free": ~held}[owner]


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


def in_order(rows: ReviewQuerySet, wanted: Wanted, *, backwards: bool = False) -> ReviewQuerySet:
    down = wanted.descends != backwards
    return rows.order_by(*(f"-{name}" if down else name for name in wanted.order))


def beyond(rows: ReviewQuerySet, wanted: Wanted, key: Sequence[Any], *, backwards: bool = False) -> ReviewQuerySet:
    """Rows that stand behind `key` in the order asked for (before it, `backwards`), the next one first."""
    side = Before if wanted.descends != backwards else Behind
    return in_order(rows.filter(side(wanted.order, key)), wanted, backwards=backwards)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page of a `whole` list; `next` is the cursor of the page behind it, or empty."""

    rows: Sequence[Review]
    whole: ReviewQuerySet
    next: str = ""


def read_page(sight: Sight, wanted: Wanted) -> Page:
    """One page by key: whatever comes or goes meanwhile, no row that stays in its place is skipped or repeated."""
    rows = narrowed(sight, wanted)
    if wanted.view == DONE:
        return Page(named(told(done_by(rows, sight.user), sight.user)[:MOST], sight), rows)
    ordered = beyond(rows, wanted, wanted.key) if wanted.key else in_order(rows, wanted)
    found = named(told(ordered, sight.user)[: PAGE + 1], sight)
    shown = found[:PAGE]
    return Page(shown, rows, cursor_of(shown[-1], wanted.order, sight.at.now) if len(found) > PAGE else "")


def done_by(rows: ReviewQuerySet, user: Any) -> ReviewQuerySet:
    """With what the person answered last and when, the newest first. A day's work of one person is one page."""
    last = Approval.objects.filter(review=OuterRef("pk"), reviewer=user).order_by("-at")
    answered = {"answered_at": Subquery(last.values("at")[:1]), "answered": Subquery(last.values("verdict")[:1])}
    return rows.annotate(**answered).order_by("-answered_at", "-id")


def told(rows: ReviewQuerySet, user: Any) -> Any:
    """With what a row of the list tells beyond its own columns. A draft is looked for row by row: asked whether there
    is one, PostgreSQL would read all drafts there are first."""
    drafts = Draft.objects.filter(task=OuterRef("task_id"), recorded_at=None).exclude(user=user)
    return rows.defer("packet", "levels").annotate(
        differences=KeyTransform("differences", "packet"),
        workflow_title=KeyTransform("workflow_title", KeyTransform("case", "packet")),
        looked_at=Subquery(drafts.values("pk")[:1]),
        blind=KeyTransform("blind", KeyTransform("0", "levels")),
    )


def named(rows: Any, sight: Sight) -> list[Review]:
    """With the people and queues they name: read beside the rows, since planning the joins costs more than they do."""
    found = list(rows)
    wanted = {key for row in found for name in NAMED if (key := getattr(row, f"{name}_id"))}
    people = get_user_model().objects.in_bulk(wanted) if wanted else {}
    queues = {queue.pk: queue for queue in sight.queues}
    for row in found:
        if row.queue_id in queues:
            row.queue = queues[row.queue_id]
        for name in NAMED:
            if key := getattr(row, f"{name}_id"):
                setattr(row, name, people[key])
    return found


def next_of(sight: Sight, wanted: Wanted, *, after: Review | None = None, backwards: bool = False) -> Review | None:
    """The case behind (or before) `after` in the list it was opened from; without `after`, the first."""
    rows = narrowed(sight, wanted).defer("packet")
    if after is None:
        return in_order(rows, wanted).first()
    key = key_of(after, wanted.order, sight.at.now)
    return beyond(rows.exclude(task_id=after.task_id), wanted, key, backwards=backwards).first()


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
