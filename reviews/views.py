"""The queue and the pages around it: what waits, what to take next, how a person likes to work, how it is going."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import CharField, Value
from django.db.models.functions import Cast
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from orchestrator.http import Request
from orchestrator.models import PolicyRule, Workflow
from orchestrator.pages.paging import newest_first

from . import inbox, services
from .case_page import worst_look
from .errors import Conflict, NotAllowed
from .forms import KeysForm, PreferenceForm
from .inbox import SORTS, Sight, Wanted, newest_review
from .insights import by_workflow
from .keys import bindings
from .models import BANDS, Review
from .notices import for_telling, mark_read, tell
from .preferences import save_preference
from .templatetags.desk import reader_of

TRIES = 5  # how many of the first cases are tried, where others claim at the same time


@dataclass(frozen=True, slots=True)
class Group:
    """Rows of one due band, under its heading."""

    title: str
    rows: list[Review]


@login_required
@require_safe
@vary_on_headers("HX-Request")
def queue(request: Request) -> HttpResponse:
    wanted, sight = Wanted.of(request.GET), inbox.sight_of(request.user)
    page = inbox.read_page(sight, wanted)
    context = {"wanted": wanted, "page": page, "groups": grouped(page.rows, wanted), "search": wanted.q}
    if request.htmx and request.htmx.target == "more":
        return render(request, "queue/_items.html", context)
    context |= around(sight, wanted, page)
    return render(request, "queue/queue.html", context)


def grouped(rows: Any, wanted: Wanted) -> list[Group]:
    """Rows under their due band; in another order, or once decided, all under one heading."""
    for row in rows:
        row.tone, row.icon = worst_look(row.reasons)
        row.count = len(row.differences or ())
    if wanted.sort != "due" or wanted.view == "done":
        return [Group(SORTS[wanted.sort] if wanted.view != "done" else "Decided today", list(rows))]
    return [Group(BANDS[band], list(found)) for band, found in groupby(rows, key=lambda row: row.band)]


def around(sight: Sight, wanted: Wanted, page: inbox.Page) -> dict[str, Any]:
    """What stands beside the list: views with counts, filters, the preview of its first case."""
    views = inbox.views_of(sight, timezone.now())
    first = page.rows[0] if page.rows else None
    workflows, rules = filters()
    return {
        "own_views": views[: len(inbox.OWN_VIEWS)],
        "queues": views[len(inbox.OWN_VIEWS) :],
        "here": next((view for view in views if view.name == wanted.view), None),
        "title": sight.title_of(wanted.view) or "No such view",
        "waiting": views[0].count,
        "sorts": SORTS.items(),
        "workflows": workflows,
        "rules": rules,
        "peek": first and Review.objects.defer("reasons").get(pk=first.pk),
    }


def filters() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What the list can be narrowed to, workflows and rules, in one statement."""
    flows = Workflow.objects.order_by().values_list(Value("wf", CharField()), "name", Cast("title", CharField()))
    rules = PolicyRule.objects.order_by().values_list(Value("why", CharField()), "name", Cast("name", CharField()))
    found = sorted(flows.union(rules))
    return (
        [(name, title) for kind, name, title in found if kind == "wf"],
        [
            (name, title.replace("_", " ").replace("-", " ").capitalize())
            for kind, name, title in found
            if kind == "why"
        ],
    )


@login_required
@require_safe
def peek(request: Request, task: Any) -> HttpResponse:
    """The preview of a case in the list. Looking at a preview is not opening the case."""
    return render(
        request, "queue/_peek.html", {"peek": newest_review(request.user, task), "wanted": Wanted.of(request.GET)}
    )


@login_required
@require_POST
def take_next(request: Request) -> HttpResponse:
    """Claims the first case of the list and opens it; an empty list is an empty desk, not an error."""
    wanted = Wanted.of(request.GET)
    taken = claim_first(request, inbox.sight_of(request.user), wanted)
    return redirect(case_url(taken, wanted) if taken else queue_url(wanted))


def claim_first(request: Request, sight: Sight, wanted: Wanted, after: Review | None = None) -> Review | None:
    """The first case (behind `after`) that nobody else has just claimed."""
    for _ in range(TRIES):
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


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def me(request: Request) -> HttpResponse:
    liked = reader_of(request).liked
    posted = request.POST if request.method == "POST" else None
    form, moved = PreferenceForm(posted, instance=liked), KeysForm(posted, chosen=liked.keymap, prefix="key")
    if posted is not None and form.is_valid() and moved.is_valid():
        save_preference(actor=request.user, keymap=moved.cleaned_data, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("me")
    return render(request, "me/me.html", {"form": form, "keys": moved}, status=422 if posted is not None else 200)


@login_required
@require_safe
def notices(request: Request) -> HttpResponse:
    """What the reader was told, the newest first. Following one leads to its page; reading it there is not asked."""
    page = newest_first(for_telling(request.user.notices.all()), "at", request.GET.get("cursor", ""))
    return render(request, "notices/notices.html", {"told": tell(page.rows), "next": page.next})


@login_required
@require_POST
def read_notices(request: Request) -> HttpResponse:
    mark_read(actor=request.user)
    return redirect("notices")


@login_required
@require_safe
def insights(request: Request) -> HttpResponse:
    return render(request, "insights/insights.html", {"rows": by_workflow(request.user)})


@login_required
@require_safe
def keys(request: Request) -> HttpResponse:
    liked = reader_of(request).liked
    pages = [(page, list(found)) for page, found in groupby(bindings(liked.keymap), key=lambda one: one.key.page)]
    return render(request, "help/keys.html", {"single_keys": liked.single_keys, "pages": pages})
