"""What can be done to runs, by whoever is named as actor: called alike by pages, API, admin, commands and tests."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jsonschema
from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from audit.log import database_now, person, record, record_many
from audit.rows import insert_rows, pipelined

from . import admission, dispatch, effects, endings, engine, statements, tasks
from .digests import digest
from .errors import Conflict, InputInvalid, KeyReused, SecondPersonNeeded, ServiceError, UnknownWorkflow
from .models import Document, Hold, Policy, Run, RunDocument, Workflow
from .pinned import definition_of
from .publishing import (
    propose_connection,
    propose_policy,
    propose_workflow,
    publish_connection,
    publish_policy,
    publish_workflow,
    save_policy,
    save_workflow,
    switch_off_connection,
)
from .resolving import resolve_incident
from .statements import Slot
from .unfit import unfit_for_schema

__all__ = [
    "Conflict",
    "InputInvalid",
    "KeyReused",
    "SecondPersonNeeded",
    "ServiceError",
    "UnknownWorkflow",
    "cancel_run",
    "propose_connection",
    "propose_policy",
    "propose_workflow",
    "publish_connection",
    "publish_policy",
    "publish_workflow",
    "pull_hold",
    "release_hold",
    "resolve_incident",
    "save_policy",
    "save_workflow",
    "start_run",
    "switch_off_connection",
]


def start_run(
    *,
    workflow: str,
    input: Mapping[str, Any],
    actor: AbstractBaseUser,
    documents: Mapping[str, Document] | Sequence[Document] = (),
    key: str = "",
    subject: str = "",
    deadline: datetime | None = None,
    priority: int = 0,
    parent: UUID | None = None,
    control: bool = False,
) -> tuple[Run, bool]:
    """Starts a run, or returns the one this key started before: (run, created). `documents` fill the document fields
    of the workflow's input, by name or in order; `subject` is what it is about until the workflow says so itself;
    `deadline` is when somebody wants it decided (default: as the workflow says); `priority` (0 to 3) lets its steps go
    ahead of others for a while; `parent` is the task that waits for its end; `control`: planted, its answer known, so
    that nothing of it leaves. Errors: UnknownWorkflow, InputInvalid, KeyReused."""
    found = next(iter(statements.look_up(_active, name=workflow)), None)
    if found is None or found.current_id is None:
        raise UnknownWorkflow(workflow)
    definition = definition_of(found.current_id)
    given, roles = with_documents(definition.input, dict(input), documents)
    validate_input(definition.input, given)
    request = digest([workflow, given, subject, sorted((role, str(d.pk)) for role, d in roles.items())])
    if key and (earlier := statements.look_up(_started, account=actor.pk, key=key)):
        return same_request(earlier[0], key, request), False
    policy = policy_in_force(definition.policies)
    try:
        with transaction.atomic():
            now = database_now()
            if deadline is None and definition.deadline_seconds:
                deadline = now + timedelta(seconds=definition.deadline_seconds)
            begins = admission.has_room(found, definition)
            run = Run(
                version_id=found.current_id,
                policy_version_id=policy,
                subject=(subject or next((document.name for document in roles.values()), ""))[:200],
                input=given,
                key=key,
                request_digest=request,
                started_by=actor,
                status=Run.Status.RUNNING if begins else Run.Status.PENDING,
                started_at=now,
                deadline=deadline,
                priority=min(max(priority, 0), tasks.MAX_PRIORITY),
                parent_id=parent,
                control=control or None,
            )
            steps = definition.first if begins else ()
            told = {"input": digest(given), "version": str(found.current_id)}
            started = endings.told_of(run, "run.started", person(actor), told)
            with pipelined():
                insert_rows([run])
                insert_rows([tasks.new_task(run.pk, step, now, run.round, run.priority) for step in steps])
                record_many([started], at=now)
            RunDocument.objects.bulk_create(RunDocument(run=run, document=d, role=role) for role, d in roles.items())
            dispatch.wake_on_commit()
    except IntegrityError:
        if not key:
            raise
        return same_request(Run.objects.get(started_by=actor, key=key), key, request), False
    return run, True


def _active(*, name: Slot) -> QuerySet:
    return Workflow.objects.filter(name=name, is_active=True, current__isnull=False).order_by()


def _started(*, account: Slot, key: Slot) -> QuerySet:
    return Run.objects.filter(started_by=account, key=key).order_by()


def same_request(earlier: Run, key: str, request: str) -> Run:
    if earlier.request_digest != request:
        raise KeyReused(key)
    return earlier


def policy_in_force(name: str) -> UUID | None:
    """The published version new runs are pinned to; None for a workflow without policies."""
    if not name:
        return None
    [(version,)] = statements.look_up(_policy, name=name)
    return version


def _policy(*, name: Slot) -> QuerySet:
    return Policy.objects.filter(name=name).order_by().values_list("current_id")


def document_fields(schema: Mapping[str, Any]) -> list[str]:
    """The input fields that take a document, in order."""
    return [name for name, part in schema.get("properties", {}).items() if part.get("format") == "document"]


def with_documents(
    schema: Mapping[str, Any], given: dict[str, Any], documents: Mapping[str, Document] | Sequence[Document]
) -> tuple[dict[str, Any], dict[str, Document]]:
    """The input with document ids in their fields, and which document plays which role; the rest are attached."""
    fields = [name for name in document_fields(schema) if name not in given]
    if isinstance(documents, Mapping):
        roles = dict(documents)
    else:
        roles = dict(zip(fields, documents, strict=False))
        roles |= {f"attachment-{n}": d for n, d in enumerate(documents[len(fields) :], start=1)}
    for name, document in roles.items():
        if name in schema.get("properties", {}):
            given[name] = str(document.pk)
    roles |= _named_documents([f for f in document_fields(schema) if f in given and f not in roles], given)
    return given, roles


def _named_documents(fields: Sequence[str], given: Mapping[str, Any]) -> dict[str, Document]:
    try:
        ids = {field: UUID(str(given[field])) for field in fields}
    except ValueError as error:
        raise InputInvalid(
            [("documents", gettext("%(error)s; expected the id of an uploaded document") % {"error": error})]
        ) from None
    found = {d.pk: d for d in Document.objects.filter(pk__in=ids.values())} if ids else {}
    missing = [(field, gettext("names no uploaded document")) for field, pk in ids.items() if pk not in found]
    if missing:
        raise InputInvalid(missing)
    return {field: found[pk] for field, pk in ids.items()}


def validate_input(schema: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    errors = [(_field_of(error), unfit_for_schema(error)) for error in validator.iter_errors(given)]
    if errors:
        raise InputInvalid(errors)


def _field_of(error: jsonschema.ValidationError) -> str:
    if error.validator == "required":
        missing = next((name for name in error.validator_value if name not in error.instance), "")
        return ".".join([*map(str, error.path), missing])
    return ".".join(map(str, error.path)) or "input"


@transaction.atomic
def cancel_run(*, run_id: UUID, actor: AbstractBaseUser, reason: str) -> Run:
    """Stops a run: what is open is cancelled, authorised effects are void. An effect already sent is waited for, what
    was confirmed is taken back; until then the run is `cancelling`."""
    [run] = engine.lock_runs([run_id])
    if run.status in Run.ENDED or run.status == Run.Status.CANCELLING:
        raise Conflict(
            gettext("it is too late to cancel: the run is %(status)s") % {"status": run.get_status_display()}
        )
    endings.end(run, Run.Status.CANCELLED, outcome=reason or "cancelled", actor=person(actor), now=database_now())
    run.refresh_from_db()
    return run


@transaction.atomic
def pull_hold(*, scope: str, value: str, reason: str, actor: AbstractBaseUser) -> Hold:
    """Stops effects at once; what is already in flight is waited for. Pulling the same hold twice is refused."""
    errors = []
    if scope not in Hold.Scope.values:
        errors.append(
            (
                "scope",
                gettext("is %(value)r; expected one of %(known)s")
                % {"value": scope, "known": ", ".join(Hold.Scope.values)},
            )
        )
    if scope != Hold.Scope.ALL and not value:
        errors.append(("value", gettext("is empty; name the %(scope)s") % {"scope": scope}))
    if not reason.strip():
        errors.append(("reason", gettext("is empty; say why")))
    if errors:
        raise InputInvalid(errors)
    effects.stand_still(alone=True)
    try:
        with transaction.atomic():
            hold = Hold.objects.create(
                scope=scope, value="" if scope == Hold.Scope.ALL else value, reason=reason[:300], pulled_by=actor
            )
    except IntegrityError:
        raise Conflict(gettext("this hold is already in force")) from None
    record(
        "hold.pulled",
        subject=("hold", hold.pk),
        actor=person(actor),
        data={"scope": scope, "value": value, "reason": reason},
    )
    return hold


@transaction.atomic
def release_hold(*, hold_id: UUID, actor: AbstractBaseUser) -> Hold:
    """Effects go on. It takes two people: whoever pulled a hold does not release it. Errors: Conflict,
    SecondPersonNeeded."""
    in_force = Hold.objects.filter(pk=hold_id, released_at__isnull=True)
    if in_force.filter(pulled_by=actor).exists():
        raise SecondPersonNeeded(gettext("You stopped these effects; somebody else has to let them go on"))
    if not in_force.update(released_at=database_now(), released_by=actor):
        raise Conflict(gettext("this hold is no longer in force"))
    record("hold.released", subject=("hold", hold_id), actor=person(actor))
    dispatch.wake_on_commit()
    return Hold.objects.get(pk=hold_id)
