"""A PDF that carries its invoice twice, as XML and as a page: what differs between the two is put before a person."""

import re
from decimal import Decimal, InvalidOperation
from typing import Literal

from .amounts import find_amounts, find_dates, infer_date_order, infer_decimal_mark, squeeze
from .einvoice import read_einvoice
from .invoice_pdf_totals import noisy_or
from .layout import Page
from .media_type import sniff
from .reading import Check, Reading, ReadValue

MONEY = ("line_total", "net_total", "tax_total", "gross_total", "prepaid", "payable")
IDENTITY = ("invoice_number", "issue_date", "currency", "iban", "seller.name", "seller.vat_id")
OTHERS = ("due_date", "order_reference", "contract_reference", "buyer_reference", "buyer.name", "buyer.vat_id")
MUST_BE_PRINTED = ("invoice_number", "gross_total", "seller.name")
Severity = Literal["stop", "note"]

DATA, PAGE = "data", "page"  # the names of the two readings, as people see them
BELIEVED = 0.85  # a page value read with this much confidence contradicts the XML; below, the page was misread
ON_PAGE = 0.9  # weight of the page's agreement


def read_attachments(attachments: list[tuple[str, bytes]]) -> tuple[Reading | None, list[Check]]:
    """The invoice embedded as XML, or None, and what is wrong with the attachments."""
    readings = [(name, read_einvoice(data)) for name, data in attachments if _is_xml(data)]
    good = [(name, reading) for name, reading in readings if not reading.refusal]
    checks = [_unreadable(name, reading.refusal) for name, reading in readings if reading.refusal]
    if not good:
        return None, checks
    return good[0][1], checks + [_rival(good[0], other) for other in good[1:] if _differ(good[0][1], other[1])]


def _is_xml(data: bytes) -> bool:
    return sniff(data) == "application/xml"


def _unreadable(name: str, reason: str) -> Check:
    message = f"The invoice data embedded in the PDF ({name[:60]}) cannot be read: {reason}"
    return Check(id="embedded-xml-unreadable", severity="stop", message=message)


def _differ(first: Reading, second: Reading) -> bool:
    return any(first.value(name) != second.value(name) for name in (*MONEY, *IDENTITY))


def _rival(first: tuple[str, Reading], second: tuple[str, Reading]) -> Check:
    names = [n for n in (*IDENTITY, *MONEY) if first[1].value(n) != second[1].value(n)]
    said = ", ".join(f"{n}: {first[1].value(n)} / {second[1].value(n)}" for n in names[:4])
    message = f"The PDF holds two different invoices as data, {first[0][:60]} and {second[0][:60]} ({said})."
    return Check(id="embedded-xml-rival", severity="stop", message=message, fields=names)


def merge(xml: Reading, page: Reading, pages: list[Page]) -> Reading:
    """The XML's values with the page's passages as evidence. A disagreement on money or identity stops."""
    merged = xml.model_copy(deep=True)
    merged.reader = f"hybrid/1 ({xml.reader} + {page.reader})"
    printed = _Printed(pages)
    for name in (*MONEY, *IDENTITY, *OTHERS):
        value, seen = merged.fields.get(name), page.fields.get(name)
        if value is None or value.value is None:
            if seen and seen.value and seen.confidence >= BELIEVED and name in (*IDENTITY, "payable", "gross_total"):
                merged.checks.append(_only_on_page(name, seen))
                said = {DATA: None, PAGE: seen.value}
                merged.fields[name] = ReadValue(value=None, passages=seen.passages, readings=said)
            continue
        merged.checks.extend(_compare(name, value, seen, printed))
    merged.checks.extend(check for check in page.checks if check.id in _seen_on_page(xml))
    merged.confidence = _confidence(merged)
    return merged


def _seen_on_page(xml: Reading) -> set[str]:
    """What only the page can show; a wrong account on it where the data names none would be paid to all the same."""
    seen = {"hidden-text", "text-image-differ", "text-over-picture", "quote-not-found"}
    return seen if xml.value("iban") else seen | {"iban-checksum"}


def _compare(name: str, value: ReadValue, seen: ReadValue | None, printed: "_Printed") -> list[Check]:
    value.readings = {**value.readings, DATA: value.value, PAGE: seen.value if seen else None}
    if seen:  # what can be looked at comes first
        value.passages = [*seen.passages, *value.passages]
    if seen and _same(name, value.value, seen.value):
        value.confidence = round(noisy_or([value.confidence, ON_PAGE * seen.confidence]), 3)
        return []
    stands = printed.has(name, value.value or "")
    if (
        seen
        and seen.value is not None
        and (seen.confidence >= BELIEVED or not stands)
        and not _is_part(name, value, seen)
    ):
        value.confidence = round(value.confidence * 0.5, 3)
        severity: Severity = "stop" if name in (*MONEY, *IDENTITY) else "note"
        said = (_shown(name, value.value), _shown(name, seen.value))
        message = f"{_words(name)}: the embedded data says {said[0]}, the page says {said[1]}."
        return [Check(id="page-differs", severity=severity, message=message, fields=[name])]
    if not stands and name in MUST_BE_PRINTED:
        message = (
            f"{_words(name)}: the embedded data says {_shown(name, value.value)}, which is not printed on the page."
        )
        return [Check(id="not-on-page", severity="stop", message=message, fields=[name])]
    return []


def _is_part(name: str, value: ReadValue, seen: ReadValue) -> bool:
    """A name with or without its legal form or a second line is the same party."""
    a, b = squeeze(value.value or ""), squeeze(seen.value or "")
    return name.endswith("name") and min(len(a), len(b)) >= 4 and (a in b or b in a)


def _only_on_page(name: str, seen: ReadValue) -> Check:
    message = f"{_words(name)}: the page says {_shown(name, seen.value)}, the embedded data says nothing."
    severity: Severity = "stop" if name in ("iban", "payable", "gross_total") else "note"
    return Check(id="only-on-page", severity=severity, message=message, fields=[name])


def _words(name: str) -> str:
    return name.replace(".", " ").replace("_", " ").capitalize()


def _shown(name: str, value: str | None) -> str:
    """An amount with its cents, anything else as it was read."""
    return (
        f"{Decimal(value):,.2f}" if value and name in MONEY and re.fullmatch(r"-?\d+(\.\d+)?", value) else value or ""
    )


def _same(name: str, first: str | None, second: str | None) -> bool:
    if first is None or second is None:
        return False
    if name in MONEY:
        try:
            return Decimal(first) == Decimal(second)
        except InvalidOperation:
            return False
    return squeeze(first) == squeeze(second)


def _confidence(reading: Reading) -> float:
    compared = [reading.fields[n].confidence for n in (*IDENTITY, "gross_total", "payable") if reading.value(n)]
    return round(min([reading.confidence, *compared], default=0.0) if compared else 0.0, 3)


class _Printed:
    """Whether a value stands anywhere on the pages, in whatever notation."""

    def __init__(self, pages: list[Page]) -> None:
        rows = [row.text for page in pages for row in page.rows]
        self.text = squeeze(" ".join(rows))
        mark, order = infer_decimal_mark(rows), infer_date_order(rows)
        self.amounts = {abs(Decimal(found.value)) for row in rows for found in find_amounts(row, mark)}
        self.dates = {found.value for row in rows for found in find_dates(row, order)}

    def has(self, name: str, value: str) -> bool:
        if name in MONEY:
            return abs(Decimal(value)) in self.amounts
        if name.endswith("date"):
            return value in self.dates
        return squeeze(value) in self.text
