"""Effect step: passes the point of no return, calls the outside with the durable key, and keeps what it answered."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from audit.log import database_now
from orchestrator import effects
from orchestrator.connectors.actions import connector_for
from orchestrator.connectors.base import Confirmed, Connector, InDoubt, Refused, Reply
from orchestrator.definitions import TAKES_BACK, Step
from orchestrator.models import Effect

from .base import StepHandler, Work
from .outcomes import Complete, Fail, Halt, Judgement, Outcome, Retry
from .take_back import take_back


class EffectStep(StepHandler):
    automated = False

    def lane(self, step: Step) -> str:
        return "effects"

    def execute(self, work: Work) -> Outcome:
        if work.pinned.control:
            return Halt(effects.NOTHING_LEAVES)
        if work.step.target == TAKES_BACK:
            return take_back(work, self.once)
        return self.once(work)

    def once(self, work: Work) -> Outcome:
        """One attempt at one effect."""
        if not work.step.target:
            return Fail(f"no effect is named that takes back {work.step.undoes}", kind="not-compensable")
        allowed = bool(work.step.undoes) or reviews_skipped(work)
        try:
            effect = effects.grant(
                work.run_id, work.task_id, work.fence, work.step, work.case, authorised_by_policy=allowed
            )
        except (effects.OnHold, effects.Busy) as error:
            return Retry(str(error), on_hold=True)
        except effects.EffectError as error:
            return Fail(str(error), kind="effect-not-authorised")
        if effect is None:
            return Retry("the run is held", on_hold=True)
        connector = connector_for(effect.kind)
        return outcome_of(work, effect, connector, send(effect, connector))

    def too_late(self, work: Work, reason: str) -> Outcome:
        """What was sent is in doubt, as after an answer that never came."""
        sent = Effect.objects.filter(run=work.run_id, step=work.step.name, state=Effect.State.IN_FLIGHT).first()
        return outcome_of(work, sent, connector_for(sent.kind), InDoubt(reason)) if sent else Retry(reason)


def reviews_skipped(work: Work) -> bool:
    """True where every review on the way said that no person was needed."""
    before = work.definition.ancestors(work.definition.step(work.step.name).name)
    reviews = [step.name for step in work.definition.steps.values() if step.kind == "review" and step.name in before]
    return all(work.case.data.get(name, {}).get("verdict") == "skipped" for name in reviews)


def send(effect: Effect, connector: Connector) -> Reply:
    """One attempt. Before a repeat the outside is asked whether the first one arrived; where a repeat could be a second
    booking, asking is all that is done."""
    sent = effects.sent_of(effect)
    if effect.attempts == 1:
        return connector.send(sent)
    known = connector.find(sent) if effect.klass != Effect.Klass.NEITHER else None
    if known is not None and not isinstance(known, InDoubt):
        return known
    if not may_repeat(effect, connector):
        return InDoubt("sent before, and what became of it cannot be told")
    return connector.send(sent)


def may_repeat(effect: Effect, connector: Connector) -> bool:
    """Half of the time the outside remembers keys is left as a margin."""
    first = effect.sent_at or effect.authorised_at
    return effect.klass in Effect.REPEATABLE and database_now() < first + connector.retention / 2


def outcome_of(work: Work, effect: Effect, connector: Connector, reply: Reply) -> Outcome:
    match reply:
        case Confirmed():
            judgement = Judgement(actor=effect.connector, verdict="confirmed", rationale=f"Confirmed as {reply.ref}.")
            late = partial(effects.note_late, effect, ref=reply.ref)
            hook = confirmed(work, effect, reply.ref)
            return Complete(effects.output_of(effect, reply.ref), judgement, on_record=hook, on_dropped=late)
        case Refused():
            late = partial(effects.note_late, effect, error=reply.reason)
            return Fail(reply.reason, "effect-refused", settled(effect, Effect.State.FAILED, reply.reason), late)
    if effect.klass in Effect.REPEATABLE and work.attempt < work.step.retry.max_attempts:
        return Retry(reply.reason)
    if effect.klass == Effect.Klass.QUERYABLE and effect.attempts == 1:
        return Retry(reply.reason, after=connector.settle_window)
    return Fail(reply.reason, "effect-in-doubt", settled(effect, Effect.State.UNKNOWN, reply.reason))


def confirmed(work: Work, effect: Effect, ref: str) -> Callable[[datetime], None]:
    def on_record(now: datetime) -> None:
        if effects.settle(effect, Effect.State.CONFIRMED, now=now, ref=ref):
            effects.remember(effect, work.case)

    return on_record


def settled(effect: Effect, state: str, error: str) -> Callable[[datetime], None]:
    def on_record(now: datetime) -> None:
        effects.settle(effect, state, now=now, error=error)

    return on_record
