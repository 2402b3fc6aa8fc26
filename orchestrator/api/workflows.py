"""Workflows: what may be started, and what a run takes."""

from typing import Any

from django.db.models import Q
from ninja import Router

from orchestrator.http import Request
from orchestrator.models import Workflow
from orchestrator.permissions import granted, is_auditor
from orchestrator.pinned import definition_of

from .shapes import WorkflowPage, refusals

router = Router(tags=["workflows"])


@router.get("", response={200: WorkflowPage} | refusals())
def list_workflows(request: Request) -> dict[str, Any]:
    """The workflows you may start or whose runs you may see, by name."""
    startable = granted(request.user, Workflow, ["start_run"])
    seen = Q() if is_auditor(request.user) else Q(pk__in=startable | granted(request.user, Workflow, ["view_runs"]))
    rows = Workflow.objects.filter(seen, is_active=True, current__isnull=False).select_related("current")
    return {"items": [shown(row, str(row.pk) in startable) for row in rows.order_by("name")], "next": None}


def shown(workflow: Workflow, may_start: bool) -> dict[str, Any]:
    return {
        "name": workflow.name,
        "title": workflow.title,
        "description": workflow.description,
        "version": workflow.current.number,
        "digest": workflow.current.digest,
        "input": definition_of(workflow.current_id).input,
        "may_start": may_start,
    }
