"""What a reading itself contradicts, in the form people decide on. No Django."""

import re
from collections.abc import Mapping

from orchestrator.documents.hybrid import DATA, PAGE
from orchestrator.documents.reading import Check, Reading

from .findings import Discrepancy, Option

# Rules about the sums of one document, and rules that have a name of their own among the differences.
_TOTALS = re.compile(r"BR-CO-1[0-7]|BR-[A-Z]{1,2}-0[89]|total-.*|header-.*")
_TITLES = {
    "header_inconsistent": "Totals do not add up",
    "line_inconsistent": "Line does not add up",
    "value_missing": "Missing",
    "iban_checksum": "Bank account is not valid",
    "credit_note": "Credit note",
    "payable_not_positive": "Nothing to pay",
    "due_before_issue": "Dates contradict each other",
    "readings_differ": "Readings differ",
}
# How a value was found on a page, in words for a reviewer.
SOURCES = {
    "beside": "beside its label",
    "below": "under its label",
    "order": "after its label in the file",
    "title": "in the title",
    "title-dated": "in the title",
    "title-order": "in the title",
    "term": "by the usual term",
    "printed": "printed elsewhere",
    "arithmetic": "by the sums",
    "taxes": "by the tax rates",
    "lines": "by the lines",
    "untaxed": "no tax is named",
    "second look": "read a second time",
    "label+checksum": "beside its label",
    "checksum": "check digits fit",
    "label": "beside its label",
    "form": "by its form",
}
_MISSING = re.compile(r"BR-(0[2-9]|1[0-6]|2[1-6])")


def reading_differences(reading: Reading) -> list[Discrepancy]:
    """One difference for every check that stops, then one for every value that was read in different ways."""
    stops = [check for check in reading.checks if check.severity == "stop"]
    told = {field for check in stops for field in check.fields}
    disputed = {name: found for name, found in reading.fields.items() if len(set(found.readings.values())) > 1}
    differ = [_disagreement(reading, name) for name in disputed if name not in told]
    return [_from_check(reading, check) for check in stops] + differ


def kind_of(check_id: str) -> str:
    """The kind of difference a check is about: "BR-CO-15" → "header_inconsistent", else its id with underscores."""
    if _TOTALS.fullmatch(check_id):
        return "header_inconsistent"
    if _MISSING.fullmatch(check_id):
        return "value_missing"
    if check_id == "line-arithmetic":
        return "line_inconsistent"
    return re.sub(r"[^a-z0-9]+", "_", check_id.lower())


def _from_check(reading: Reading, check: Check) -> Discrepancy:
    kind, field = kind_of(check.id), check.fields[0] if check.fields else ""
    line = line_id(reading, field)
    title = _TITLES.get(kind) or (label(field) if field else "A check does not hold")
    if kind == "value_missing":
        title = f"{title}: {label(field).lower()}"
    return Discrepancy(
        kind=kind,
        severity="stop",
        title=f"{title}, line {line}" if line else title,
        message=check.message,
        line=line,
        pointer=pointer_of(reading, field),
        options=_options(reading, field),
    )


def _disagreement(reading: Reading, name: str) -> Discrepancy:
    said = "; ".join(f"{who}: {value or 'nothing'}" for who, value in _in_words(reading.fields[name].readings))
    return Discrepancy(
        kind="readings_differ",
        severity="note",
        title=f"{_TITLES['readings_differ']}: {label(name).lower()}",
        message=f"The {label(name).lower()} was read in different ways ({said}).",
        pointer=pointer_of(reading, name),
        options=_options(reading, name),
    )


def label(field: str) -> str:
    """ "seller.vat_id" → "Seller VAT id", "lines.0.unit_price" → "Unit price"."""
    words = re.sub(r"^lines\.\d+\.", "", field).replace("_", " ").replace(".", " ")
    for short in ("vat", "iban"):
        words = re.sub(rf"\b{short}\b", short.upper(), words)
    return words[:1].upper() + words[1:]


def line_id(reading: Reading, field: str) -> str | None:
    """The document's own id of the line a field such as "lines.0.quantity" belongs to."""
    position = re.match(r"lines\.(\d+)\.", field)
    if position is None or int(position[1]) >= len(reading.lines):
        return None
    found = reading.lines[int(position[1])].get("id")
    return (found.value if found else None) or str(int(position[1]) + 1)


def pointer_of(reading: Reading, field: str) -> str | None:
    """Where a correction of the field would go, in the case data; None for what is no single value."""
    parts = field.split(".")
    known = field in reading.fields or (parts[0] == "lines" and len(parts) == 3)
    return "/read/invoice/" + "/".join(parts) if known and parts[0] not in ("vat", "allowance", "charge") else None


def _options(reading: Reading, field: str) -> list[Option]:
    """What each reading said. A PDF with data in it says "data" and "page"; elsewhere the value read is first."""
    found = reading.fields.get(field)
    if found is None:
        return []
    both = {source: found.readings[source] for source in (DATA, PAGE) if source in found.readings}
    values = {"invoice": found.value} if found.value is not None else {}
    said = both if len(both) > 1 else {**values, **found.readings}
    return [Option(value=value, source=source) for source, value in _in_words(said)]


def _in_words(readings: Mapping[str, str | None]) -> list[tuple[str, str | None]]:
    """Who said what, each said once."""
    return list(dict.fromkeys((SOURCES.get(source, source), value) for source, value in readings.items()))
