"""Effect step: passes the point of no return, calls the outside with the durable key, and keeps what it answered."""

from collections.abc import Callable
from datetime import datetime

from orchestrator import effects
from orchestrator.connectors.actions import connector_for, get_action
from orchestrator.connectors.base import Confirmed, InDoubt, Refused, Reply
from orchestrator.definitions import Step
from orchestrator.digests import digest
from orchestrator.models import DataSource, Effect, SourceRow

from .base import StepHandler, Work
from .outcomes import Complete, Fail, Judgement, Outcome, Retry

REPEATABLE = (Effect.Klass.KEYED, Effect.Klass.NATURAL)


class EffectStep(StepHandler):
    automated = False

    def lane(self, step: Step) -> str:
        return "effects"

    def execute(self, work: Work) -> Outcome:
        try:
            effect = effects.grant(
                work.run_id,
                work.task_id,
                work.fence,
                work.step,
                work.case,
                authorised_by_policy=reviews_skipped(work),
            )
        except effects.OnHold as error:
            return Retry(str(error), on_hold=True)
        except effects.EffectError as error:
            return Fail(str(error), kind="effect-not-authorised")
        if effect is None:
            return Retry("the run is held", on_hold=True)
        return outcome_of(work, effect, send(effect))


def reviews_skipped(work: Work) -> bool:
    """True where every review on the way said that no person was needed."""
    before = work.definition.ancestors(work.step.name)
    reviews = [step.name for step in work.definition.steps.values() if step.kind == "review" and step.name in before]
    return all(work.case.data.get(name, {}).get("verdict") == "skipped" for name in reviews)


def send(effect: Effect) -> Reply:
    """One attempt. Before a repeat the outside is asked whether the first one arrived."""
    connector, sent = connector_for(effect.kind), effects.sent_of(effect)
    if effect.attempts > 1:
        known = connector.find(sent)
        if known is not None and not isinstance(known, InDoubt):
            return known
    return connector.send(sent)


def outcome_of(work: Work, effect: Effect, reply: Reply) -> Outcome:
    match reply:
        case Confirmed():
            output = {"ref": reply.ref, "key": effect.key, "kind": effect.kind, "payload": effect.payload}
            judgement = Judgement(actor=effect.connector, verdict="confirmed", rationale=f"Confirmed as {reply.ref}.")
            return Complete(output, judgement, on_record=confirmed(work, effect, reply.ref))
        case Refused():
            return Fail(reply.reason, "effect-refused", settled(effect, Effect.State.FAILED, error=reply.reason))
    if effect.klass in REPEATABLE and work.attempt < work.step.retry.max_attempts:
        return Retry(reply.reason)
    return Fail(reply.reason, "effect-in-doubt", settled(effect, Effect.State.UNKNOWN, error=reply.reason))


def confirmed(work: Work, effect: Effect, ref: str) -> Callable[[datetime], None]:
    def on_record(now: datetime) -> None:
        if effects.settle(effect, Effect.State.CONFIRMED, now=now, ref=ref):
            remember(work, effect)

    return on_record


def remember(work: Work, effect: Effect) -> None:
    """What was done is known to later runs: the action's row goes into its table source, once per effect."""
    action = get_action(effect.kind)
    source = DataSource.objects.filter(name=action.history_source).first()
    if source is None or action.history is None:
        return
    row = {source.key_field: effect.key, **action.history(work.case.as_json())}
    SourceRow.objects.update_or_create(source=source, key=effect.key, defaults={"data": row, "digest": digest(row)})


def settled(effect: Effect, state: str, *, ref: str = "", error: str = "") -> Callable[[datetime], None]:
    def on_record(now: datetime) -> None:
        effects.settle(effect, state, now=now, ref=ref, error=error)

    return on_record
