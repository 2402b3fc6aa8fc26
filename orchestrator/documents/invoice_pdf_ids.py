"""VAT numbers and the account on an invoice, by their form, the word in front of them and the block they stand in."""

import re
from collections import defaultdict
from collections.abc import Iterator

from .amounts import fold, iban_is_valid
from .invoice_pdf_totals import noisy_or
from .labels import CUSTOMER_WORDS, VAT_WORDS
from .labels_values import Candidate, Sheet
from .layout import Row
from .reading import ReadValue

VAT_PATTERNS = (
    r"ATU\d{8}|BE[01]\d{9}|BG\d{9,10}|CHE\d{9}|CY\d{8}[A-Z]|CZ\d{8,10}|DE\d{9}|DK\d{8}|EE\d{9}|EL\d{9}"
    r"|ES[A-Z0-9]\d{7}[A-Z0-9]"
    r"|FI\d{8}|FR[A-HJ-NP-Z0-9]{2}\d{9}|GB\d{9}(?:\d{3})?|HR\d{11}|HU\d{8}|IE\d[A-Z0-9]\d{5}[A-Z]{1,2}|IT\d{11}"
    r"|LT(?:\d{9}|\d{12})"
    r"|LU\d{8}|LV\d{11}|MT\d{8}|NL\d{9}B\d{2}|PL\d{10}|PT\d{9}|RO\d{2,10}|SE\d{12}|SI\d{8}|SK\d{10}"
)
_VAT = re.compile(rf"(?<![A-Z0-9])(?:{VAT_PATTERNS})(?![A-Z0-9])")
_VAT_SPACED = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2,3}U?[ .-]?[0-9A-Z]{2,4}(?:[ .-]?[0-9A-Z]{2,4}){1,5}(?![A-Za-z0-9])")
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?(?=[A-Z0-9]{0,3}\d)[A-Z0-9]{4}"
    r"| ?[A-Z]{4}(?= ?\d)){2,7}(?: ?\d{1,3})?(?![A-Za-z0-9])"
)
_BANK = re.compile(r"\bbic\b|\bswift\b|bank|sparkasse|konto|account")
IBAN_LENGTH = {
    "AT": 20,
    "BE": 16,
    "CH": 21,
    "DE": 22,
    "DK": 18,
    "ES": 24,
    "FI": 18,
    "FR": 27,
    "GB": 22,
    "IE": 22,
    "IT": 27,
    "LU": 20,
    "NL": 18,
    "PL": 28,
    "PT": 25,
    "SE": 24,
}


def read_vat_ids(sheet: Sheet, owner_of: dict[int, str]) -> dict[str, ReadValue]:
    """`seller.vat_id` and `buyer.vat_id`, by the form of each country, the word in front and the
    block it stands in (`owner_of`: identity of a cell → party)."""
    owners: dict[str, list[Candidate]] = {"seller": [], "buyer": []}
    for _, row in sheet.rows:
        for index, cell in enumerate(row.cells):
            for value, start, end in find_vat_ids(cell.text):
                before = _before(row, index, cell.text[:start])
                party = owner_of.get(id(cell)) or ("buyer" if CUSTOMER_WORDS.search(before) else "seller")
                source = "label" if VAT_WORDS.search(before) else "form"
                passage = cell.passage(start, end)
                owners[party].append(Candidate(f"{party}.vat_id", value, source, passage, cell.score))
    return {f"{party}.vat_id": _vote(found, {"label": 0.9, "form": 0.6}) for party, found in owners.items() if found}


def find_vat_ids(text: str) -> Iterator[tuple[str, int, int]]:
    for match in _VAT.finditer(text):
        yield match[0], match.start(), match.end()
    for match in _VAT_SPACED.finditer(text):
        squeezed = re.sub(r"[ .-]", "", match[0])
        if squeezed != match[0] and _VAT.fullmatch(squeezed):
            yield squeezed, match.start(), match.end()


def has_own_number(text: str) -> bool:
    """Whether a line holds a VAT id or an account that is not said to be the customer's."""
    number = next(find_vat_ids(text), None) or _IBAN.search(text)
    return bool(number) and not CUSTOMER_WORDS.search(fold(text))


def read_iban(sheet: Sheet) -> ReadValue | None:
    """The account to pay to. A wrong check digit is kept as read: the checks stop it."""
    found = []
    for _, row in sheet.rows:
        for index, cell in enumerate(row.cells):
            for match in _IBAN.finditer(cell.text):
                value = match[0].replace(" ", "")
                value = value[: IBAN_LENGTH.get(value[:2], 34)]
                before = _before(row, index, cell.text[: match.start()])
                labelled, valid = "iban" in before, iban_is_valid(value)
                by_bank = len(value) == IBAN_LENGTH.get(value[:2]) and _BANK.search(fold(row.text))
                if labelled or valid or by_bank:
                    source = (
                        "label+checksum"
                        if labelled and valid
                        else "checksum"
                        if valid
                        else "label"
                        if labelled
                        else "form"
                    )
                    passage = cell.passage(match.start(), match.end())
                    found.append(Candidate("iban", value, source, passage, cell.score))
    return _vote(found, {"label+checksum": 0.97, "checksum": 0.93, "label": 0.85, "form": 0.6}) if found else None


def _vote(found: list[Candidate], weights: dict[str, float]) -> ReadValue:
    """The value with most support; each further mention adds, each other value takes away."""
    by_value: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in found:
        by_value[candidate.value].append(candidate)
    support = {
        value: noisy_or([max(weights[c.source] for c in group), *([0.5] if len(group) > 1 else [])])
        for value, group in by_value.items()
    }
    best = max(support, key=lambda value: support[value])
    doubt = max((s for value, s in support.items() if value != best), default=0.0)
    only = 0.5 if len(support) == 1 else 0.0
    group = by_value[best]
    confidence = noisy_or([support[best], only]) * (1 - 0.5 * doubt) * min(c.score for c in group)
    readings = {c.source: c.value for c in reversed(found)}
    return ReadValue(
        value=best, confidence=round(confidence, 3), passages=[c.passage for c in group][:3], readings=readings
    )


def _before(row: Row, index: int, head: str) -> str:
    """What stands in front of a value: the cell to its left and the head of its own."""
    return fold("  ".join([*(cell.text for cell in row.cells[max(0, index - 1) : index]), head]))
