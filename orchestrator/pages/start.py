"""Start a run by form. The form is made from the workflow's input schema; the service checks it again."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from orchestrator import services
from orchestrator.documents.store import DocumentRefused, store_document
from orchestrator.forms import StartForm
from orchestrator.http import Request
from orchestrator.models import Document, Run, Workflow
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
    if request.method == "POST" and form.is_valid():
        run = started(request, workflow, form)
        if run is not None:
            return redirect("run", run.pk)
    context = {"workflow": workflow, "form": form, "description": definition.description}
    return render(request, "start/start.html", context, status=422 if form.errors else 200)


def started(request: Request, workflow: Workflow, form: StartForm) -> Run | None:
    """The run, or None with the objections at the form's fields."""
    try:
        documents = stored(request, form)
        run, _ = services.start_run(workflow=workflow.name, input=form.given(), documents=documents, actor=request.user)
        return run
    except services.InputInvalid as wrong:
        explain(form, wrong)
    except services.UnknownWorkflow as gone:
        form.add_error(None, str(gone))
    except _Refused as refused:
        form.add_error(refused.field, str(refused))
    return None


class _Refused(Exception):
    """An upload that is not taken in, with the field it came by."""

    def __init__(self, field: str, why: str):
        super().__init__(why)
        self.field = field


def stored(request: Request, form: StartForm) -> dict[str, Document]:
    documents: dict[str, Document] = {}
    for field, upload in form.uploads().items():
        try:
            documents[field] = store_document(data=upload.read(), name=upload.name, actor=request.user)
        except DocumentRefused as refused:
            raise _Refused(field, str(refused)) from refused
    return documents
