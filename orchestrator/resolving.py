"""Incidents, and how a person settles them with a reason. What may be chosen depends on what is known of the effect."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext

from audit.ids import uuid7
from audit.log import database_now, person

from . import dispatch, effects, endings, engine, transitions
from .case import load_cases
from .definitions import TAKES_BACK
from .digests import digest
from .errors import Conflict, InputInvalid
from .models import Decision, Effect, Incident, Run, Task
from .pinned import definition_of

BUDGET = "budget"
RESTORED, RESTORED_APART = "restored", "restored-apart"  # the outside has booked what a restored database forgot
STEP = {"retry": Task.Status.READY, "skip": Task.Status.SKIPPED, "fail": Task.Status.FAILED}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a person decided about an incident."""

    incident: Incident
    choice: str
    ref: str
    reason: str
    actor: AbstractBaseUser


def choices_for(incident: Incident) -> tuple[str, ...]:
    """What may be chosen. An effect in doubt must be cleared up first: confirmed (with the outside's reference), failed
    (it did not happen), or, where the outside recognises our key, tried again. Skipping the taking back of an effect
    waives it."""
    effect = incident.effect
    if effect is not None and effect.state == Effect.State.UNKNOWN:
        return ("confirmed", "failed", "retry") if effect.klass in Effect.REPEATABLE else ("confirmed", "failed")
    if incident.task is not None and definition_of(incident.run.version_id).step(incident.task.step).undoes:
        return ("retry", "skip")
    if incident.kind == BUDGET and incident.task is None:
        return ("retry", "fail")  # every step that was begun is done: there is none to skip
    if incident.kind == RESTORED_APART:
        return ("fail",)  # going on would send it under another key, or leave standing what was taken back
    if incident.kind == RESTORED:
        return ("retry", "fail")
    return tuple(STEP)


@transaction.atomic
def resolve_incident(
    *, incident_id: UUID, resolution: str, reason: str, actor: AbstractBaseUser, ref: str = ""
) -> Incident:
    """Closes an incident with a reason; `choices_for` says what may be chosen, `ref` is what the outside calls an
    effect that is declared confirmed. Errors: InputInvalid, Conflict."""
    [run] = engine.lock_runs(Incident.objects.filter(pk=incident_id).values_list("run_id", flat=True))
    incident = Incident.objects.select_related("task", "effect", "run").get(pk=incident_id)
    if incident.resolved_at is not None:
        raise Conflict(gettext("the incident was already resolved"))
    chosen = Resolution(incident, resolution, ref.strip(), reason.strip(), actor)
    if errors := _objections(run, chosen):
        raise InputInvalid(errors)
    now = database_now()
    Incident.objects.filter(pk=incident_id, resolved_at__isnull=True).update(
        resolved_at=now, resolved_by=actor, resolution=resolution, reason=reason[:500]
    )
    told = {"incident": str(incident.pk), "resolution": resolution, "reason": reason}
    endings.told(run, "incident.resolved", person(actor), **told)
    _apply(run, chosen, now)
    dispatch.wake_on_commit()
    incident.refresh_from_db()
    return incident


def _objections(run: Run, chosen: Resolution) -> list[tuple[str, str]]:
    errors, choices = [], choices_for(chosen.incident)
    if chosen.choice not in choices:
        errors.append(
            (
                "resolution",
                gettext("is %(value)r; expected one of %(known)s")
                % {"value": chosen.choice, "known": ", ".join(choices)},
            )
        )
    if not chosen.reason:
        errors.append(("reason", gettext("is empty; say why")))
    if chosen.choice == "confirmed" and not chosen.ref:
        errors.append(("ref", gettext("is empty; give the reference under which the outside knows it")))
    if chosen.choice in ("confirmed", "failed") and run.started_by_id == chosen.actor.pk:
        errors.append(("actor", gettext("started this run; somebody else has to say what became of its effect")))
    return errors


def _apply(run: Run, chosen: Resolution, now: datetime) -> None:
    if run.status in Run.ENDED:
        return
    if chosen.choice == "confirmed":
        _confirm(run, chosen, now)
    elif chosen.choice == "failed":
        _declare_failed(run, chosen, now)
    elif chosen.incident.task_id:
        _move(chosen, STEP[chosen.choice], now)
    if chosen.incident.kind == BUDGET:
        Run.objects.filter(pk=run.pk).update(spent=None)  # a person lets it spend as much again
    if chosen.choice == "fail":
        endings.end(run, Run.Status.FAILED, outcome=chosen.reason, actor=person(chosen.actor), now=now)
        return
    endings.go_on(run, now=now, actor=person(chosen.actor))
    endings.settle(run, case=None, now=now)


def _move(chosen: Resolution, status: str, now: datetime) -> None:
    values = {"ready_at": now, "attempts": 0, "deaths": 0} if status == Task.Status.READY else {"ended_at": now}
    transitions.move_tasks([chosen.incident.task_id], [Task.Status.INCIDENT], status, **values)


def _confirm(run: Run, chosen: Resolution, now: datetime) -> None:
    """It did happen: the run goes on as if the outside had said so, and the decision carries the person's name."""
    effect = chosen.incident.effect
    moved = transitions.move_effects(
        [effect.pk], [Effect.State.UNKNOWN], Effect.State.CONFIRMED, ref=chosen.ref[:200], ended_at=now
    )
    if not moved:
        raise Conflict(gettext("somebody else has cleared up this effect"))
    effects.mark_taken_back(effect, now)
    effects.remember(effect, load_cases({run.pk: run.input})[run.pk])
    output = effects.output_of(effect, chosen.ref)
    decision = Decision.objects.create(
        id=uuid7(),
        run=run,
        task_id=chosen.incident.task_id,
        step=effect.step,
        round=run.round,
        actor_kind=Decision.ActorKind.PERSON,
        actor=person(chosen.actor).label[:120],
        person=chosen.actor,
        verdict="confirmed",
        rationale=chosen.reason,
        output=output,
        based_on=digest(output),
        made_at=now,
    )
    told = {"effect": effect.key, "ref": chosen.ref, "decision": str(decision.pk)}
    endings.told(run, "effect.confirmed", person(chosen.actor), **told)
    goes_on = definition_of(run.version_id).step(effect.step).target == TAKES_BACK  # it may have other parts to do
    _move(chosen, Task.Status.READY if goes_on else Task.Status.SUCCEEDED, now)


def _declare_failed(run: Run, chosen: Resolution, now: datetime) -> None:
    """It did not happen. What should have been taken back is tried under a new key; another run fails."""
    effect = chosen.incident.effect
    if not transitions.move_effects([effect.pk], [Effect.State.UNKNOWN], Effect.State.FAILED, ended_at=now):
        raise Conflict(gettext("somebody else has cleared up this effect"))
    endings.told(run, "effect.failed", person(chosen.actor), effect=effect.key, why=chosen.reason)
    if definition_of(run.version_id).step(effect.step).undoes:
        _move(chosen, Task.Status.READY, now)
    else:
        _move(chosen, Task.Status.FAILED, now)
        endings.end(run, Run.Status.FAILED, outcome=chosen.reason, actor=person(chosen.actor), now=now)
