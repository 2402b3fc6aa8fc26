"""Start a run by form. The form is made from the workflow's input schema; the service checks it again."""

from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from orchestrator import services
from orchestrator.documents.store import DocumentRefused, shown_name, store_document
from orchestrator.forms import StartForm
from orchestrator.http import Request
from orchestrator.models import Document, Run, Workflow
from orchestrator.pacing import is_too_fast
from orchestrator.permissions import granted, may
from orchestrator.pinned import definition_of

from .errors import explain


@login_required
@require_safe
def choose(request: Request) -> HttpResponse:
    mine = Workflow.objects.filter(pk__in=granted(request.user, Workflow, ["start_run"]))
    workflows = mine.filter(is_active=True, current__isnull=False)
    return render(request, "start/choose.html", {"workflows": workflows})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def start(request: Request, name: str) -> HttpResponse:
    workflow = get_object_or_404(Workflow.objects.select_related("current"), name=name, current__isnull=False)
    if not may(request.user, "start", workflow):
        raise Http404
    definition = definition_of(workflow.current_id)
    form = StartForm(definition.input, request.POST or None, request.FILES or None)
    if request.method == "POST" and is_too_fast(request.user, ["run.started"], settings.SUBMISSIONS_PER_MINUTE):
        form.add_error(
            None,
            gettext("You have handed in %(SUBMISSIONS_PER_MINUTE)s within a minute: wait a moment.")
            % {"SUBMISSIONS_PER_MINUTE": settings.SUBMISSIONS_PER_MINUTE},
        )
    if request.method == "POST" and form.is_valid():
        runs, hand_in = started(request, workflow, form)
        if runs:
            return redirect("run", runs[0].pk) if len(form.uploads()) < 2 else redirect_to_progress(hand_in)
    context = {"workflow": workflow, "form": form, "description": definition.description}
    return render(request, "start/start.html", context, status=422 if form.errors else 200)


def redirect_to_progress(hand_in: UUID) -> HttpResponse:
    return redirect(reverse("runs") + f"?handed_in={hand_in}")


def started(request: Request, workflow: Workflow, form: StartForm) -> tuple[list[Run], UUID]:
    """The runs, a file each where several were handed in, and the id they have in common. A file that is not taken in
    is named and does not keep the others back; where nothing starts the objections stand at the form's fields."""
    runs: list[Run] = []
    refused: list[tuple[str, str]] = []
    hand_in, uploads = uuid4(), form.uploads()
    try:
        for number, files in enumerate(uploads, start=1):
            try:
                documents = stored(request, files)
            except _Refused as error:
                refused.append((error.field, str(error)))
                continue
            key = f"{hand_in}/{number}" if len(uploads) > 1 else ""
            run, _ = services.start_run(
                workflow=workflow.name, input=form.given(), documents=documents, key=key, actor=request.user
            )
            runs.append(run)
    except services.InputInvalid as wrong:
        explain(form, wrong)
    except services.UnknownWorkflow as gone:
        form.add_error(None, str(gone))
    report(request, form, runs, refused)
    return runs, hand_in


def report(request: Request, form: StartForm, runs: list[Run], refused: list[tuple[str, str]]) -> None:
    """Says what was not taken in: at the form while it stays open, else on the page that follows."""
    for field, why in refused:
        if runs:
            messages.warning(request, gettext("Not taken in: %(why)s.") % {"why": why})
        else:
            form.add_error(field, why)


class _Refused(Exception):
    """An upload that is not taken in, with the field it came by."""

    def __init__(self, field: str, why: str):
        super().__init__(why)
        self.field = field


def stored(request: Request, files: dict[str, UploadedFile]) -> dict[str, Document]:
    documents: dict[str, Document] = {}
    for field, upload in files.items():
        try:
            documents[field] = store_document(data=upload.read(), name=upload.name or "", actor=request.user)
        except DocumentRefused as refused:
            raise _Refused(field, f"{shown_name(upload.name or '')}: {refused}") from refused
    return documents
