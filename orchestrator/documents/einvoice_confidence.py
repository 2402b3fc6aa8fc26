"""How far a value read from a structured invoice can be relied on.

An element names its value, so misreading is not the question; whether the document contradicts itself is. Every rule
that applied is a statement of the document about the fields it names: one that holds supports them, a stop that does
not hold speaks against them. Unsupported values keep the doubt that nothing else in the document bears them out.
"""

from collections import Counter

from orchestrator.documents.invoice_checks_outcome import Outcome
from orchestrator.documents.reading import Reading, ReadValue

UNSUPPORTED = 0.06  # doubt about a value that no other statement of the document touches
SHRINK = 0.4  # each supporting statement leaves this share of the doubt
LEAST_DOUBT = 0.001
CONTRADICTED = 0.5  # each contradicting statement halves what confidence is left

# What a payment hangs on: the reading is as good as the weakest of these.
DECISIVE = frozenset(
    {"invoice_number", "issue_date", "due_date", "currency", "document_type", "seller.name", "seller.vat_id", "iban",
     "line_total", "net_total", "tax_total", "gross_total", "payable"}
)  # fmt: skip


def weigh(reading: Reading, outcomes: list[Outcome]) -> None:
    """Set the confidence of every value and of the reading from the rules that applied to it."""
    support: Counter[str] = Counter()
    against: Counter[str] = Counter()
    for outcome in outcomes:
        if outcome.holds:
            support.update(outcome.check.fields)
        elif outcome.check.severity == "stop":
            against.update(outcome.check.fields)
    support.update(_corroborated(reading))
    for name, value in reading.fields.items():
        value.confidence = confidence(support[name], against[name])
    for index, line in enumerate(reading.lines):
        for name, value in line.items():
            key = f"lines.{index}.{name}"
            value.confidence = confidence(support[key], against[key])
    reading.confidence = min((value.confidence for value in _decisive(reading)), default=0.0)
    if any(not o.holds and o.check.severity == "stop" for o in outcomes):
        reading.confidence = min(reading.confidence, CONTRADICTED)


def confidence(support: int, against: int) -> float:
    """From 0 to 1, by the number of statements for and against a value."""
    doubt = max(UNSUPPORTED * SHRINK**support, LEAST_DOUBT)
    return round((1 - doubt) * CONTRADICTED**against, 4)


def _decisive(reading: Reading) -> list[ReadValue]:
    header = [value for name, value in reading.fields.items() if name in DECISIVE and (value.value or value.readings)]
    lines = [value for line in reading.lines for value in (line.get("quantity"), line.get("net_amount")) if value]
    return header + lines


def _corroborated(reading: Reading) -> list[str]:
    """Fields that a second, independent statement of the document repeats."""
    found = []
    country = reading.value("seller.country")
    if country and (reading.value("seller.vat_id") or "")[:2].upper() == country:
        found += ["seller.country", "seller.vat_id"]
    if country and (reading.value("iban") or "")[:2].upper() == country:
        found += ["seller.country", "iban"]
    if reading.value("seller.name") in (reading.value("account_name"), reading.value("seller.trading_name")):
        found.append("seller.name")
    if reading.value("invoice_number") and reading.value("invoice_number") in (
        reading.value("payment_reference") or ""
    ):
        found.append("invoice_number")
    return found
