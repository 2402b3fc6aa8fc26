"""Agent step: the typed function is given its validated input and its answer is validated before anything follows."""

import logging
from typing import TypeGuard

from pydantic import BaseModel, ValidationError

from orchestrator.agents import registry
from orchestrator.agents.base import Agent, BudgetSpent, Permanent, Result, SourceRefused, Transient
from orchestrator.definitions import Step
from orchestrator.sources import Context
from orchestrator.spending import Spent
from orchestrator.text import storable, unstorable
from orchestrator.timeouts import TookTooLong

from .base import StepHandler, Work
from .outcomes import Complete, Fail, Judgement, Outcome, Retry

BUDGET = "budget"
logger = logging.getLogger(__name__)


class Unstorable(ValueError):
    """An answer that no database can hold; it is told where."""

    def __init__(self, places: list[str]):
        super().__init__(places[0])
        self.places = places


class AgentStep(StepHandler):
    def lane(self, step: Step) -> str:
        lane = super().lane(step)
        return lane if lane != "default" else registry.get(step.target).lane

    def execute(self, work: Work) -> Outcome:
        return or_fallback(ask(registry.get(work.step.target), work), work)

    def too_late(self, work: Work, reason: str) -> Outcome:
        return or_fallback(super().too_late(work, reason), work)


def or_fallback(outcome: Outcome, work: Work) -> Outcome:
    """Where the agent has failed for good, the fallback is asked once, and the decision says why."""
    if not work.step.fallback or not failed_for_good(outcome, work):
        return outcome
    instead = ask(registry.get(work.step.fallback), work)
    if not isinstance(instead, Complete) or instead.judgement is None:
        return outcome
    instead.judgement.rationale = f"{work.step.target} failed: {outcome.error}. {instead.judgement.rationale}"
    return instead


def failed_for_good(outcome: Outcome, work: Work) -> TypeGuard[Fail | Retry]:
    last = work.attempt >= work.step.retry.max_attempts
    return (isinstance(outcome, Fail) and outcome.kind != BUDGET) or (
        isinstance(outcome, Retry) and last and not outcome.on_hold
    )


def ask(agent: Agent, work: Work) -> Outcome:
    """One try: the input is validated, then the agent's answer."""
    context = Context(agent, work)
    try:
        given = agent.input_model.model_validate(given_to(agent, work))
    except ValidationError as error:
        return Fail(f"input of {agent.name}: {first_objection(error)}", kind="input-invalid")
    try:
        result = agent.run(given, context)
        work.spent.add(Spent(result.cost, result.tokens))  # what it found is kept, and the run stops after it
        return completed(agent, result, context)
    except ValidationError as error:
        return Retry(f"output of {agent.name}: {first_objection(error)}", at_once=True, objections=objections(error))
    except Unstorable as error:
        return Retry(f"output of {agent.name}: {error}", at_once=True, objections=error.places)
    except BudgetSpent as error:
        return Fail(str(error), kind=BUDGET)
    except (Permanent, SourceRefused) as error:
        return Fail(storable(str(error)), kind="agent-failed")
    except (Transient, TookTooLong) as error:
        return Retry(storable(str(error)))
    except Exception as error:  # an agent may raise anything; the run must not lose its task to it
        logger.exception("agent %s failed in run %s", agent.name, work.run_id)
        return Retry(f"{agent.name} failed: {type(error).__name__}")


def given_to(agent: Agent, work: Work) -> dict:
    """Fields of the input model by name: `input`, or the output of the step the name (or `with:`) names."""
    case, names = work.case.as_json(), dict(work.step.config.get("with", {}))
    return {f: case[names.get(f, f)] for f in agent.input_model.model_fields if names.get(f, f) in case}


def completed(agent: Agent, result: Result, context: Context) -> Complete:
    output = validated(agent.output_model, result.output)
    if not 0 <= result.confidence <= 1:
        raise ValueError(f"confidence: {result.confidence!r} is not between 0 and 1")
    plain, evidence = output.model_dump(mode="json"), [*context.reads, *result.evidence]
    if places := list(unstorable({**plain, "rationale": result.rationale, "evidence": evidence})):
        raise Unstorable(places)
    judgement = Judgement(
        "agent",
        agent.name,
        agent.version,
        confidence=result.confidence,
        rationale=result.rationale,
        evidence=evidence,
        cost=result.cost,
    )
    return Complete(plain, judgement)


def validated(model: type[BaseModel], output: BaseModel) -> BaseModel:
    """Checked again from its plain form: an agent may have built its answer without validation."""
    return model.model_validate(output.model_dump(warnings=False))


def objections(error: ValidationError) -> list[str]:
    return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False, include_input=False)]


def first_objection(error: ValidationError) -> str:
    found = objections(error)
    return found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")
