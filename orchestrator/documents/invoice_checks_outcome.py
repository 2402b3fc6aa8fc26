"""What a rule found, and the figures of an invoice as rules ask for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Literal

from orchestrator.documents.reading import Check, Reading, ReadValue

CENT = Decimal("0.01")
Row = dict[str, ReadValue]


@dataclass(frozen=True)
class Outcome:
    """A rule that applied: it holds, which supports the fields it speaks of, or it does not."""

    check: Check
    holds: bool


def judge(
    id: str, holds: bool, message: str, fields: Iterable[str] = (), severity: Literal["stop", "note"] = "stop"
) -> Outcome:
    return Outcome(Check(id=id, severity=severity, message=message, fields=list(fields)), holds)


class Figures:
    """An invoice's values as numbers and words. Absent and unreadable are both None."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.lines = reading.lines
        self.structured = reading.reader.startswith("einvoice")
        self.currency = reading.value("currency") or ""

    def text(self, name: str) -> str:
        return self.reading.value(name) or ""

    def number(self, name: str) -> Decimal | None:
        return as_number(self.reading.fields.get(name))

    @cached_property
    def tables(self) -> dict[str, list[Row]]:
        """Rows of "vat", "allowance" and "charge", from fields named "vat.0.base"."""
        found: dict[str, dict[int, Row]] = {"vat": {}, "allowance": {}, "charge": {}}
        for name, value in self.reading.fields.items():
            table, _, rest = name.partition(".")
            number, _, column = rest.partition(".")
            if table in found and number.isdigit():
                found[table].setdefault(int(number), {})[column] = value
        return {table: [rows[number] for number in sorted(rows)] for table, rows in found.items()}

    def money(self, amount: Decimal) -> str:
        """ "1,190.00 EUR", with more decimals only where the amount has them."""
        return f"{plain(amount)} {self.currency[:3]}".strip()

    def line_label(self, index: int) -> str:
        found = self.lines[index].get("id")
        return f"Line {found.value[:30]}" if found and found.value else f"Line number {index + 1}"


def plain(amount: Decimal) -> str:
    return f"{amount:,.2f}" if amount == amount.quantize(CENT) else f"{amount:,f}"


def as_number(found: ReadValue | None) -> Decimal | None:
    if found is None or found.value is None:
        return None
    try:
        number = Decimal(found.value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def stated(found: ReadValue | None) -> bool:
    """Whether the document says anything here, readable or not."""
    return bool(found and (found.value or found.readings))


def within(left: Decimal, right: Decimal, tolerance: Decimal = Decimal("0.005")) -> bool:
    """Equal to the cent, or to `tolerance`."""
    return abs(left - right) <= tolerance
