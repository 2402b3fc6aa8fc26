"""Runs: started, listed, looked at and cancelled."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from ninja import Header, Query, Router, Status

from orchestrator import services
from orchestrator.http import Request
from orchestrator.models import Document, Run, Workflow
from orchestrator.models.run import RunStatus
from orchestrator.pacing import RETRY_SECONDS, is_too_fast
from orchestrator.permissions import get_visible_or_404, may, visible, visible_runs
from orchestrator.pinned import definition_of
from orchestrator.run_document import run_document_for, run_summary

from .errors import ApiError
from .paging import PAGE, Cursor, Limit, page
from .shapes import CancelRun, RunPage, RunShape, StartRun, refusals

router = Router(tags=["runs"])
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=200, pattern=r"^[\x21-\x7e]*$")]
ROWS = ("version__workflow", "started_by")


@router.post("", response={201: RunShape, 200: RunShape} | refusals(400, 404, 413, 415, 422, 429))
def start_run(request: Request, response: HttpResponse, body: StartRun, key: Key = "") -> Status[Any]:
    """Starts a run. The same `Idempotency-Key` with the same body gives the same run (200); with another body, 422."""
    keep_pace(request.user)
    workflow = get_startable(request.user, body.workflow)
    documents = get_documents(request.user, body.documents)
    named = named_documents(definition_of(workflow.current_id).input, body.input)
    get_documents(request.user, named)
    run, created = services.start_run(
        workflow=workflow.name,
        input=body.input,
        subject=body.subject,
        documents=documents,
        key=key,
        actor=request.user,
    )
    response["Location"] = reverse("api-1:get_run", args=[run.pk])
    return Status(201 if created else 200, run_document_for(request.user, get_run_row(request.user, run.pk)))


def keep_pace(user: Any) -> None:
    most = settings.SUBMISSIONS_PER_MINUTE
    if is_too_fast(user, ["run.started"], most):
        raise ApiError(
            429,
            gettext("You have started %(most)s runs within a minute. Send this again in %(seconds)s seconds.")
            % {"most": most, "seconds": RETRY_SECONDS},
        )


def get_startable(user: Any, name: str) -> Workflow:
    """The workflow, if this person may start it; Http404 otherwise, as for one that does not exist."""
    workflow = Workflow.objects.filter(name=name, is_active=True, current__isnull=False).first()
    if workflow is None or not may(user, "start", workflow):
        raise Http404
    return workflow


def get_documents(user: Any, ids: Collection[UUID]) -> list[Document]:
    """The documents in this order; Http404 if one does not exist or is not theirs to see."""
    rows = visible(Document.objects.all(), user).filter(pk__in=ids).in_bulk()
    if missing := [pk for pk in ids if pk not in rows]:
        raise Http404(f"no document {missing[0]}")
    return [rows[pk] for pk in ids]


def named_documents(schema: Mapping[str, Any], given: dict[str, Any]) -> list[UUID]:
    """The documents that the input itself names. What is no id is left to the service, which says so by field."""
    found = []
    for name in services.document_fields(schema):
        try:
            found.append(UUID(str(given[name])))
        except (KeyError, ValueError):
            continue
    return found


@router.get("", response={200: RunPage} | refusals(422))
def list_runs(
    request: Request,
    status: Annotated[RunStatus | None, Query(description="Runs in this status.")] = None,
    workflow: Annotated[str, Query(max_length=60)] = "",
    subject: Annotated[str, Query(max_length=200, description="Runs about exactly this.")] = "",
    cursor: Cursor = "",
    limit: Limit = PAGE,
) -> dict[str, Any]:
    """The runs you may see, newest first."""
    wanted = {"status": status, "version__workflow__name": workflow, "subject": subject}
    rows = visible_runs(request.user).filter(**{field: value for field, value in wanted.items() if value})
    return page(rows.select_related(*ROWS), run_summary, by="started_at", cursor=cursor, limit=limit)


def get_run_row(user: Any, run_id: UUID) -> Run:
    rows: QuerySet[Run] = Run.objects.select_related(*ROWS)
    return get_visible_or_404(rows, user, pk=run_id)


@router.get("/{uuid:run_id}", response={200: RunShape} | refusals(404), url_name="get_run")
def get_run(request: Request, run_id: UUID) -> dict[str, Any]:
    """The run document."""
    return run_document_for(request.user, get_run_row(request.user, run_id))


@router.post("/{uuid:run_id}/cancel", response={200: RunShape} | refusals(400, 403, 404, 409, 415, 422))
def cancel_run(request: Request, run_id: UUID, body: CancelRun | None = None) -> dict[str, Any]:
    """Stops a run. An effect that was already sent is waited for: the run is `cancelling` until then."""
    run = get_run_row(request.user, run_id)
    if not may(request.user, "cancel", run):
        raise ApiError(403, gettext("Only whoever started this run, or an operator, may cancel it."))
    services.cancel_run(run_id=run.pk, actor=request.user, reason=body.reason if body else "")
    return run_document_for(request.user, get_run_row(request.user, run_id))
