"""How a run pauses, goes on and ends. Callers hold the run's lock."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction

from audit.log import SYSTEM, Actor, Entry, record_entry

from . import admission, compensation, tasks, transitions
from .case import Case
from .definitions import Definition, render
from .models import Effect, Incident, Run, Task
from .pinned import definition_of

LIVE = (Run.Status.PENDING, Run.Status.RUNNING, Run.Status.WAITING, Run.Status.SUSPENDED, Run.Status.CANCELLING)
DONE = "done"
SENT = (Effect.State.IN_FLIGHT, Effect.State.UNKNOWN)


def told(run: Run, kind: str, actor: Actor, /, **data: object) -> None:
    """The event of a run's change."""
    record_entry(told_of(run, kind, actor, data))


def told_of(run: Run, kind: str, actor: Actor, data: Mapping[str, object]) -> Entry:
    key = str(run.pk)
    return Entry(kind, ("run", key), actor, key, definition_of(run.version_id).name, "", data)


def name(run_id: UUID, definition: Definition, case: Case) -> None:
    """Writes what the run is about, as far as its data says so by now: subject and business key."""
    templates = {"subject": definition.subject, "business_key": definition.business_key}
    data = case.as_json()
    names = {field: render(template, data) for field, template in templates.items() if template}
    if known := {field: text[:200] for field, text in names.items() if text}:
        Run.objects.filter(pk=run_id).update(**known)


def end(run: Run, status: str, *, outcome: str, actor: Actor = SYSTEM, now: datetime) -> bool:
    """Ends the run: what is open is cancelled, what is authorised is void. Unless it succeeded, an effect already sent
    is waited for and what was confirmed is taken back first (it is `cancelling` until then). False: it had ended."""
    rows = list(run.tasks.all())
    tasks.clear([t for t in rows if t.status in Task.OPEN], now)
    void_authorised(run, now, why=outcome)
    if status != Run.Status.SUCCEEDED and (run.effects.filter(state__in=SENT).exists() or compensation.owed(run)):
        return _undo_first(run, outcome=outcome, actor=actor, now=now)
    if not transitions.move_runs(
        [run.pk], _sources(status), status, outcome=outcome[:300], ended_at=now, resumes_to=""
    ):
        return False
    run.status = status
    told(run, f"run.{status}", actor, outcome=outcome)
    admission.admit_soon([definition_of(run.version_id)])
    if run.parent_id is not None:
        transaction.on_commit(partial(_wake_parent, run.parent_id))
    return True


def resume_all(run_ids: Collection[UUID]) -> None:
    """Runs that waited go on: as go_on(), without its events and without opening steps."""
    transitions.move_runs(run_ids, [Run.Status.WAITING], Run.Status.RUNNING, resumes_to="")


def end_all(run_ids: Collection[UUID], definitions: Collection[Definition], *, now: datetime) -> None:
    """Ends runs that have succeeded and have neither an open task nor effects: as end(), without its events."""
    done = {"outcome": DONE, "ended_at": now, "resumes_to": ""}
    transitions.move_runs(run_ids, [Run.Status.RUNNING], Run.Status.SUCCEEDED, **done)
    admission.admit_soon(definitions)


def _wake_parent(task_id: UUID) -> None:
    """In a transaction of its own: the parent's lock comes before the child's."""
    from .family import wake_parent

    wake_parent(task_id)


def _undo_first(run: Run, *, outcome: str, actor: Actor, now: datetime) -> bool:
    if not transitions.move_runs([run.pk], LIVE[:4], Run.Status.CANCELLING, outcome=outcome[:300], resumes_to=""):
        return False
    run.status, run.outcome = Run.Status.CANCELLING, outcome[:300]
    told(run, "run.cancel_requested", actor, outcome=outcome)
    settle(run, case=None, now=now)
    return True


def _sources(target: str) -> list[str]:
    return [source for source, targets in transitions.RUN.items() if target in targets]


def void_authorised(run: Run, now: datetime, *, why: str) -> None:
    for effect in run.effects.filter(state=Effect.State.AUTHORISED):
        moved = transitions.move_effects(
            [effect.pk], [Effect.State.AUTHORISED], Effect.State.VOID, ended_at=now, error=why[:500]
        )
        if moved:
            told(run, "effect.voided", SYSTEM, effect=effect.key, why=why)


def suspend(run: Run, *, why: str, now: datetime, actor: Actor = SYSTEM) -> None:
    """Holds every branch; what is being worked on is recorded, but nothing follows it."""
    back = Run.Status.CANCELLING if run.status == Run.Status.CANCELLING else Run.Status.RUNNING
    going = (Run.Status.RUNNING, Run.Status.WAITING, Run.Status.CANCELLING)
    if transitions.move_runs([run.pk], going, Run.Status.SUSPENDED, resumes_to=back):
        run.resumes_to = back
        run.status = Run.Status.SUSPENDED
        tasks.park(run, now)
        admission.admit_soon([definition_of(run.version_id)])
        told(run, "run.suspended", actor, why=why)


def go_on(run: Run, *, now: datetime, actor: Actor = SYSTEM) -> None:
    """A waiting or suspended run runs again, unless an incident still holds it; steps that are due are opened."""
    if run.status == Run.Status.SUSPENDED and run.incidents.filter(resolved_at__isnull=True).exists():
        return
    back = run.resumes_to or Run.Status.RUNNING
    if transitions.move_runs([run.pk], (Run.Status.WAITING, Run.Status.SUSPENDED), back, resumes_to=""):
        run.status, run.resumes_to = back, ""
        told(run, "run.resumed", actor)
    if run.status == Run.Status.RUNNING:
        tasks.open_due(run, now=now)


def settle(run: Run, *, case: Case | None, now: datetime) -> None:
    """Called when a result left the run with nothing obvious to do: it waits for a person, or it has ended."""
    if case is not None:
        name(run.pk, definition_of(run.version_id), case)
    open_rows = [t for t in run.tasks.all() if t.status in Task.OPEN]
    if run.status == Run.Status.CANCELLING and not open_rows:
        if not compensation.open_next(run, now):
            end(run, Run.Status.CANCELLED, outcome=run.outcome, now=now)
    elif not open_rows and run.status in (Run.Status.RUNNING, Run.Status.WAITING):
        end(run, Run.Status.SUCCEEDED, outcome=DONE, now=now)
    elif run.status == Run.Status.RUNNING and all(t.status == Task.Status.WAITING for t in open_rows):
        transitions.move_runs([run.pk], [Run.Status.RUNNING], Run.Status.WAITING)
        admission.admit_soon([definition_of(run.version_id)])
        told(run, "run.waiting", SYSTEM, steps=[t.step for t in open_rows])


def open_incident(
    run: Run, *, kind: str, detail: str, now: datetime, task_id: object = None, effect: Effect | None = None
) -> Incident:
    """What needs an operator. The run is held until somebody resolves it with a reason."""
    if effect is None and task_id is not None:
        effect = Effect.objects.filter(task_id=task_id).order_by("authorised_at", "id").last()
    incident = Incident.objects.create(
        run=run, task_id=task_id, effect=effect, kind=kind, detail=detail[:500], opened_at=now
    )
    told(run, "incident.opened", SYSTEM, incident=str(incident.pk), kind=kind, detail=detail[:500])
    suspend(run, why=detail, now=now)
    return incident
