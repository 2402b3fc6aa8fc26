"""What would follow from an approval with the corrections made so far: told before it is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestrator import effects
from orchestrator.case import PointerError, load_cases

from .blind import shown_votes
from .models import Review
from .packet import approvals_of, merged_corrections, proposed


@dataclass(frozen=True, slots=True)
class Consequence:
    """`said` is what the case asks for as it stands, `would` what an approval would do; amounts as decimal text."""

    corrections: int
    title: str = ""
    said: str = ""
    would: str = ""
    currency: str = ""
    problem: str = ""
    back: bool = False  # something done before is taken back

    @property
    def difference(self) -> str:
        try:
            apart = Decimal(self.would) - Decimal(self.said)
        except InvalidOperation:
            return ""
        return str(apart) if apart else ""


def consequence(review: Review, corrections: Mapping[str, Any]) -> Consequence:
    """The effect an approval would set free, with `corrections` in place. Nothing is written. Without any it is
    what the packet says, which the database need not be asked for."""
    if not corrections:
        return as_it_stands(review)
    case = load_cases({review.run_id: review.run.input})[review.run_id]
    try:
        case.correct(merged_corrections(shown_votes(review, approvals_of(review.pk))) | dict(corrections))
    except PointerError as error:
        return Consequence(len(corrections), problem=str(error))
    proposals = effects.propose(review.run, case, review.task.step)
    return told_of(review, proposed(proposals[0]) if proposals else {}, len(corrections))


def as_it_stands(review: Review) -> Consequence:
    return told_of(review, next(iter(review.packet["effects"]), {}), 0)


def told_of(review: Review, effect: Mapping[str, Any], corrections: int) -> Consequence:
    """`effect` as a packet has it; empty where an approval sets nothing free."""
    said, payload = review.packet["amount"] or {}, effect.get("payload") or {}
    return Consequence(
        corrections=corrections,
        title=effect.get("title", ""),
        said=str(said.get("amount") or ""),
        would=str(payload.get("amount") or ""),
        currency=str(payload.get("currency") or said.get("currency") or ""),
        problem=effect.get("problem") or "",
        back="reverses" in payload,
    )
