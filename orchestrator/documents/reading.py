"""What a reader hands on: every value with its confidence and the place where it stands. Pure data, no Django."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Passage(BaseModel):
    """Where a value stands. `box` is x0, y0, x1, y1 as fractions of the page, origin top left; `line` counts from 1
    in the text view of a structured document."""

    model_config = ConfigDict(extra="forbid")

    page: int | None = None
    line: int | None = None
    box: tuple[float, float, float, float] | None = None
    quote: str = ""


class ReadValue(BaseModel):
    """One field as read. `value` is normalised (ISO date, decimal string without trailing zeros) or None if absent;
    `confidence` is computed (0 to 1), never a constant; `readings` holds what each independent reading said."""

    model_config = ConfigDict(extra="forbid")

    value: str | None = None
    confidence: float = Field(default=1.0, ge=0, le=1)
    passages: list[Passage] = []
    readings: dict[str, str | None] = {}


class Check(BaseModel):
    """One rule applied to what was read. `stop` puts the case before a person, `note` only informs."""

    model_config = ConfigDict(extra="forbid")

    id: str  # e.g. "BR-CO-15", "iban-checksum"
    severity: Literal["stop", "note"]
    message: str  # for a clerk: what is wrong, with both values
    fields: list[str] = []  # dotted names, lines as "lines.0.quantity"


class Reading(BaseModel):
    """The result of reading one document. A refused document has `refusal` set (words for a clerk) and nothing else.

    `fields` has flat dotted names ("seller.name", "gross_total"), `lines` one dict a line with the same kind of values.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["invoice", "receipt", "unknown"] = "unknown"
    reader: str = ""  # which reader made it, with its version: "einvoice-ubl/1"
    fields: dict[str, ReadValue] = {}
    lines: list[dict[str, ReadValue]] = []
    checks: list[Check] = []  # only those that did not hold
    notes: list[str] = []  # free text found in the document: data for a person, never instructions
    confidence: float = Field(default=0.0, ge=0, le=1)
    refusal: str | None = None

    def value(self, name: str) -> str | None:
        """The value of a header field, or None."""
        found = self.fields.get(name)
        return found.value if found else None
