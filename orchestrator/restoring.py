"""After the database was set back to an earlier state the outside may have booked what is not known here any more.

Nothing is sent until two people have looked: everything is held, and a run of which the outside knows more than we do
gets an incident. Keys are derived from run, step and round, so what was authorised after the backup has the key that it
will get again; and what is booked under a business key is never sent for it under another key.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from audit.log import database_now, person, record

from . import engine, services
from .case import load_cases
from .connectors.actions import connector_for
from .connectors.base import Confirmed, InDoubt, Refused, Sent
from .definitions import Step
from .effects import effect_key, normalised, propose_one, sent_of
from .endings import open_incident
from .models import Booked, Effect, Hold, Run
from .pinned import definition_of
from .resolving import RESTORED, RESTORED_APART
from .taking_back import parts_of

REASON = "the database was restored from a backup"
PREFIX = "countersign-"
AHEAD = 5  # what was authorised, recalled and authorised anew had another key each time: so many are asked for
GO_ON = "Going on repeats it under the same key, so approve it again; a rejection would not take it back."
Statement = Mapping[str, Mapping[str, Any]]  # what the outside says it booked, by key


@dataclass(slots=True)
class Found:
    """How many effects were compared, runs that wait for an operator now, what the outside has booked for them, and
    bookings of which nothing is known here."""

    asked: int = 0
    incidents: list[UUID] = field(default_factory=list)
    booked: list[dict[str, str]] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Unsent:
    """An effect that was not sent as far as we know: with the key it gets next, and those it may have had since."""

    step: Step
    klass: str
    sent: list[Sent]


@dataclass(frozen=True, slots=True)
class Told:
    """What the outside says of one key. `again`: going on is safe, for that very key is what the run would send."""

    words: str
    again: bool
    booking: dict[str, str] | None = None


def after_restore(*, actor: AbstractBaseUser, statement: Statement | None = None) -> Found:
    """Holds every effect and compares what is open here with the outside: with its statement where there is one, else
    by asking for each key."""
    with suppress(services.Conflict):  # it is held already
        services.pull_hold(scope=Hold.Scope.ALL, value="", reason=REASON, actor=actor)
    found, ours = Found(), set(Effect.objects.values_list("key", flat=True))
    for run_id in Run.objects.exclude(status__in=Run.ENDED).order_by("pk").values_list("pk", flat=True):
        ours |= _compare(run_id, statement, found)
    found.strangers = sorted(key for key in statement or () if key.startswith(PREFIX) and key not in ours)
    for key in found.strangers:
        row = (statement or {})[key]
        _keep(key, str(row.get("kind", "")), str(row.get("business_key", "")), str(row.get("ref", "")))
    _tell(found, actor)
    return found


@transaction.atomic
def _tell(found: Found, actor: AbstractBaseUser) -> None:
    """The trail says where it has a gap, and what of the lost time is known from outside."""
    told = {"compared": found.asked, "booked": found.booked, "strangers": found.strangers}
    record("database.restored", subject=("database", "default"), actor=person(actor), data=told)


def _compare(run_id: UUID, statement: Statement | None, found: Found) -> set[str]:
    """Returns the keys that are, or may be, this run's."""
    run, keys, news = Run.objects.get(pk=run_id), set(), []
    for step, sent_here in _effects_of(run):
        told = []
        if (unsent := _unsent(run, step)) is not None:
            found.asked += not step.undoes
            keys |= {sent.key for sent in unsent.sent}
            told = list(_what_the_outside_says(unsent, statement, stands=_stands(run, step)))
            for booking in filter(None, (one.booking for one in told)):
                found.booked.append({"run": str(run_id), **booking})
                _keep(booking["key"], step.target, _business_key(run, unsent), booking["ref"])
        sent_here.append(unsent is None or bool(told))
        news += told
    if news:
        _hold_for_an_operator(run_id, news)
        found.incidents.append(run_id)
    return keys


def _effects_of(run: Run) -> Iterator[tuple[Step, list[bool]]]:
    """The steps that send something, each with where to note whether it was sent, as far as anybody knows: only then
    it may have been taken back as well."""
    definition = definition_of(run.version_id)
    for step in definition.steps.values():
        for part in parts_of(run, step) if step.kind == "effect" else ():
            sent: list[bool] = []
            yield part, sent
            undo = definition.undo_of(part.name)
            if undo is not None and undo.target and any(sent):
                yield undo, sent


def _unsent(run: Run, step: Step) -> Unsent | None:
    effects = list(run.effects.filter(step=step.name))
    live = next((effect for effect in effects if effect.state not in Effect.DEAD), None)
    if not step.target or (live is not None and live.state != Effect.State.AUTHORISED):
        return None
    rounds = range(len(effects) + 1, len(effects) + AHEAD + 1)
    later = [Sent(effect_key(run.pk, step.name, n, step.target), step.target, "", {}, "") for n in rounds]
    if live is not None:
        return Unsent(step, live.klass, [sent_of(live), *later])
    return Unsent(step, connector_for(step.target).klass, later)


def _stands(run: Run, step: Step) -> bool:
    """Whether the run, when it goes on, means to send it: taking back is sent where the run is being stopped."""
    return not step.undoes or Run.Status.CANCELLING in (run.status, run.resumes_to)


def _what_the_outside_says(unsent: Unsent, statement: Statement | None, *, stands: bool) -> Iterator[Told]:
    """Nothing of what it has not booked. Where it cannot be asked, that is said once."""
    if statement is None and unsent.klass == Effect.Klass.NEITHER:
        yield Told(f"{unsent.step.target}: whether the outside has booked it cannot be asked", again=True)
        return
    for number, sent in enumerate(unsent.sent):
        known = _known(sent, statement)
        if isinstance(known, InDoubt):
            yield Told(f"{sent.kind}: {known.reason}", again=stands and unsent.klass in Effect.REPEATABLE)
            return
        if known is not None:
            again = stands and number == 0 and unsent.klass in Effect.REPEATABLE
            ref = known.ref if isinstance(known, Confirmed) else ""
            words = f"the outside has booked it{f' as {ref}' if ref else ''}"
            yield Told(f"{sent.kind}: {words}", again, {"key": sent.key, "ref": ref})


def _known(sent: Sent, statement: Statement | None) -> Confirmed | Refused | InDoubt | None:
    """None: not booked. Refused: it has this key, and what was sent under it is not known here."""
    if statement is None:
        return connector_for(sent.kind).find(sent)
    return Confirmed(str(statement[sent.key].get("ref", ""))) if sent.key in statement else None


def _business_key(run: Run, unsent: Unsent) -> str:
    """As far as the case says by now; empty where it does not."""
    if unsent.sent[0].business_key:
        return unsent.sent[0].business_key
    if unsent.step.undoes:
        return normalised(run.business_key)
    return propose_one(run, load_cases({run.pk: run.input})[run.pk], unsent.step).business_key


def _keep(key: str, kind: str, business_key: str, ref: str) -> None:
    if kind and business_key:
        Booked.objects.get_or_create(key=key, defaults={"kind": kind, "business_key": business_key, "ref": ref[:200]})


@transaction.atomic
def _hold_for_an_operator(run_id: UUID, news: list[Told]) -> None:
    [run] = engine.lock_runs([run_id])
    if run.status in Run.ENDED:
        return
    if run.incidents.filter(kind__in=(RESTORED, RESTORED_APART), resolved_at=None).exists():
        return
    again = all(one.again for one in news)
    words = "; ".join(one.words for one in news)
    detail = f"{REASON}. {words}. {GO_ON if again else ''}".strip()
    open_incident(run, kind=RESTORED if again else RESTORED_APART, detail=detail, now=database_now())
