"""The queue: what waits in which order, what is new, the preview, the next case, saved views."""

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import CharField, Value
from django.db.models.functions import Cast
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from orchestrator.http import Request
from orchestrator.models import PolicyRule, Workflow
from orchestrator.words import later as _

from . import inbox, services
from .counts import (
    MOST_NEWS,
    Counts,
    View,
    ahead,
    as_text,
    counts_beside,
    in_cut_band,
    opened_first,
    own_counts,
    views_of,
)
from .errors import Conflict, NotAllowed
from .forms import SNOOZES
from .inbox import Sight, Wanted, newest_review
from .models import BANDS, Review, SavedView
from .news import LATE, Since, news_for
from .similar import similar_to
from .today import day_of
from .wanted import OWNERS, SORTS, Unknown
from .why import worst_look

TRIES = 5  # how many of the first cases are tried, where others claim at the same time
BULK_ACTS = (  # what can be done with selected cases, and its key
    ("approve", _("Approve"), ""),
    ("reroute", _("Reroute"), ""),
    ("delegate", _("Delegate"), "d"),
    ("ask", _("Ask"), ""),
    ("snooze", _("Snooze"), "h"),
)
LAST_VIEW = "last_view"  # the cookie that remembers it
KEEP_LAST_VIEW = 90 * 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one due band, under its heading. `count`: of all in it, as text; empty where that is not counted."""

    title: str
    rows: list[Review] = field(default_factory=list)
    count: str = ""


@login_required
@require_safe
@never_cache
@vary_on_headers("HX-Request")
def queue(request: Request) -> HttpResponse:
    try:
        wanted = asked_for(request)
    except Unknown as error:
        return refused(request, gettext("There is no such list"), str(error), 400)
    return show(request, wanted)


def show(request: Request, wanted: Wanted) -> HttpResponse:
    more = request.htmx and request.htmx.target == "more"
    sight = inbox.sight_of(request.user, counted=not more)
    page = similar_to(sight, wanted) if wanted.like else inbox.read_page(sight, wanted)
    context = {"wanted": wanted, "page": page, "search": wanted.q}
    if more:
        context["groups"] = grouped(page, wanted, sight.at.now, in_cut_band(sight, wanted, page))
        return render(request, "queue/_items.html", context)
    counts = counts_beside(sight, wanted, page, sight.at.now - LATE)
    context["groups"] = grouped(page, wanted, sight.at.now, counts.cut)
    response = render(request, "queue/queue.html", context | around(sight, wanted, page, counts))
    remember_view(request, response, wanted)
    return response


def asked_for(request: Request) -> Wanted:
    """What the address says; the address without anything opens the view that was used last. Unknown."""
    if request.GET:
        return Wanted.strictly(request.GET)
    whose, _, query = request.COOKIES.get(LAST_VIEW, "").partition(":")
    try:
        return Wanted.of(QueryDict(query) if whose == str(request.user.pk) else {})
    except Unknown:
        return Wanted()


def remember_view(request: Request, response: HttpResponse, wanted: Wanted) -> None:
    """In a cookie: a page that is read changes nothing on the server. A search is not a view to come back to."""
    value = f"{request.user.pk}:{wanted.query}"
    if wanted.q or wanted.like or request.COOKIES.get(LAST_VIEW) == value:
        return
    secure = settings.SESSION_COOKIE_SECURE
    response.set_cookie(LAST_VIEW, value, KEEP_LAST_VIEW, httponly=True, samesite="Lax", secure=secure)


def refused(request: Request, title: str, why: str, status: int) -> HttpResponse:
    context = {"title": title, "why": why, "back": reverse("queue") + "?view=mine"}
    return render(request, "refused.html", context, status=status)


def grouped(page: inbox.Page, wanted: Wanted, now: Any, cut: int | None) -> list[Group]:
    """Rows under their due band; in another order, or once decided, all under one heading. `cut`: how many are in the
    band in which the page ends."""
    rows: Any = page.rows
    for row in rows:
        row.tone, row.icon = worst_look(row.reasons)
        row.count = len(row.differences or ())
        row.held = row.claimed_by_id and row.claimed_until > now
        row.asleep = row.snoozed_until and row.snoozed_until > now
        row.blind_now = row.blind and row.signed_at and row.is_live
        row.undoable = row.undo_until and row.undo_until > now and row.answer.get("decision")
    if not rows:
        return []
    if wanted.like:
        return [Group(gettext("Like the first of them"), list(rows), as_text(len(rows)))]
    if wanted.view == inbox.DONE:
        return [Group(gettext("Decided today"), list(rows), as_text(len(rows)))]
    if wanted.sort != "due":
        return [Group(SORTS[wanted.sort], list(rows))]
    return by_band(page, wanted, cut)


def by_band(page: inbox.Page, wanted: Wanted, cut: int | None) -> list[Group]:
    """A band that is neither begun on an earlier page nor goes on behind this one is counted by its rows."""
    begun, last = wanted.key[0] if wanted.key else None, page.rows[-1].band if page.next else None
    groups = []
    for band, found in groupby(page.rows, key=lambda row: row.band):
        rows = list(found)
        count = None if band == begun else cut if band == last else len(rows)
        groups.append(Group(str(BANDS[band]), rows, "" if count is None else as_text(count)))
    return groups


def around(sight: Sight, wanted: Wanted, page: inbox.Page, counts: Counts) -> dict[str, Any]:
    """What stands beside the list: views with counts, filters, the preview of its first case."""
    views = views_of(sight, counts.own)
    here = next((view.count for view in views if view.name == wanted.view), "")
    here = here if counts.listed is None else as_text(counts.listed)
    first = page.rows[0] if page.rows else None
    opened = opened_first(sight, wanted, page, counts, here)
    return {
        **in_columns(views),
        "day": day_of(sight),
        "here": here,
        "soon": as_text(counts.soon) if counts.soon else "",
        "oldest": sight.at.now - opened if opened and not here.endswith("+") else None,
        "title": sight.title_of(wanted.view) or gettext("No such view"),
        "waiting": ahead(counts.own[0]),
        "sorts": SORTS.items(),
        "owners": OWNERS.items(),
        **choices_of(sight.user),
        "since": (sight.at.now - LATE).isoformat(),
        "known": counts.new,
        "etag": tag(0, ahead(counts.own[0])),
        "is_empty": not page.rows,
        "bulk_acts": BULK_ACTS,
        "peek": first and Review.objects.defer("reasons").get(pk=first.pk),
        "snoozes": [(name, words) for name, (words, _) in SNOOZES.items()],
    }


def in_columns(views: list[View]) -> dict[str, Any]:
    own = len(inbox.OWN_VIEWS)
    done = next(view.count for view in views if view.name == inbox.DONE)
    return {"own_views": views[:own], "queues": views[own:], "done": done}


def choices_of(user: Any) -> dict[str, Any]:
    """What the list can be narrowed to (workflows and rules) and the person's saved views, in one statement."""

    def rows(kind: str, found: Any, key: str, title: str, query: Any) -> Any:
        text = [Cast(name, CharField()) for name in (key, title)]
        return found.order_by().values_list(Value(kind, CharField()), *text, Cast(query, CharField()))

    flows = rows("workflows", Workflow.objects.all(), "name", "title", Value(""))
    rules = rows("rules", PolicyRule.objects.all(), "name", "name", Value(""))
    saved = rows("saved", SavedView.objects.filter(user=user), "pk", "name", "query")
    found = sorted(flows.union(rules, saved), key=lambda row: row[2])
    return {
        "workflows": [(name, title) for kind, name, title, _ in found if kind == "workflows"],
        "rules": [(name, in_words(title)) for kind, name, title, _ in found if kind == "rules"],
        "saved": [SavedView(pk=int(pk), name=name, query=query) for kind, pk, name, query in found if kind == "saved"],
    }


def in_words(rule: str) -> str:
    return rule.replace("_", " ").replace("-", " ").capitalize()


def tag(new: int, waiting: str) -> str:
    """Names what a page shows of the news; the page sends it back, and gets nothing where it still holds."""
    return f'"{new}-{waiting}"'


@login_required
@require_safe
@never_cache
def news(request: Request) -> HttpResponse:
    """What has come since the page was made: 304 where nothing has. The list stays as it is until its reader wants it
    otherwise; an empty one has no reader to disturb, and fills by itself."""
    try:
        wanted, since = Wanted.of(request.GET), Since.of(request.GET)
    except Unknown as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")
    new, mine = news_for(request.user, wanted, since)
    etag = tag(new, ahead(mine))
    if request.headers.get("If-None-Match") == etag:
        return HttpResponse(status=304)
    if new and "empty" in request.GET:
        response = show(request, wanted)
        response["HX-Retarget"] = response["HX-Reselect"] = ".split"
        response["HX-Reswap"] = "outerHTML"
        return response
    sight = inbox.sight_of(request.user, counted=True)
    views = views_of(sight, own_counts(request.user, mine))
    context = {**in_columns(views), "day": day_of(sight), "wanted": wanted, "new": new, "waiting": ahead(mine)}
    context |= {"since": since.at.isoformat(), "known": since.known, "etag": etag, "oob": True, "most": MOST_NEWS}
    context["saved"] = list(SavedView.objects.filter(user=request.user))
    return render(request, "queue/_news.html", context | {"empty": "empty" in request.GET})


@login_required
@require_safe
@never_cache
def peek(request: Request, task: Any) -> HttpResponse:
    """The preview of a case in the list, and what is similar to it. Looking at a preview is not opening the case."""
    context = {"peek": newest_review(request.user, task), "wanted": Wanted.of(request.GET), "oob": True}
    context["snoozes"] = [(name, words) for name, (words, _) in SNOOZES.items()]
    return render(request, "queue/_peek.html", context)


@login_required
@require_POST
def take_next(request: Request) -> HttpResponse:
    """Claims the first case of the list and opens it; an empty list is an empty desk, not an error."""
    wanted = Wanted.of(request.GET)
    taken = claim_first(request, inbox.reach_of(request.user), wanted)
    return redirect(case_url(taken, wanted) if taken else queue_url(wanted))


def claim_first(request: Request, sight: Sight, wanted: Wanted, after: Review | None = None) -> Review | None:
    """The first case (behind `after`) that nobody else has just claimed."""
    for _try in range(TRIES):
        review = inbox.next_of(sight, wanted, after=after)
        if review is None:
            return None
        try:
            return services.claim(review_id=review.pk, actor=request.user)
        except (Conflict, NotAllowed):
            after = review
    return None


def case_url(review: Review, wanted: Wanted) -> str:
    return with_query(reverse("case", args=[review.task_id]), wanted)


def queue_url(wanted: Wanted) -> str:
    return with_query(reverse("queue"), wanted)


def with_query(path: str, wanted: Wanted) -> str:
    return f"{path}?{wanted.query}" if wanted.query else path
