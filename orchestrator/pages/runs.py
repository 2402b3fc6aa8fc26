"""The list of runs and one run: graph, timeline, selected step, incidents; cancelling, resolving."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Count, QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from orchestrator import services
from orchestrator.case import load_cases
from orchestrator.digests import digest
from orchestrator.forms import IncidentForm, ReasonForm, RunFilter
from orchestrator.http import Request
from orchestrator.models import Incident, Run
from orchestrator.permissions import get_visible_or_404, may, visible_runs
from orchestrator.pinned import definition_of
from orchestrator.resolving import choices_for
from orchestrator.run_document import given_to, kept_back, without
from orchestrator.words import later as _

from .errors import conflict, explain, forbidden
from .paging import newest_first
from .run_story import Graph, Line, Story, draw, tell

RESOLUTIONS = {
    "retry": _("Try again"),
    "skip": _("Skip the step"),
    "fail": _("End the run as failed"),
    "confirmed": _("It was done outside"),
    "failed": _("It was not done outside"),
}
# What became of files handed in together, in words for whoever waits for them.
BECAME = (
    (_("done"), ("succeeded",)),
    (_("waiting"), ("waiting",)),
    (_("refused"), ("rejected",)),
    (_("with an operator"), ("suspended", "failed")),
    (_("cancelled"), ("cancelling", "cancelled")),
    (_("still being read"), ("pending", "running")),
)
ROW_FIELDS = ("version__workflow", "started_by")


@login_required
@require_safe
@vary_on_headers("HX-Request")
def run_list(request: Request) -> HttpResponse:
    form = RunFilter(request.GET)
    runs = narrowed(visible_runs(request.user), form) if form.is_valid() else Run.objects.none()
    page = newest_first(runs.select_related(*ROW_FIELDS), "started_at", request.GET.get("cursor", ""))
    template = "runs/_rows.html" if request.htmx and not request.htmx.boosted else "runs/list.html"
    handed = progress_of(request, form.cleaned_data["handed_in"]) if form.is_valid() else None
    set_ = any(form.cleaned_data.values()) if form.is_valid() else True
    context = {"form": form, "page": page, "set": set_, "handed": handed}
    return render(request, template, context, status=200 if form.is_valid() else 422)


def narrowed(runs: QuerySet[Run], form: RunFilter) -> QuerySet[Run]:
    wanted = form.cleaned_data
    if wanted["status"] == "open":
        runs = runs.filter(ended_at=None)
    elif wanted["status"]:
        runs = runs.filter(status=wanted["status"])
    if wanted["workflow"]:
        runs = runs.filter(version__workflow=wanted["workflow"])
    if wanted["handed_in"]:
        runs = runs.filter(key__startswith=f"{wanted['handed_in']}/")
    return runs.filter(subject__icontains=wanted["subject"]) if wanted["subject"] else runs


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the files are that somebody handed in together: how many, and what became of them."""

    total: int
    settled: int
    counts: list[tuple[str, int]]


def progress_of(request: Request, hand_in: UUID | None) -> Progress | None:
    """Of the signed-in person's own; None where they handed in nothing under that id."""
    runs = Run.objects.filter(started_by=request.user, key__startswith=f"{hand_in}/")
    found = Counter(dict(runs.values_list("status").annotate(Count("pk")))) if hand_in else None
    if not found:
        return None
    states = ((words, sum(found[status] for status in statuses)) for words, statuses in BECAME)
    counts = [(words, count) for words, count in states if count]
    return Progress(found.total(), found.total() - found["pending"] - found["running"], counts)


@dataclass(frozen=True, slots=True)
class Told:
    """A run as its page shows it. `etag` changes whenever the state of the run or of a step does."""

    story: Story
    graph: Graph
    etag: str


def told(request: Request, run: Run) -> Told:
    definition, selected = definition_of(run.version_id), request.GET.get("step", "")
    tasks = list(run.tasks.all())
    state = [run.status, run.round, [[t.step, t.status, t.attempts, t.round] for t in tasks]]
    story = tell(run, definition, tasks, run.decisions.select_related("person"), timezone.now())
    graph = draw(story, definition, selected, whole=request.GET.get("graph") == "whole")
    return Told(story, graph, f'"{digest(state)[:32]}"')


def context_of(request: Request, run: Run, found: Told) -> dict[str, Any]:
    """What the moving part of the page is made of, at first and when it is polled."""
    story, chosen = found.story, request.GET.get("step", "")
    selected = story.line_of(chosen) or story.current or (story.lines or [None])[-1]
    return {
        "run": run,
        "story": story,
        "graph": found.graph,
        "etag": found.etag,
        "selected": selected,
        "opens": cases_open_to(request.user, story.current, selected),
        "whole": request.GET.get("graph") == "whole",
        "query": request.GET.urlencode(),
        "live": run.status not in Run.ENDED,
    }


def cases_open_to(user: Any, *lines: Line | None) -> set[UUID]:
    """Those of these steps whose case the person may open: a run is seen by more people than its cases are."""
    tasks = {line.task.pk: line.task for line in lines if line and line.is_human and line.task}
    return {pk for pk, task in tasks.items() if may(user, "open_case", task)}


def get_run(request: Request, pk: UUID) -> Run:
    rows = Run.objects.select_related("version__workflow", "policy_version", "started_by")
    return get_visible_or_404(rows, request.user, pk=pk)


@login_required
@require_safe
def run_page(request: Request, pk: UUID) -> HttpResponse:
    return render_run(request, get_run(request, pk))


def render_run(request: Request, run: Run, status: int = 200, **more: Any) -> HttpResponse:
    shown = context_of(request, run, told(request, run))
    line, hidden = shown["selected"], kept_back(request.user, run)
    context = shown | {
        "given": without(given_in(run, line), hidden),
        "output": without(line.answer.output, hidden) if line and line.answer else None,
        "documents": run.documents.all(),
        "effects": run.effects.order_by("authorised_at"),
        "incidents": incident_forms(request, run),
        "may_cancel": run.status not in Run.ENDED and may(request.user, "cancel", run),
        "cancel_form": ReasonForm(),
        **more,
    }
    return render(request, "runs/run.html", context, status=status)


def given_in(run: Run, line: Line | None) -> Any:
    """What the step took in: an agent its part of the case, an effect its payload, the first step the run's input."""
    if line is None or line.task is None:
        return None
    if line.step.kind == "agent":
        return given_to(line.task, load_cases({run.pk: run.input})[run.pk])
    effect = run.effects.filter(step=line.step.name).order_by("authorised_at").last()
    return effect.payload if effect else None


def incident_forms(request: Request, run: Run) -> list[tuple[Incident, IncidentForm | None]]:
    """The run's incidents, each with a form for those who may resolve it."""
    rows = run.incidents.select_related("task", "effect", "run", "resolved_by")
    return [
        (row, incident_form(row) if row.resolved_at is None and may(request.user, "resolve", row) else None)
        for row in rows
    ]


def incident_form(incident: Incident, data: Any = None) -> IncidentForm:
    """Offers what may be chosen for this incident, and asks for the outside's reference where that matters."""
    choices = [(name, RESOLUTIONS[name]) for name in choices_for(incident)]
    return IncidentForm(data, resolutions=choices, prefix=str(incident.pk))


@login_required
@require_safe
def run_state(request: Request, pk: UUID) -> HttpResponseBase:
    """The moving part of the page for polling: 304 while nothing has moved."""
    run = get_run(request, pk)
    found = told(request, run)
    unchanged = get_conditional_response(request, etag=found.etag)
    if unchanged is not None:
        return unchanged
    response = render(request, "runs/_live.html", context_of(request, run, found))
    response["ETag"] = found.etag
    patch_cache_control(response, private=True, no_cache=True)
    return response


@login_required
@require_POST
def cancel(request: Request, pk: UUID) -> HttpResponse:
    run, form = get_run(request, pk), ReasonForm(request.POST)
    if not may(request.user, "cancel", run):
        return forbidden(request, gettext("Only whoever started this run, or an operator, may cancel it."))
    if not form.is_valid():
        return render_run(request, run, status=422, cancel_form=form)
    try:
        services.cancel_run(run_id=run.pk, actor=request.user, reason=form.cleaned_data["reason"])
    except services.Conflict as late:
        return conflict(request, late, reverse("run", args=[run.pk]))
    return redirect("run", run.pk)


@login_required
@require_POST
def resolve(request: Request, pk: UUID) -> HttpResponse:
    runs = visible_runs(request.user).values("pk")
    incident = get_incident(pk, runs)
    if not may(request.user, "resolve", incident):
        return forbidden(request, gettext("Incidents are resolved by operators."))
    form = incident_form(incident, request.POST)
    back = HttpResponseRedirect(reverse("run", args=[incident.run_id]))
    if not form.is_valid():
        shown = [(row, form if row.pk == pk else other) for row, other in incident_forms(request, incident.run)]
        return render_run(request, incident.run, status=422, incidents=shown)
    try:
        services.resolve_incident(incident_id=pk, actor=request.user, **form.cleaned_data)
    except services.InputInvalid as wrong:
        explain(form, wrong)
        return render_run(request, incident.run, status=422)
    except services.Conflict as late:
        return conflict(request, late, back.url)
    return back


def get_incident(pk: UUID, runs: QuerySet[Any]) -> Incident:
    rows = Incident.objects.select_related("run__version__workflow", "run__started_by", "run__policy_version")
    return get_object_or_404(rows, pk=pk, run__in=runs)
