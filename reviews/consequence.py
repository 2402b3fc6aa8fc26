"""What would follow from an approval with the corrections made so far: told before it is recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestrator import effects
from orchestrator.case import PointerError, load_cases

from .models import Review
from .packet import approvals_of, merged_corrections


@dataclass(frozen=True, slots=True)
class Consequence:
    """`said` is what the case asks for as it stands, `would` what an approval would do; amounts as decimal text."""

    corrections: int
    title: str = ""
    said: str = ""
    would: str = ""
    currency: str = ""
    problem: str = ""

    @property
    def difference(self) -> str:
        try:
            apart = Decimal(self.would) - Decimal(self.said)
        except InvalidOperation:
            return ""
        return str(apart) if apart else ""


def consequence(review: Review, corrections: Mapping[str, Any]) -> Consequence:
    """The effect an approval would set free, with `corrections` in place. Nothing is written."""
    case = load_cases({review.run_id: review.run.input})[review.run_id]
    try:
        case.correct(merged_corrections(approvals_of(review.pk)) | dict(corrections))
    except PointerError as error:
        return Consequence(len(corrections), problem=str(error))
    proposals = effects.propose(review.run, case, review.task.step)
    first = proposals[0] if proposals else None
    said = review.packet["amount"] or {}
    return Consequence(
        corrections=len(corrections),
        title=first.title if first else "",
        said=str(said.get("amount") or ""),
        would=str(first.payload.get("amount") or "") if first else "",
        currency=str((first.payload.get("currency") if first else "") or said.get("currency") or ""),
        problem=first.problem if first else "",
    )
