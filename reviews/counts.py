"""How many cases stand in each list: no further than a reader needs, and in statements that are compiled once.

PostgreSQL keeps the plans of statements that differ in their values alone, and such a plan knows neither how many
queues a person has nor how much waits there. So an inbox is counted queue by queue, and every other list in the order
of the index that finds it: the cost is that of what is counted, whatever else is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import BigIntegerField, DateTimeField, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.utils import timezone

from orchestrator.statements import Slot, Statement

from .inbox import DONE, MOST, OWN_VIEWS, TODAY, Moment, Page, Sight, Wanted, narrowed
from .models import BANDS, Review
from .permissions import held_queues, kind_of_queues, seen_queues
from .querysets import URGENCY, ReviewQuerySet, for_team_of
from .wanted import ALL, MINE

MOST_NEWS = 99
MOST_AHEAD = 99  # in the main navigation, which every page has and every open one asks about
STILL = (DONE, "drafts", "snoozed")  # nothing new comes to these by itself
OWN = tuple(name for name, _ in OWN_VIEWS)
NEW, SOON, AHEAD = "new in the list", "soon due in the list", "in the inbox, for the navigation"
OLDEST = "opened first in the list"
IN_BAND = tuple(f"in band {band} of the list" for band in range(len(BANDS)))
TEAM, ANY = "-team", "any"  # stand for a queue and a workflow: no name is like that
ORDER = {"asked": ("asked",), "snoozed": ("snoozed_until",), "blind": ("signed_at",)}  # by what finds them
USER, VIEW, FLOW = Slot("user", BigIntegerField()), Slot("view", TextField()), Slot("wf", TextField())
SINCE = Slot("since", DateTimeField())
WHEN = Moment(*(Slot(name, DateTimeField()) for name in Moment.__slots__))

Part = tuple[str, Sequence[Any]]  # SQL of a number, and its values


@dataclass(frozen=True, slots=True)
class Figure:
    """What is wanted of some rows: SQL over their column of that name, and what no rows come to."""

    sql: str
    column: str
    nothing: str


COUNT, FIRST = Figure("COUNT(*)", "pk", "0"), Figure("MIN(opened_at)", "opened_at", "NULL")


@dataclass(frozen=True, slots=True)
class View:
    """A view in the side column. `count` as text: at most "1,000+"."""

    name: str
    title: str
    count: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the person's own views in their order, of what is new in the list and of what is due soon in it. `listed`: of
    the list itself, where it is not simply one of the views; `cut`: of the due band in which the page ends; `oldest`:
    when the first of the list was opened, where that is known from its rows or is counted with them."""

    own: Sequence[int]
    new: int
    soon: int = 0
    listed: int | None = None
    cut: int | None = None
    oldest: datetime | None = None


def as_text(count: int, most: int = MOST) -> str:
    return f"{count:,}" if count <= most else f"{most:,}+"


def views_of(sight: Sight, own: Sequence[int]) -> list[View]:
    """Every view with its count: the person's own, then the queues, of a sight that has counted them."""
    views = [View(*name, as_text(n)) for name, n in zip(OWN_VIEWS, own, strict=True)]
    teams: Any = sight.queues
    return views + [View(queue.name, queue.title, as_text(queue.waiting, queue.limit)) for queue in teams]


def counts_beside(sight: Sight, wanted: Wanted, page: Page, since: datetime) -> Counts:
    """What stands beside a page of a list, in one statement."""
    whole = not page.next and not wanted.key
    further = [part_of(page.whole, MOST, what) for what in (COUNT, FIRST)] if wanted.is_narrowed and not whole else []
    if wanted.has_words or wanted.like:
        own = _numbers(OWN, Wanted(), sight.user, sight.at, [*further, *_found_new(sight, wanted, since)])
        own, rest = own[: len(OWN)], own[len(OWN) :]
        listed, oldest = rest[: len(further)] or (len(page.rows), None)
        return Counts(own, sum(rest[len(further) :]), listed=listed, oldest=_oldest(page, whole, oldest))
    band = cut_band(wanted, page)
    names = (*OWN, NEW, SOON, *(() if band is None else (IN_BAND[band],)))
    found = _numbers(names, wanted, sight.user, sight.at, further, since)
    by_name, rest = dict(zip(names, found, strict=False)), found[len(names) :]
    listed, oldest = rest or (len(page.rows) if wanted.is_narrowed else None, None)
    cut = None if band is None else by_name[IN_BAND[band]]
    return Counts(found[: len(OWN)], by_name[NEW], by_name[SOON], listed, cut, oldest=_oldest(page, whole, oldest))


def opened_first(sight: Sight, wanted: Wanted, page: Page, counts: Counts, here: str) -> datetime | None:
    """When the first case of the list was opened. A list of several pages is asked for it unless it is too long to be
    counted: then nothing is said, and nothing is to be paid for it."""
    if counts.oldest or wanted.is_narrowed or not page.rows or here.endswith("+"):
        return counts.oldest
    return _moment(_numbers((OLDEST,), wanted, sight.user, sight.at)[0])


def _oldest(page: Page, whole: bool, found: Any) -> datetime | None:
    """By the rows of a list that is one page; else as the statement found it."""
    return min((row.opened_at for row in page.rows), default=None) if whole else _moment(found)


def _moment(found: Any) -> datetime | None:
    """What a statement found, which on SQLite is text."""
    for convert in connection.ops.get_db_converters(SINCE):
        found = convert(found, SINCE, connection)
    return found


def cut_band(wanted: Wanted, page: Page) -> int | None:
    """The due band that begins on this page, goes on behind it, and can be counted along an index."""
    if not page.next or wanted.sort != "due" or wanted.has_words or wanted.view == ALL:
        return None
    band = page.rows[-1].band
    return None if band is None or (wanted.key and wanted.key[0] == band) else band


def in_cut_band(sight: Sight, wanted: Wanted, page: Page) -> int | None:
    """How many of the list are in that band, where nothing else is counted."""
    band = cut_band(wanted, page)
    return None if band is None else _numbers((IN_BAND[band],), wanted, sight.user, sight.at)[0]


def _found_new(sight: Sight, wanted: Wanted, since: datetime) -> list[Part]:
    """What is new among the cases with these words: they differ, so this is compiled each time."""
    if wanted.like:
        return []
    return [part_of(rows, MOST_NEWS * 2) for rows in came(narrowed(sight, wanted, ahead=False), since, sight.at.now)]


def glance_of(user: Any, at: Moment | None = None) -> Sight:
    """What inbox.sight_of reads in two statements, as parts of the one that asks."""
    inbox = Review.objects.inbox_for(user, held_queues(user, ["decide"]))
    return Sight(user, seen_queues(user), inbox, at or Moment.of(timezone.now()))


def own_counts(user: Any, mine: int) -> list[int]:
    """How many stand in each of the person's own views, of which the first was counted for the navigation."""
    known = [] if mine > MOST_AHEAD else [mine]
    return known + _numbers(OWN[len(known) :], Wanted(), user, Moment.of(timezone.now()))


def news_of(user: Any, wanted: Wanted, since: datetime) -> tuple[int, int]:
    """(how many came to the list after `since`, how many wait for the person): in one statement."""
    at = Moment.of(timezone.now())
    if not wanted.has_words and not wanted.like:  # asked every few seconds by every open page: nothing is compiled
        new, waits = _numbers((NEW, AHEAD), wanted, user, at, since=since)
        return new, waits
    waits, *found = _numbers((AHEAD,), Wanted(), user, at, _found_new(glance_of(user, at), wanted, since))
    return sum(found), waits


def waiting(user: Any) -> str:
    """How much waits in a person's inbox, for the main navigation."""
    return ahead(_numbers((AHEAD,), Wanted(), user, Moment.of(timezone.now()))[0])


def ahead(count: int) -> str:
    return as_text(count, MOST_AHEAD)


def _numbers(
    names: tuple[str, ...],
    wanted: Wanted,
    user: Any,
    at: Moment,
    further: Sequence[Part] = (),
    since: datetime | None = None,
) -> list[int]:
    """The numbers of these names for a list, then those of `further`."""
    kept = _kept(names, shape_of(wanted), connection.vendor, kind_of_queues())
    given = {"user": user.pk, "view": wanted.view, "wf": wanted.wf, "since": since or at.now}
    given |= {name: getattr(at, name) for name in Moment.__slots__}
    values = [value.value(given) if isinstance(value, Slot) else value for value in kept.params]
    with connection.cursor() as cursor:
        cursor.execute(
            ", ".join([kept.sql, *(sql for sql, _ in further)]), [*values, *(v for _, some in further for v in some)]
        )
        return list(cursor.fetchone())


def shape_of(wanted: Wanted) -> Wanted:
    """What of a list its statement depends on."""
    known = wanted.view in (*OWN, ALL)
    sort = "due" if wanted.view == ALL and wanted.sort == "due" else "newest"
    return Wanted(view=wanted.view if known else TEAM, wf=ANY if wanted.wf else "", owner=wanted.owner, sort=sort)


@cache
def _kept(names: tuple[str, ...], shape: Wanted, vendor: str, _kind: int) -> Statement:
    slots: Any = {"view": VIEW} if shape.view == TEAM else {}
    slots |= {"wf": FLOW} if shape.wf else {}
    parts = [_number(name, shape, replace(shape, **slots), vendor) for name in names]
    return Statement(
        f"SELECT {', '.join(sql for sql, _ in parts)}", tuple(value for _, values in parts for value in values)
    )


def _number(name: str, shape: Wanted, wanted: Wanted, vendor: str) -> Part:
    """`wanted` is the list itself, with places where what differs from person to person stands."""
    if name == NEW:
        rows = [] if shape.view in STILL else came(narrowed(_sight(), wanted), SINCE, WHEN.now)
        return _sum([part_of(some, MOST_NEWS * 2) for some in rows])
    if name == SOON:
        return _sum([] if shape.view == ALL else _in_list(shape.view, wanted, vendor, band__lte=1))
    if name == OLDEST:
        return _first([] if shape.view == ALL else _in_list(shape.view, wanted, vendor, what=FIRST))
    if name in IN_BAND:
        return _sum(_in_list(shape.view, wanted, vendor, band=IN_BAND.index(name)))
    if name == AHEAD:
        return _sum(_in_list(MINE, Wanted(view=MINE), vendor, MOST_AHEAD))
    return _sum(_in_list(name, Wanted(view=name), vendor))


def _in_list(
    view: str, wanted: Wanted, vendor: str, most: int = MOST, what: Figure = COUNT, **further: Any
) -> list[Part]:
    if view in (MINE, TODAY) and vendor == "postgresql":
        team = Review.objects.free_for(USER).filter(for_team_of(USER), queue=RawSQL("held.key", ()))
        asked = Review.objects.free_for(USER).filter(asked=USER)
        return [
            _by_queue(narrowed(replace(_sight(), inbox=team), wanted).filter(**further), most, what),
            part_of(narrowed(replace(_sight(), inbox=asked), wanted).filter(**further), most, what),
        ]
    order = ORDER.get(view, URGENCY if view == TEAM else ())
    return [part_of(narrowed(_sight(), wanted).filter(**further).order_by(*order), most, what)]


def _sight() -> Sight:
    """What whoever asks may see, then."""
    return glance_of(USER, WHEN)


def _by_queue(rows: ReviewQuerySet, most: int, what: Figure) -> Part:
    """Queue by queue, each in the order of its index, and no further than `most` in all."""
    held, keys = held_queues(USER, ["decide"]).query.sql_with_params()
    try:
        each, values = rows.order_by(*URGENCY).values(what.column)[: most + 1].query.sql_with_params()
    except EmptyResultSet:
        return what.nothing, ()
    queues = f"FROM ({held}) AS held (key) CROSS JOIN LATERAL ({each}) AS waits"
    return f"(SELECT {what.sql} FROM (SELECT waits.* {queues} LIMIT {most + 1}) AS counted)", [*keys, *values]  # noqa: S608


def part_of(query: QuerySet[Any], most: int, what: Figure = COUNT) -> Part:
    """The SQL of a count, or another figure: over no more rows than one above `most`."""
    try:
        sql, params = query.values(what.column)[: most + 1].query.sql_with_params()
    except EmptyResultSet:
        return what.nothing, ()
    return f"(SELECT {what.sql} FROM ({sql}) AS counted)", params  # noqa: S608 - Django's own SQL


def _sum(parts: Sequence[Part]) -> Part:
    return " + ".join(sql for sql, _ in parts) or "0", [value for _, values in parts for value in values]


def _first(parts: Sequence[Part]) -> Part:
    """The earliest of them."""
    if len(parts) < 2:
        return parts[0] if parts else ("NULL", [])
    return f"LEAST({', '.join(sql for sql, _ in parts)})", [value for _, values in parts for value in values]


def came(rows: ReviewQuerySet, since: Any, now: Any) -> list[ReviewQuerySet]:
    """Of these rows, those that were opened after `since`, and those that were snoozed until a time after it."""
    back = rows.filter(snoozed_until__gt=since, snoozed_until__lte=now, opened_at__lte=since)
    return [rows.filter(opened_at__gt=since).order_by("opened_at"), back.order_by("snoozed_until")]
