"""After the database was set back to an earlier state the outside may have booked what is not known here any more.

Nothing is sent until two people have looked: everything is held, and a run of which the outside knows more than we do
gets an incident. Keys are derived from run, step and round, so what was authorised after the backup has the key that it
will get again.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from audit.log import database_now

from . import engine, services
from .connectors.actions import connector_for
from .connectors.base import Confirmed, InDoubt, Refused, Sent
from .definitions import Step
from .effects import effect_key, sent_of
from .endings import open_incident
from .models import Effect, Hold, Run
from .pinned import definition_of

REASON = "the database was restored from a backup"
KIND = "restored"
PREFIX = "countersign-"
Statement = Mapping[str, Mapping[str, Any]]  # what the outside says it booked, by key


@dataclass(slots=True)
class Found:
    """How many keys were asked for, runs that wait for an operator now, and bookings of which nothing is known here."""

    asked: int = 0
    incidents: list[UUID] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


def after_restore(*, actor: AbstractBaseUser, statement: Statement | None = None) -> Found:
    """Holds every effect and compares what is open here with the outside: with its statement where there is one, else
    by asking for each key."""
    with suppress(services.Conflict):  # it is held already
        services.pull_hold(scope=Hold.Scope.ALL, value="", reason=REASON, actor=actor)
    found, ours = Found(), set(Effect.objects.values_list("key", flat=True))
    for run_id in Run.objects.exclude(status__in=Run.ENDED).order_by("pk").values_list("pk", flat=True):
        ours |= _compare(run_id, statement, found)
    found.strangers = sorted(key for key in statement or () if key.startswith(PREFIX) and key not in ours)
    return found


def _compare(run_id: UUID, statement: Statement | None, found: Found) -> set[str]:
    run = Run.objects.get(pk=run_id)
    keys, news = set(), []
    for sent, klass in _not_sent_here(run):
        keys.add(sent.key)
        found.asked += 1
        if told := _what_the_outside_says(sent, klass, statement):
            news.append(f"{sent.kind}: {told}")
    if news:
        _hold_for_an_operator(run_id, news)
        found.incidents.append(run_id)
    return keys


def _not_sent_here(run: Run) -> Iterator[tuple[Sent, str]]:
    """Effects that were not sent as far as we know, and those that the run may yet have."""
    live = {effect.step: effect for effect in run.effects.exclude(state__in=Effect.DEAD)}
    for step in definition_of(run.version_id).steps.values():
        if step.kind == "effect" and step.name not in live:
            yield _to_come(run, step), connector_for(step.target).klass
    for effect in live.values():
        if effect.state == Effect.State.AUTHORISED:
            yield sent_of(effect), effect.klass


def _to_come(run: Run, step: Step) -> Sent:
    round_ = run.effects.filter(step=step.name).count() + 1
    return Sent(effect_key(run.pk, step.name, round_, step.target), step.target, "", {}, "")


def _what_the_outside_says(sent: Sent, klass: str, statement: Statement | None) -> str:
    """Nothing where it has not booked it."""
    if statement is not None:
        return f"the outside has booked it as {statement[sent.key].get('ref')}" if sent.key in statement else ""
    if klass == Effect.Klass.NEITHER:
        return "whether the outside has booked it cannot be asked"
    match connector_for(sent.kind).find(sent):
        case Confirmed(ref):
            return f"the outside has booked it as {ref}"
        case Refused():  # it has this key; what was sent under it is not known here
            return "the outside has booked it"
        case InDoubt(reason):
            return reason
    return ""


@transaction.atomic
def _hold_for_an_operator(run_id: UUID, news: list[str]) -> None:
    [run] = engine.lock_runs([run_id])
    if run.status not in Run.ENDED and not run.incidents.filter(kind=KIND, resolved_at=None).exists():
        open_incident(run, kind=KIND, detail=f"{REASON}. {'; '.join(news)}", now=database_now())
