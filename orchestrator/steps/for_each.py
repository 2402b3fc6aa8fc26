"""For each: an agent judges every item of a list, in order. The list is bounded; all items, or the step is not done."""

from dataclasses import replace
from typing import Any

from orchestrator import timeouts
from orchestrator.agents import registry
from orchestrator.definitions import lookup

from .agent import AgentStep
from .base import Work
from .outcomes import Complete, Fail, Judgement, Outcome

AS = "item"  # the field of the agent's input that gets the item


class ForEachStep(AgentStep):
    def execute(self, work: Work) -> Outcome:
        items = lookup(work.case.as_json(), work.step.config["items"])
        path, most = ".".join(work.step.config["items"]), work.step.config["at_most"]
        if not isinstance(items, list):
            return Fail(f"for_each: {path} is no list", kind="not-a-list")
        if len(items) > most:
            return Fail(f"for_each: {path} has {len(items)} items, at most {most} are allowed", kind="too-many-items")
        done = []
        for index, item in enumerate(items):
            timeouts.check()
            outcome = super().execute(with_item(work, item))
            if not isinstance(outcome, Complete):
                return at_item(outcome, index)
            done.append(outcome)
        return together(work, done)


def with_item(work: Work, item: Any) -> Work:
    """The same work, with the item in the case; what it notes goes into the same list."""
    case = work.case.copy()
    case.data[AS] = item
    return replace(work, case=case)


def at_item(outcome: Any, index: int) -> Outcome:
    return replace(outcome, error=f"item {index + 1}: {outcome.error}")


def together(work: Work, done: list[Complete]) -> Complete:
    """All outputs in order; as sure as the least sure."""
    judged = [outcome.judgement for outcome in done if outcome.judgement is not None]
    sure = [judgement.confidence for judgement in judged if judgement.confidence is not None]
    said = Judgement(
        "agent",
        work.step.target,
        registry.get(work.step.target).version,
        confidence=min(sure, default=1.0),
        rationale=f"{len(done)} items.",
        evidence=[evidence for judgement in judged for evidence in judgement.evidence],
        cost=sum((judgement.cost for judgement in judged), Judgement().cost),
    )
    return Complete({"items": [outcome.output for outcome in done], "count": len(done)}, said)
