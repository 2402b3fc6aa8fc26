"""The run document: everything about one run as plain data, the same for the API and for `show_run`."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from audit.canonical import iso_utc

from .agents import registry
from .case import Case, load_cases
from .models import Decision, Document, Effect, Run, RunDocument, Task
from .pinned import definition_of

RunPart = Callable[[Run], Any]


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC."""
    return iso_utc(at) if at else None


def run_summary(run: Run) -> dict[str, Any]:
    """A run as lists show it. Select version__workflow and started_by with it."""
    return {
        "id": str(run.pk),
        "workflow": run.version.workflow.name,
        "version": run.version.number,
        "status": run.status,
        "outcome": run.outcome,
        "subject": run.subject,
        "started_by": run.started_by.get_username(),
        "started_at": moment(run.started_at),
        "ended_at": moment(run.ended_at),
        "deadline": moment(run.deadline),
    }


def kept_back(user: Any, run: Run) -> Collection[str]:
    """Names in the data of a run that this person may not see yet (settings.KEPT_BACK)."""
    return import_string(settings.KEPT_BACK)(user, run)


def without(value: Any, names: Collection[str]) -> Any:
    """Plain data with nothing under these names, however deep."""
    if not names:
        return value
    if isinstance(value, Mapping):
        return {name: without(inner, names) for name, inner in value.items() if name not in names}
    return [without(inner, names) for inner in value] if isinstance(value, list) else value


def run_document_for(user: Any, run: Run) -> dict[str, Any]:
    """The run document as this person may have it."""
    return without(run_document(run), kept_back(user, run))


def run_document(run: Run) -> dict[str, Any]:
    """Everything about one run. `data` is the case as it stands: the steps' outputs with people's corrections;
    a task's `output` is what the step itself gave."""
    case = load_cases({run.pk: run.input})[run.pk]
    decisions = list(run.decisions.select_related("policy_version__policy"))
    effects = list(run.effects.order_by("authorised_at", "pk"))
    attached = RunDocument.objects.filter(run=run).select_related("document").order_by("pk")
    return {
        **run_summary(run),
        "input": run.input,
        "data": case.data,
        "cost": {"amount": str(sum((d.cost for d in decisions), Decimal(0))), "currency": settings.BASE_CURRENCY},
        "documents": [{**document_part(row.document), "role": row.role} for row in attached],
        "tasks": tasks_of(run, case, decisions, effects),
        "decisions": [decision_part(row) for row in decisions],
        "effects": [effect_part(row) for row in effects],
        **{name: part(run) for name, part in further_parts().items()},
    }


def further_parts() -> Mapping[str, RunPart]:
    """What the apps above add: {name: function of a run}, from settings.RUN_DOCUMENT_PARTS."""
    return {name: import_string(path) for name, path in settings.RUN_DOCUMENT_PARTS.items()}


def document_part(document: Document) -> dict[str, Any]:
    return {
        "id": str(document.pk),
        "sha256": document.sha256,
        "media_type": document.media_type,
        "pages": document.pages,
        "name": document.name,
    }


def tasks_of(run: Run, case: Case, decisions: Iterable[Decision], effects: Iterable[Effect]) -> list[dict[str, Any]]:
    """The tasks in the order of the definition, with what each was given and what it last answered."""
    rows = {task.step: task for task in run.tasks.all()}
    last = {d.task_id: d for d in decisions if d.actor_kind != Decision.ActorKind.POLICY and d.verdict != "recall"}
    payloads = {effect.step: effect.payload for effect in effects}
    order = [step for step in definition_of(run.version_id).steps if step in rows]
    return [task_part(rows[step], case, last.get(rows[step].pk), payloads.get(step)) for step in order]


def task_part(task: Task, case: Case, decision: Decision | None, payload: Any) -> dict[str, Any]:
    by_agent = decision is not None and decision.actor_kind == Decision.ActorKind.AGENT
    return {
        "id": str(task.pk),
        "step": task.step,
        "kind": task.kind,
        "status": task.status,
        "round": task.round,
        "attempts": task.attempts,
        "agent": decision.actor if by_agent else None,
        "confidence": decision.confidence if decision else None,
        "input": given_to(task, case) if task.kind == "agent" else payload,
        "output": decision.output if decision else None,
        "error": task.error,
        "started_at": moment(task.started_at),
        "ended_at": moment(task.ended_at),
    }


def given_to(task: Task, case: Case) -> dict[str, Any] | None:
    """What the step's agent takes of the case, as the case stands; None where the agent is no longer installed."""
    step = definition_of(task.run.version_id).step(task.step)
    agent = registry.all_agents().get(step.target)
    if agent is None:
        return None
    data, names = case.as_json(), dict(step.config.get("with", {}))
    wanted = {field: names.get(field, field) for field in agent.input_model.model_fields}
    return {field: data[name] for field, name in wanted.items() if name in data}


def decision_part(decision: Decision) -> dict[str, Any]:
    return {
        "id": str(decision.pk),
        "task": str(decision.task_id),
        "step": decision.step,
        "round": decision.round,
        "actor": decision.actor,
        "actor_kind": decision.actor_kind,
        "actor_version": decision.actor_version,
        "verdict": decision.verdict,
        "confidence": decision.confidence,
        "rationale": decision.rationale,
        "evidence": decision.evidence,
        "corrections": decision.corrections,
        "policy": policy_part(decision),
        "based_on": decision.based_on,
        "at": moment(decision.made_at),
    }


def policy_part(decision: Decision) -> dict[str, Any] | None:
    """Which policy judged, and what each of its rules did; None for whoever else decided."""
    version = decision.policy_version
    if version is None:
        return None
    return {"name": version.policy.name, "version": version.number, "rules": decision.trace.get("trace", [])}


def effect_part(effect: Effect) -> dict[str, Any]:
    return {
        "step": effect.step,
        "kind": effect.kind,
        "key": effect.key,
        "business_key": effect.business_key,
        "state": effect.state,
        "payload_digest": effect.payload_digest,
        "ref": effect.ref,
        "authorised_at": moment(effect.authorised_at),
        "ended_at": moment(effect.ended_at),
    }
