"""Invoices without structured data: the fields of a text PDF or of a recognised scan, each with where it stands.

Two readings go over every document, one by place and one by the order of the text in the file; the totals are confirmed
by arithmetic, names and numbers by their repetition. How far they agree is the confidence.
"""

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain, zip_longest

from .amounts import Found, find_dates, fold, plain, squeeze
from .invoice_checks import check_invoice
from .invoice_pdf_ids import read_iban, read_vat_ids
from .invoice_pdf_parties import find_blocks, read_names
from .invoice_pdf_totals import WEIGHTS, InvoiceLine, find_lines, noisy_or, settle_totals
from .labels import CREDIT_TITLES, EITHER_REFERENCE, KINDS
from .labels_values import Candidate, Sheet, read_by_order, read_by_place, value_after
from .layout import Cell, Page, check_quote
from .reading import Check, Passage, Reading, ReadValue

READER = "invoice-page/1"
REQUIRED = ("invoice_number", "issue_date", "currency", "seller.name", "net_total", "gross_total", "payable")
EXPECTED = ("buyer.name", "seller.vat_id", "tax_total")

_BETWEEN = (
    r"(?:\s(?!gema|zu[rm]? (?:bestell|auftrag)|fur|bestell|auftrag|order|kunde|vertrag|steuer|ust|vat|from|is)[a-z]+)"
    r"{0,3}"
)
_TITLE = re.compile(
    rf"(?<![\w-])(?:[a-z]*rechnung|rechnungs-?korrektur|invoice|facture|factuur|gutschrift|credit note|avoir)"
    rf"(?:{_BETWEEN}(?:\s?\([^)]{{1,40}}\)){{0,2}}\s?(?P<no>(?:nr|no|number|nummer)\b\.?\s*|[#n]\s?°?\s?(?=\d)"
    rf"|n°\s*|#\s*)|\s):?\s*"
    r"(?P<value>(?=[\w./-]*\d)[a-z0-9][\w./-]*\w)(?P<rest>.{0,40})"
)
_SAID_BY_MISSING = {"BR-02", "BR-03", "BR-05", "BR-06", "BR-07", "BR-12", "BR-13", "BR-14", "BR-15"}
_DATED = re.compile(r"\s*(?:vom|von|du|dated|issued (?:at|on)|date|van|of|,)?\s*$")
USUAL_TERMS = {0, 7, 8, 10, 14, 15, 20, 21, 28, 29, 30, 31, 45, 60, 61, 90}  # days; a month is 28 to 31
_SYMBOLS = {"€": "EUR", "£": "GBP", "$": "USD"}
_CURRENCY = re.compile(
    r"(?<![A-Za-z])(EUR|USD|GBP|CHF|DKK|SEK|NOK|PLN|CZK|HUF|DEM|MYR|JPY|CAD|AUD)(?![A-Za-z])|([€£$])"
)
_NAMED_CURRENCY = re.compile(r"wahrung|currency|devise|valuta")


def read_invoice_pages(pages: list[Page], *, reader: str = READER) -> Reading:
    """The invoice on these pages. Absent fields are left out; checks say what keeps it from passing by itself."""
    sheet = Sheet(pages)
    candidates = list(chain(read_by_place(sheet), read_by_order(sheet), _read_title(sheet)))
    lines = find_lines(sheet)
    fields = _codes_and_dates(sheet, candidates)
    fields |= settle_totals(sheet, (c for c in candidates if KINDS.get(c.field) == "amount"), lines)
    blocks = find_blocks(sheet)
    owner_of = {id(cell): block.party for block in blocks for cell in block.cells}
    fields |= read_names(sheet, blocks) | read_vat_ids(sheet, owner_of)
    fields |= {
        name: value for name, value in (("iban", read_iban(sheet)), ("currency", _read_currency(sheet))) if value
    }
    fields["document_type"] = _document_type(sheet, fields)
    reading = Reading(kind="invoice", reader=reader, fields=fields, lines=[_line(line) for line in lines])
    reading.checks = list(chain(_missing(reading), _consistency(reading), _hidden(pages), _quotes(reading, pages)))
    reading.confidence = document_confidence(reading)
    return reading


def document_confidence(reading: Reading) -> float:
    """As good as the weakest value that matters; 0 where a required one is missing."""
    if any(reading.value(name) is None for name in REQUIRED):
        return 0.0
    ignored = {"allowances", "charges", "document_type"}
    return min(value.confidence for name, value in reading.fields.items() if value.value and name not in ignored)


def _read_title(sheet: Sheet) -> Iterable[Candidate]:
    """ "Rechnung Nr. 4711 vom 13.06.2018": number and date in the heading, once by place and once by order."""
    for page in sheet.pages:
        for row, lower in zip_longest(page.rows, page.rows[1:]):
            for cell in row.cells:
                yield from _title_in(sheet, cell, lower.cells[0] if lower else None, "title")
        for line, following in zip_longest(page.stream, page.stream[1:]):
            yield from _title_in(sheet, line, following, "title-order")


def _title_in(sheet: Sheet, cell: Cell, following: Cell | None, source: str) -> Iterable[Candidate]:
    match = _TITLE.search(fold(cell.text))
    if not match or (match.start() > 12 and not match["no"]):
        return
    found = value_after(sheet, cell.text, match.start("value"), match.end("value"), "code")
    if not found:
        return
    dated = _title_date(sheet, cell, following, match)
    if dated and source == "title":
        source = "title-dated"
    yield Candidate("invoice_number", found.value, source, cell.passage(found.start, found.end), cell.score)
    if dated:
        where, date, start = dated
        at = where.passage(start + date.start, start + date.end)
        yield Candidate("issue_date", date.value, source, at, where.score, not date.certain)


def _title_date(sheet: Sheet, cell: Cell, following: Cell | None, match: re.Match) -> tuple[Cell, Found, int] | None:
    """The date after the number, or at the head of the next line when the line breaks off at "vom"."""
    for date in find_dates(match["rest"], sheet.order):
        if _DATED.fullmatch(match["rest"][: date.start]):
            return cell, date, match.start("rest")
    if following and (not match["rest"].strip() or _DATED.fullmatch(match["rest"])):
        for date in find_dates(following.text, sheet.order):
            if _DATED.fullmatch(fold(following.text[: date.start])) and (date.start or match["rest"].strip()):
                return following, date, 0
    return None


def _codes_and_dates(sheet: Sheet, candidates: list[Candidate]) -> dict[str, ReadValue]:
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        if KINDS[candidate.field] in ("code", "date"):
            groups[candidate.field].append(candidate)
    numbers = {squeeze(c.value) for c in groups.get("invoice_number", ())}
    fields = {}
    for name, group in groups.items():
        if any(c.source == "title-dated" for c in group):
            dated = {c.value for c in group if c.source == "title-dated"}
            group = [c for c in group if c.value in dated or not c.source.startswith("title")]
        group = [c for c in group if not c.unsure] or group  # explicit wording comes before a bare "Date"
        if name.endswith("_reference"):
            group = [c for c in group if squeeze(c.value) not in numbers] or group
        fields[name] = _agree(sheet, group)
    _share_reference(fields)
    _confirm_dates(fields)
    return fields


def _share_reference(fields: dict[str, ReadValue]) -> None:
    """ "Your order: AB321" is order and reference alike, unless a plainer label says what the one or the other is."""
    shared = fields.pop(EITHER_REFERENCE, None)
    for name in ("order_reference", "buyer_reference") if shared else ():
        fields.setdefault(name, shared.model_copy(deep=True))


def _confirm_dates(fields: dict[str, ReadValue]) -> None:
    """Two dates that lie a usual term apart are hardly the dates of something else."""
    issued, due = fields.get("issue_date"), fields.get("due_date")
    if issued and due and issued.value and due.value:
        days = (dt.date.fromisoformat(due.value) - dt.date.fromisoformat(issued.value)).days
        for date in (issued, due) if days in USUAL_TERMS else ():
            date.confidence = round(noisy_or([date.confidence, WEIGHTS["term"]]), 3)
            date.readings["term"] = date.value


def _agree(sheet: Sheet, group: list[Candidate]) -> ReadValue:
    """The value most readings agree on. One that also stands elsewhere in the document is more likely a real one."""
    by_value: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in group:
        by_value[candidate.value].append(candidate)
    support = {value: _support(sheet, value, found) for value, found in by_value.items()}
    best = max(support, key=lambda value: support[value])
    doubt = max((s for value, s in support.items() if value != best), default=0.0)
    found = by_value[best]
    confidence = support[best] * (1 - 0.5 * doubt) * max(c.score for c in found)
    readings = {c.source: c.value for c in reversed(group)} | {c.source: c.value for c in found}
    passages = list({(c.passage.page, c.passage.box): c.passage for c in found}.values())
    return ReadValue(value=best, confidence=round(confidence, 3), passages=passages[:3], readings=readings)


def _support(sheet: Sheet, value: str, found: list[Candidate]) -> float:
    weights = {c.source: WEIGHTS[c.source] * (0.7 if c.unsure else 1) for c in sorted(found, key=lambda c: -c.unsure)}
    key = squeeze(value)
    if len(key) >= 5 and sum(squeeze(text).count(key) for text in sheet.texts) > 1:
        weights["repeated"] = 0.5
    total = noisy_or(weights.values())
    return min(total, 0.8) if all(c.unsure for c in found) else total


def _read_currency(sheet: Sheet) -> ReadValue | None:
    """The currency: named by a label, written at the amounts, or their symbol. A dollar sign alone is not yet USD."""
    votes: Counter[str] = Counter()
    first: dict[str, Passage] = {}
    spelled: set[str] = set()
    named: set[str] = set()
    for _, row in sheet.rows:
        for index, cell in enumerate(row.cells):
            for match in _CURRENCY.finditer(cell.text):
                code = match[1] or _SYMBOLS[match[2]]
                votes[code] += 1
                spelled |= {match[1]} if match[1] else set()
                first.setdefault(code, cell.passage(match.start(), match.end()))
                before = fold(
                    " ".join([*(c.text for c in row.cells[max(0, index - 1) : index]), cell.text[: match.start()]])
                )
                if _NAMED_CURRENCY.search(before) and match[1]:
                    named.add(code)
    if not votes:
        return None
    code = next(iter(named)) if len(named) == 1 else votes.most_common(1)[0][0]
    written = code in named or re.search(r"\bus dollars?\b", sheet.folded) is not None
    weights = [0.95] if written else [0.9 if {code} == spelled else 0.5 if code == "USD" else 0.8]
    weights += [0.6] if votes[code] >= 2 else []
    weights += [0.4] if votes[code] >= 4 else []
    doubt = (sum(votes.values()) - votes[code]) / sum(votes.values())
    confidence = noisy_or(weights) * (1 - (0.2 if written else 0.8) * doubt)
    return ReadValue(
        value=code,
        confidence=round(confidence, 3),
        passages=[first[code]],
        readings={f"x{n}": c for c, n in votes.items()},
    )


def _document_type(sheet: Sheet, fields: dict[str, ReadValue]) -> ReadValue:
    """Invoice or credit note, by the printed type code (UNTDID 1001), the words of the title and the sign."""
    head = fold("\n".join(row.text for _, row in sheet.rows[:40]))
    code = re.search(r"\((3[2-9]\d|5[0-9]\d|751|875|876|877)\)", head)
    gross = fields.get("gross_total")
    negative = bool(gross and gross.value and gross.value.startswith("-"))
    titled = code[1] in ("381", "384", "396") if code else bool(CREDIT_TITLES.search(head))
    weights = [0.9] if code else [0.8]
    return ReadValue(value="credit_note" if titled or negative else "invoice", confidence=noisy_or(weights))


def _line(line: InvoiceLine) -> dict[str, ReadValue]:
    """A line's numbers obey quantity × price = amount, which is why they were taken for a line at all."""
    values = {"quantity": line.quantity, "unit_price": line.unit_price, "net_amount": line.net_amount}
    result = {
        name: ReadValue(value=plain(value), confidence=0.9, passages=[line.passages[name]])
        for name, value in values.items()
    }
    return {"name": ReadValue(value=line.name, confidence=0.7), **result}


def _missing(reading: Reading) -> Iterable[Check]:
    for name in (*REQUIRED, *EXPECTED):
        if reading.value(name) is None:
            words = name.replace(".", " ").replace("_", " ").replace("vat", "VAT")
            untaxed = name == "seller.vat_id" and reading.value("tax_total") == "0"  # nothing to deduct: no id needed
            message = f"No {words} was found on the page."
            yield Check(id="field-not-found", severity="note" if untaxed else "stop", message=message, fields=[name])


def _consistency(reading: Reading) -> Iterable[Check]:
    """The rules of structured invoices over the header values; lines of a page are read too loosely to be judged by."""
    header = reading.model_copy(update={"lines": []})
    yield from (check for check in check_invoice(header) if check.id not in _SAID_BY_MISSING)
    for name in ("net_total", "tax_total", "gross_total"):
        value = reading.fields.get(name)
        if value and value.value and "arithmetic" not in value.readings:
            message = f"Net, tax and gross do not add up: {_sum_text(reading)}."
            yield Check(id="totals-add-up", severity="stop", message=message, fields=[name])
            return


def _sum_text(reading: Reading) -> str:
    return ", ".join(
        f"{n.split('_')[0]} {reading.value(n) or 'not found'}" for n in ("net_total", "tax_total", "gross_total")
    )


def _hidden(pages: list[Page]) -> Iterable[Check]:
    for page in pages:
        text = " ".join(page.hidden)
        if sum(char.isalnum() for char in text) >= 4:
            message = f"Page {page.number} holds text that cannot be seen on it: “{text[:160]}”. It was not read."
            yield Check(id="hidden-text", severity="stop", message=message)


def _quotes(reading: Reading, pages: list[Page]) -> Iterable[Check]:
    """Every quote must stand in the text of its page; a value with one that does not is not believed."""
    texts = {page.number: page.to_text().text for page in pages}
    for name, value in reading.fields.items():
        bad = [
            p.quote for p in value.passages if p.page and p.quote and not check_quote(p.quote, texts.get(p.page, ""))
        ]
        if bad:
            value.confidence = min(value.confidence, 0.3)
            yield Check(
                id="quote-not-found", severity="stop", message=f"“{bad[0]}” is not in the page text.", fields=[name]
            )
