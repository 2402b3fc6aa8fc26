"""When branches that come together have said enough, and what they said. Pure."""

from collections.abc import Mapping
from typing import Any

from .definitions import Step, lookup

Outputs = Mapping[str, Mapping[str, Any]]


def votes_of(step: Step, outputs: Outputs) -> dict[str, Any]:
    """What each finished branch says in the field the quorum is about, in the order the join names them."""
    found = {need: lookup(outputs.get(need), [step.config["field"]]) for need in step.needs if need in outputs}
    return {need: value for need, value in found.items() if value is not None}


def verdict_of(step: Step, outputs: Outputs) -> tuple[Any, str]:
    """(value, "veto" or "quorum") once a branch has vetoed or enough of them agree; (None, "") before that."""
    votes = votes_of(step, outputs)
    for value in votes.values():
        if _is_in(value, step.config["veto"]):
            return value, "veto"
    for value in votes.values():
        if sum(_same(value, other) for other in votes.values()) >= step.config["at_least"]:
            return value, "quorum"
    return None, ""


def is_settled(step: Step, outputs: Outputs) -> bool:
    """Nothing the remaining branches say can change it."""
    return verdict_of(step, outputs)[1] != ""


def summary(step: Step, outputs: Outputs) -> dict[str, Any]:
    """The join's output: who is in, who is not, and with a quorum what was agreed and who dissented."""
    found: dict[str, Any] = {
        "branches": [need for need in step.needs if need in outputs],
        "missing": [need for need in step.needs if need not in outputs],
    }
    if step.target == "quorum":
        value, by = verdict_of(step, outputs)
        votes = votes_of(step, outputs)
        dissent = [{"branch": need, "value": vote} for need, vote in votes.items() if by and not _same(vote, value)]
        found |= {"verdict": value, "settled_by": by or "nothing", "votes": votes, "dissent": dissent}
    return found


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _is_in(value: Any, values: list[Any]) -> bool:
    return any(_same(value, other) for other in values)
