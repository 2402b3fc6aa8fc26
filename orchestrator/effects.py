"""Effects: proposed to people, authorised once, sent after the one point of no return.

Authorised → in flight happens under the run's lock, with every digest recomputed and no hold in force. Until then a
rejection or a recall makes the effect void; after it, nothing does.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils.translation import gettext

from audit.ids import uuid7
from audit.log import SYSTEM, Actor, database_now, record
from audit.rows import insert_rows

from . import endings, taking_back, transitions
from .agents.base import REVERSED
from .case import Case
from .connectors.actions import BEFORE, CONFIRMED_EFFECT, PayloadProblem, connector_for, get_action, payload_of
from .connectors.base import Sent
from .definitions import Step, render
from .digests import digest
from .import_formats import canonical
from .models import Booked, DataSource, Effect, Hold, Run, SourceRow
from .pinned import Pinned, definition_of
from .stored import MISSING, NOT_KNOWN

HOLDS = 7_305_402  # advisory lock number: grants share it, whoever pulls a hold has it alone
NOTHING_LEAVES = "A control case: it ends before anything is done outside."
UNSETTLED = (Effect.State.IN_FLIGHT, Effect.State.UNKNOWN)


class EffectError(Exception):
    """Base of what keeps an effect from being authorised or sent."""


class AlreadyLive(EffectError):
    """The same business key is being paid, or was, by another run; or is being taken back, or was."""

    def __init__(self, kind: str, business_key: str):
        super().__init__(
            gettext("%(kind)s for %(key)s is already under way or done in another run")
            % {"kind": kind, "key": business_key}
        )


class BookedBefore(EffectError):
    """The outside has booked it under another key, in a time that a restored database does not know."""

    def __init__(self, booked: Booked):
        super().__init__(f"{booked} was booked outside as {booked.ref or booked.key} before the database was restored")


class OnHold(EffectError):
    """A hold is in force: nothing is sent until it is released."""

    def __init__(self, hold: Hold):
        super().__init__(f"on hold ({hold}): {hold.reason}")


class Busy(EffectError):
    """As much as the connector may carry is on its way; others wait their turn."""

    def __init__(self, connector: str, most: int):
        super().__init__(f"{connector} already carries {most} effects")


class NotAuthorised(EffectError):
    """What would be sent is not what was authorised."""


class OfControlCase(EffectError):
    """A control case has no effects, whoever asks for one."""

    def __init__(self) -> None:
        super().__init__(NOTHING_LEAVES)


@dataclass(frozen=True, slots=True)
class Proposed:
    """What an approval would set free. `problem` says why it cannot be done as the case stands."""

    step: str
    kind: str
    title: str
    question: str
    business_key: str
    payload: dict[str, Any]
    payload_digest: str
    problem: str = ""
    takes_back: UUID | None = None


def effect_key(run_id: UUID, step: str, round_: int, kind: str) -> str:
    """Derived, so that every attempt has the same; a changed payload needs a new round and so a new key."""
    seed = "\0".join(("v1", str(run_id), step, str(round_), kind))
    return "countersign-" + base64.b32encode(hashlib.sha256(seed.encode()).digest()).decode()[:32].lower()


def normalised(business_key: str) -> str:
    """Spelling must not make a second payment: case and all but letters and digits is ignored between slashes."""
    return "/".join(re.sub(r"[^A-Z0-9]", "", part.upper()) for part in business_key.split("/"))


def propose(run: Run, case: Case, step_name: str) -> list[Proposed]:
    """The effects an approval at this step would set free, with the payload as the case stands."""
    steps = definition_of(run.version_id).effects_after(step_name)
    return [propose_one(run, case, part) for step in steps for part in taking_back.parts_of(run, step)]


def propose_one(run: Run, case: Case, step: Step) -> Proposed:
    if not step.target:
        problem = f"{step.title}: nothing is named that does it"
        return Proposed(step.name, "", step.title, step.title, "", {}, digest({}), problem)
    definition, action = definition_of(run.version_id), get_action(step.target)
    taken = taken_by(run, step)
    data = case.as_json() | ({CONFIRMED_EFFECT: output_of(taken, taken.ref)} if taken else {}) | {BEFORE: case.before}
    key = render(definition.business_key, data) if definition.business_key else None
    if taken is not None and taken.run_id != run.pk:
        key = taken.business_key
    problem = ""
    try:
        payload = payload_of(step.target, data)
    except PayloadProblem as error:
        payload, problem = action.payload(data), str(error)
    if definition.business_key and key is None and not problem:
        problem = f"{action.title} needs {definition.business_key}"
    question = action.question.format_map({name: shown(name, value) for name, value in payload.items()})
    key, takes_back = normalised(key or ""), taken.pk if taken else None
    return Proposed(step.name, step.target, action.title, question, key, payload, digest(payload), problem, takes_back)


def shown(name: str, value: str | None) -> str:
    """A payload's value as people write it: money always with two decimals; what is missing in words."""
    if not value:
        return MISSING.get(name, NOT_KNOWN)
    return f"{Decimal(value):,.2f}" if name == "amount" else value


def taken_by(run: Run, step: Step) -> Effect | None:
    """For a step that takes something back: what was confirmed, as it was sent and not as the case says by now."""
    if step.undoes:
        return run.effects.get(step=step.undoes, state=Effect.State.CONFIRMED)
    return taking_back.effect_of(step)


def output_of(effect: Effect, ref: str) -> dict[str, Any]:
    """What a confirmed effect adds to the case."""
    return {"ref": ref, "key": effect.key, "kind": effect.kind, "payload": effect.payload}


def authorise(
    run: Run,
    proposals: Sequence[Proposed],
    *,
    packet_digest: str,
    policy_digest: str,
    now: datetime,
    first: bool = False,
) -> list[Effect]:
    """Authorises each proposal, in the caller's transaction and under the run's lock. AlreadyLive where the business
    key is taken, NotAuthorised where the case does not hold what the effect needs, OfControlCase: the transaction is to
    be rolled back. `first`: the run has no effects yet, as the caller has read under the lock."""
    if run.control:
        raise OfControlCase
    made = []
    for proposed in proposals:
        if proposed.problem:
            raise NotAuthorised(proposed.problem)
        connector = connector_for(proposed.kind)
        effect = Effect(
            id=uuid7(),
            run=run,
            step=proposed.step,
            round=run.round,
            kind=proposed.kind,
            connector=connector.name,
            klass=connector.klass,
            key=effect_key(run.pk, proposed.step, 1 if first else _next_round(run, proposed.step), proposed.kind),
            business_key=proposed.business_key,
            payload=proposed.payload,
            payload_digest=proposed.payload_digest,
            packet_digest=packet_digest,
            policy_digest=policy_digest,
            authorised_at=now,
            takes_back_id=proposed.takes_back,
        )
        _insert(effect)
        endings.told(
            run, "effect.authorised", SYSTEM, effect=effect.key, kind=effect.kind, payload=effect.payload_digest
        )
        made.append(effect)
    return made


def _next_round(run: Run, step: str) -> int:
    """Voided effects keep their key; what is authorised anew gets its own."""
    return run.effects.filter(step=step).count() + 1


def _insert(effect: Effect) -> None:
    try:
        insert_rows([effect])
    except IntegrityError:
        raise AlreadyLive(effect.kind, effect.business_key) from None


def policy_digest_of(run: Run) -> str:
    return run.policy_version.digest if run.policy_version_id else ""


def stand_still(*, alone: bool) -> None:
    """Until the transaction ends. A hold waits for grants that have seen none, and grants wait for a hold: once it is
    in force nothing is granted. SQLite has one writer at a time."""
    if connection.vendor == "postgresql":
        lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {lock}(%s)", [HOLDS])


def hold_on(kind: str, connector: str, agents: Sequence[str] = ()) -> Hold | None:
    """The hold that covers such an effect, if one is in force."""
    for hold in Hold.objects.filter(released_at__isnull=True):
        covered = {"all": True, "kind": hold.value == kind, "connector": hold.value == connector}
        if covered.get(hold.scope, hold.value in agents):
            return hold
    return None


@transaction.atomic
def grant(
    run_id: UUID, task_id: UUID, fence: int, step: Step, case: Case, *, authorised_by_policy: bool
) -> Effect | None:
    """The point of no return: the step's authorised effect goes in flight, or stays in flight for another attempt.
    None: the task is no longer held under this fence. EffectErrors keep it from being sent."""
    run = Run.objects.select_for_update(no_key=True).get(pk=run_id)
    if run.control:
        raise OfControlCase
    held = run.tasks.filter(pk=task_id, status="running", fence=fence).exists()
    if not held or not _may_go_out(run, step):
        return None
    now = database_now()
    effect = _live_effect(run, step, case, now, authorised_by_policy)
    used = run.decisions.filter(actor_kind="agent").values_list("actor", flat=True)
    stand_still(alone=False)
    hold = hold_on(effect.kind, effect.connector, list(used))
    if hold is not None:
        raise OnHold(hold)
    if effect.state == Effect.State.AUTHORISED:
        _refuse_when_booked(effect)
        _refuse_when_busy(effect)
    moved = transitions.move_effects(
        [effect.pk],
        (Effect.State.AUTHORISED, *UNSETTLED),
        Effect.State.IN_FLIGHT,
        fence=F("fence") + 1,
        attempts=F("attempts") + 1,
        task_id=task_id,
        sent_at=effect.sent_at or now,
    )
    if not moved:
        raise NotAuthorised(f"the effect is {effect.state}")
    if effect.attempts == 0 or effect.klass in Effect.REPEATABLE:
        sent = {"payload": effect.payload_digest, "attempt": effect.attempts + 1}
        endings.told(run, "effect.sent", SYSTEM, effect=effect.key, **sent)
    effect.refresh_from_db()
    return effect


def _refuse_when_booked(effect: Effect) -> None:
    """One booking per business key, also across what a restored database has forgotten (restoring.py)."""
    if not effect.business_key:
        return
    others = Booked.objects.filter(kind=effect.kind, business_key=effect.business_key).exclude(key=effect.key)
    if booked := others.first():
        raise BookedBefore(booked)


def _refuse_when_busy(effect: Effect) -> None:
    most = connector_for(effect.kind).max_in_flight
    if Effect.objects.filter(state=Effect.State.IN_FLIGHT, connector=effect.connector).count() >= most:
        raise Busy(effect.connector, most)


def _may_go_out(run: Run, step: Step) -> bool:
    """New effects go out while the run goes on, and taking back while it is being cancelled; what was sent before is
    pursued until its outcome is known."""
    going = (Run.Status.CANCELLING,) if step.undoes else (Run.Status.RUNNING, Run.Status.WAITING)
    sent = run.effects.filter(step=step.name, state__in=UNSETTLED)
    return run.status in going or (run.status not in Run.ENDED and sent.exists())


def _live_effect(run: Run, step: Step, case: Case, now: datetime, by_policy: bool) -> Effect:
    """The effect of this step, authorised by people before or by the policies now; its content is recomputed."""
    effect = run.effects.filter(step=step.name).exclude(state__in=Effect.DEAD).first()
    proposed = propose_one(run, case, step)
    if effect is None:
        if not by_policy:
            raise NotAuthorised("a person was asked, and no approval stands")
        packet = digest(case.as_json())
        return authorise(run, [proposed], packet_digest=packet, policy_digest=policy_digest_of(run), now=now)[0]
    if effect.state == Effect.State.AUTHORISED:
        if proposed.payload_digest != effect.payload_digest or digest(effect.payload) != effect.payload_digest:
            raise NotAuthorised("the case has changed since it was approved")
        if effect.policy_digest != policy_digest_of(run):
            raise NotAuthorised("the policy in force is not the one it was approved under")
    return effect


def sent_of(effect: Effect) -> Sent:
    return Sent(effect.key, effect.kind, effect.business_key, effect.payload, effect.payload_digest)


def settle(effect: Effect, state: str, *, now: datetime, ref: str = "", error: str = "") -> bool:
    """The outside has answered. A result under an older fence changes nothing and is noted."""
    moved = Effect.objects.filter(pk=effect.pk, fence=effect.fence).exists() and transitions.move_effects(
        [effect.pk], [Effect.State.IN_FLIGHT], state, ref=ref[:200], error=error[:500], ended_at=now
    )
    if moved and state == Effect.State.CONFIRMED:
        mark_taken_back(effect, now)
    kind = f"effect.{state}" if moved else "effect.late_result"
    workflow = Pinned.of(effect.run).definition.name
    record(
        kind,
        subject=("effect", str(effect.pk)),
        actor=Actor("system", effect.connector, effect.connector),
        run=str(effect.run_id),
        workflow=workflow,
        data={"effect": effect.key, "ref": ref, "error": error},
    )
    return bool(moved)


def mark_taken_back(effect: Effect, now: datetime) -> None:
    """What a confirmed effect takes back stands no more: its business key is free for another run, and later runs know
    that it was reversed."""
    taken = effect.takes_back
    if taken is None:
        return
    Effect.objects.filter(pk=taken.pk).update(taken_back_at=now)
    for row in SourceRow.objects.filter(source__name=get_action(taken.kind).history_source, key=taken.key):
        data = {**row.data, "status": REVERSED}
        SourceRow.objects.filter(pk=row.pk).update(data=data, digest=digest(data))


def remember(effect: Effect, case: Case) -> None:
    """What was done is known to later runs: the action's row goes into its table source, once per effect."""
    action = get_action(effect.kind)
    source = DataSource.objects.filter(name=action.history_source).first()
    if source is None or action.history is None:
        return
    row = canonical({source.key_field: effect.key, **action.history(case.as_json())})
    SourceRow.objects.update_or_create(source=source, key=effect.key, defaults={"data": row, "digest": digest(row)})


def note_late(effect: Effect, now: datetime, *, ref: str = "", error: str = "") -> None:
    """An answer that came after its task was given to somebody else. Another reference than the one recorded is the
    sign of a second booking."""
    row = Effect.objects.select_related("run").get(pk=effect.pk)
    told = {"effect": row.key, "ref": ref, "error": error, "recorded": row.ref}
    endings.told(row.run, "effect.late_result", SYSTEM, **told)
    if ref and row.ref and ref[:200] != row.ref:
        detail = f"{row.kind} was answered twice: as {row.ref} and as {ref}"
        endings.open_incident(row.run, kind="second-reference", detail=detail, now=now, effect=row)
