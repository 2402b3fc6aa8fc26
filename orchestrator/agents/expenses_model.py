"""A receipt as agents pass it on: plain values, corrected by people where they disagreed. No Django.

Amounts are decimal strings, dates ISO 8601, absent is None. `Reading` beside it tells how each value was found.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator.documents.reading import Reading

NO_NUMBER = "none"


class Money(BaseModel):
    model_config = ConfigDict(extra="ignore")

    amount: str
    currency: str


class Claimed(BaseModel):
    """What the claimant said when handing the receipt in: everything but the receipt is optional."""

    model_config = ConfigDict(extra="ignore")

    claimed: Money | None = None
    category: str = ""
    purpose: str = ""


class Receipt(BaseModel):
    """What the flow works with. `receipt_number` tells receipts of one shop, day and total apart: where none was read
    it is the time of day, or "none"."""

    model_config = ConfigDict(extra="ignore")

    company: str | None = None
    date: str | None = None
    total: str | None = None
    currency: str | None = None
    receipt_number: str = NO_NUMBER
    time: str | None = None
    address: str | None = None


def receipt_of(reading: Reading, claimed: Claimed) -> Receipt:
    """The values of a reading. A receipt without a currency is in the one it was claimed in."""
    values: dict[str, Any] = {name: found.value for name, found in reading.fields.items() if found.value}
    values.setdefault("receipt_number", values.get("time") or NO_NUMBER)
    if claimed.claimed:
        values.setdefault("currency", claimed.claimed.currency)
    return Receipt.model_validate(values)
