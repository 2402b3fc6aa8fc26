"""The trail as people read it: search, one record, export. Reading never writes; an export is recorded."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.middleware import HtmxDetails

from .export import FORMATS
from .export.stream import stream
from .forms import FilterForm
from .log import person, record
from .models import Event, EventQuerySet
from .scopes import visible_scopes

PAGE = 50
COUNT_LIMIT = 1000  # beyond it "more than" is all a reader needs, and all a large trail can answer at once
NEIGHBOURS = 6  # events shown before and after a record of the same run


@dataclass(frozen=True, slots=True)
class Page:
    """Events newest first; `older` is the cursor of the next page; `total` counts all pages, up to COUNT_LIMIT."""

    events: list[Event]
    older: str = ""
    total: int = 0

    @property
    def capped(self) -> bool:
        return self.total > COUNT_LIMIT

    @property
    def total_text(self) -> str:
        return (
            gettext("More than %(count_limit)s") % {"count_limit": number_format(COUNT_LIMIT, force_grouping=True)}
            if self.capped
            else number_format(self.total, force_grouping=True)
        )


@login_required
@require_safe
@vary_on_headers("HX-Request")
def explorer(request: HttpRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    page, part, seen = Page([]), wants_rows(request), visible(request)
    if form.is_valid():
        page = read_page(seen.matching(form.filters()), request.GET.get("before", ""))
    shown = chosen(page, request.GET.get("show", ""))
    context = {
        "form": form,
        "page": page,
        "formats": FORMATS,
        "set": sum(map(bool, form.cleaned_data.values())),
        "event": shown,
        "trail": neighbours(seen, shown) if shown else [],
        "part": part,
    }
    template = "audit/_rows.html" if part else "audit/explorer.html"
    return render(request, template, context, status=200 if form.is_valid() else 422)


@login_required
@require_safe
def one_record(request: HttpRequest, pk: UUID) -> HttpResponse:
    events = visible(request)
    event = get_object_or_404(events, pk=pk)
    return render(request, "audit/record.html", {"event": event, "trail": neighbours(events, event)})


@login_required
@require_POST
def export(request: HttpRequest) -> HttpResponseBase:
    """The filtered trail as a file. The filters are those of the page's URL; the format is the button pressed."""
    form, name = FilterForm(request.GET), request.POST.get("format") or request.GET.get("format", "")
    if name not in FORMATS:
        return refusal(
            gettext("format: %(name)r; expected one of %(formats)s") % {"name": name, "formats": ", ".join(FORMATS)}
        )
    if not form.is_valid():
        return refusal(form.errors.as_text())
    filters = form.filters()
    with transaction.atomic():
        data = {"filters": filters.as_data()}
        at = record("trail.exported", subject=("trail", name), actor=person(request.user), data=data).at
    form_of = FORMATS[name]
    pieces = (piece for piece, _ in stream(visible(request).matching(filters), form_of))
    response = StreamingHttpResponse(pieces, content_type=form_of.MEDIA_TYPE)
    file = f"countersign-trail-{at:%Y%m%dT%H%M%SZ}.{form_of.SUFFIX}"
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    return response


def refusal(message: str) -> HttpResponse:
    return HttpResponse(message, status=422, content_type="text/plain; charset=utf-8")


def visible(request: HttpRequest) -> EventQuerySet:
    return Event.objects.visible_to(visible_scopes(request.user))


def wants_rows(request: HttpRequest) -> bool:
    """Whether a part of the open page is asked for, not a page of its own."""
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # django_htmx's middleware sets it
    return bool(htmx) and not (htmx.boosted or htmx.history_restore_request)


def read_page(events: EventQuerySet, before: str) -> Page:
    """One page and what follows it. 404 for a cursor that this page did not hand out."""
    total = events.order_by()[: COUNT_LIMIT + 1].count()
    rows = list((events.before(*parse_cursor(before)) if before else events)[: PAGE + 1])
    return Page(rows[:PAGE], cursor(rows[PAGE - 1]) if len(rows) > PAGE else "", total)


def chosen(page: Page, key: str) -> Event | None:
    """The event beside the list: the one asked for, or else the first."""
    return next((event for event in page.events if str(event.pk) == key), page.events[0] if page.events else None)


def cursor(event: Event) -> str:
    """Where a page ended: milliseconds since 1970 and the id of its last event."""
    return f"{round(event.at.timestamp() * 1000)}-{event.pk}"


def parse_cursor(text: str) -> tuple[datetime, UUID]:
    millis, _, key = text.partition("-")
    try:
        seconds, rest = divmod(int(millis), 1000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000), UUID(key)
    except (ValueError, OverflowError, OSError) as error:
        raise Http404 from error


def neighbours(events: EventQuerySet, event: Event) -> list[Event]:
    """What happened in the same run just before and after, oldest first, with the event itself."""
    if not event.run:
        return [event]
    same = events.filter(run=event.run)
    earlier = list(same.before(event.at, event.pk)[:NEIGHBOURS])
    return [*reversed(earlier), event, *same.after(event.at, event.pk)[:NEIGHBOURS]]
