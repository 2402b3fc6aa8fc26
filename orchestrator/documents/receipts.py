"""Shop receipts, recognised or as text: company, date, total, address, currency; and whether two are the same receipt.

A receipt says its total several times over: by a label, as cash less change, as the card's amount, as the sum of its
parts. The more of them agree, the surer the value.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .amounts import Found, find_amounts, find_dates, fold, infer_date_order
from .invoice_pdf_totals import noisy_or
from .layout import Cell, Page, Row, check_quote, legible
from .reading import Check, Passage, Reading, ReadValue
from .receipts_shop import read_shop

READER = "receipt/1"
CENTS = Decimal("0.04")  # cash is rounded to five
REQUIRED = ("company", "date", "total")

WEIGHTS = {
    "label": 0.75,
    "strong": 0.5,
    "subtotal": 0.5,
    "cash-change": 0.9,
    "card": 0.6,
    "parts": 0.8,
    "items": 0.75,
    "repeated": 0.4,
    "largest": 0.25,
}

_GRAND = re.compile(
    r"\b(?:grand|nett?|final|rounded|round d) ?(?:total|amt|amount)\b|\btot[ae][li1]\b|\bttl?\b|\btl\b"
    r"|\bam(?:oun)?t (?:due|payable|paid|to be paid)\b"
    r"|\bbalance due\b|\bjumlah(?: besar)?\b|\bsumme\b|\bgesamt\w*|\btotaal\b|\bzu zahlen\b|\bnet (?:rm|payable)\b"
    r"|\(inclusive of (?:gst|tax)|\bto be paid\b"
)
_BESIDE = re.compile(r"\b(?:total (?:saving|discount)s?|items?|qty|pcs)\s?[:.]?\s?\d+(?:\.\d+)?\b")
_NOT_TOTAL = re.compile(
    r"\bsub ?-?total|zwischensumme|\btotal (?:qty|quantity|items?|pcs|no|number|discount|savings?|gst|tax|vat|sst"
    r"|disc|\d+ ?%)|\bqty\b|\bitems?\b"
    r"|excl|before|ex\.? ?gst|\bexc\b|discount|saving|\bpoints?\b|\btax (?:amt|amount)\b|w/?o gst|\bnon ?tax"
    r"|without|supplies"
    r"|\bitem\(s\)|^gst|\brounding (?:adj|adjustment)$|\bservice\b|\bearned\b"
)
_SUMMARY = re.compile(r"(?:gst|tax|sst|vat) ?(?:summary|analysis|code)")
_SUMMARY_HEAD = re.compile(r"(?:amount|amt|goods)\W+(?:\(?rm\W*)?(?:tax|gst)")
_STRONG = re.compile(
    r"grand|nett? ?total|rounded|round d|after|atf|total (?:due|payable|amount|incl|sales.*incl)|inclusive"
    r"|amount due|payable|to be paid"
)
_CASH = re.compile(
    r"\b(?:cash|tunai|bar|gegeben|paid|payment|tender(?:ed)?|received|amount paid|bayar|contant|especes)\b"
)
_CHANGE = re.compile(r"\b(?:change|baki|ruckgeld|wechselgeld|wisselgeld|rendu|balance)\b")
_CARD = re.compile(r"\b(?:visa|master ?card|amex|credit card|debit|card|maestro|girocard|ec-?karte|bank ?card)\b")
_PART = re.compile(
    r"\b(?:gst|vat|mwst|ust|sst|tax|service|serv\.?|svc|charge|rounding|round(?:ed)?|rnd|discount|disc|rabatt|tip)\b"
)
_NET = re.compile(
    r"\bsub ?-?total\b|\bexcl\w*|\btotal sales \(excl\w*|\bnet amount\b|zwischensumme|\bbefore (?:tax|gst)\b"
)
_SUBTOTAL = re.compile(r"\bsub ?-?total\b|zwischensumme")

_DATE_WORDS = re.compile(r"\b(?:date|datum|tarikh|dated?)\b")
_TIME = re.compile(r"(?<!\d)([01]?\d|2[0-3])\s?[:.]\s?([0-5]\d)(?:\s?[:.]\s?([0-5]\d))?\s?(am|pm)?(?!\d)")
_CLOCK = re.compile(r"(?<!\d)\d{1,2}:[0-5]\d(?!\d)")
_NUMBER = re.compile(
    r"\b(?:invoice|inv|receipt|rcpt|bill|doc(?:ument)?|ticket|trans(?:action)?|trx|slip|check|chk|order|beleg|bon"
    r"|rechnung|cb|tax invoice|sales)"
    r"\s?(?:no|number|nr|num|#|id)\b\s?[.:#]*\s*(?P<value>[a-z0-9][\w/\-]*)?"
)


@dataclass
class Sum:
    """One amount that may be the total, with what speaks for it."""

    value: Decimal
    sources: set[str] = field(default_factory=set)
    passages: list[Passage] = field(default_factory=list)
    score: float = 1.0

    def support(self) -> float:
        return noisy_or(WEIGHTS[source] for source in self.sources)


_DOLLARS = re.compile(r"\busd\b|us\$|\busa\b|(?<![a-z])\$\s?\d")


@dataclass
class Paper:
    """A receipt under reading: rows of all its pages, with the amounts of each."""

    pages: list[Page]

    def __post_init__(self) -> None:
        self.rows: list[Row] = [row for page in self.pages for row in page.rows]
        self.texts = [_BESIDE.sub(" ", fold(row.text)) for row in self.rows]
        self.end = _end_of_sums(self.texts)
        self.order = infer_date_order(row.text for row in self.rows)
        if self.order is None and not any(_DOLLARS.search(text) for text in map(fold, self._lines())):
            self.order = "dmy"  # the custom everywhere but in the United States
        self.amounts = [list(_money(row)) for row in self.rows]

    def _lines(self) -> list[str]:
        return [row.text for row in self.rows]


def _end_of_sums(texts: list[str]) -> int:
    """Where the table of taxes begins: what it calls total is a total of taxes."""
    seen = False
    for index, text in enumerate(texts):
        if seen and (_SUMMARY.search(text) or _SUMMARY_HEAD.search(text)):
            return index
        seen = seen or bool(_GRAND.search(text) and not re.search(r"qty|price", text))
    return len(texts)


def read_receipt_pages(pages: list[Page], *, reader: str = READER) -> Reading:
    """The receipt on these pages. Absent fields are left out."""
    paper = Paper(pages)
    found = {
        "total": _read_total(paper),
        "date": _read_date(paper),
        "time": _read_time(paper),
        "receipt_number": _read_number(paper),
        "currency": _read_currency(paper),
        **read_shop(paper.rows),
    }
    reading = Reading(kind="receipt", reader=reader, fields={name: value for name, value in found.items() if value})
    reading.checks = [*_missing(reading), *_quotes(reading, pages)]
    present = all(reading.value(name) for name in REQUIRED)
    reading.confidence = min(reading.fields[name].confidence for name in REQUIRED) if present else 0.0
    return reading


def _money(row: Row) -> Iterator[tuple[Decimal, Cell, Found]]:
    """Amounts with two decimals; a space that recognition put beside the point is closed."""
    for cell in row.cells:
        text = re.sub(r"(?<=\d)( ?)([.,])( ?)(?=\d{2}(?!\d))", _closed, cell.text)
        for found in find_amounts(text, "."):
            if re.search(r"[.,]\d{2}\D*$", text[found.start : found.end]):
                yield Decimal(found.value), cell, found


def _closed(match: re.Match) -> str:
    return match[2] if match[1] or match[3] else match[0]


def _read_total(paper: Paper) -> ReadValue | None:
    sums: dict[Decimal, Sum] = {}
    for value, cell, found, strong in _labelled(paper, _GRAND, _NOT_TOTAL):
        _support(sums, value, "label", cell, found)
        if strong:
            _support(sums, value, "strong", cell, found)
    for value, cell, found, _ in _labelled(paper, _SUBTOTAL):
        _support(sums, value, "subtotal", cell, found)
    _add_payments(paper, sums)
    _add_parts(paper, sums)
    counts = Counter(value for amounts in paper.amounts for value, _, _ in amounts)
    for value, proposal in sums.items():
        if counts[value] >= 2:
            proposal.sources.add("repeated")
    best = max(sums.values(), key=lambda s: (s.support(), s.value), default=None)
    if best is None or best.value <= 0:
        return None
    return _total_value(_after_rounding(best, sums), sums)


def _after_rounding(best: Sum, sums: dict[Decimal, Sum]) -> Sum:
    """Of two sums a few cents apart the one that was paid; without a payment the better supported one."""
    for other in sums.values():
        paid = other.sources & {"cash-change", "card"} and not best.sources & {"cash-change", "card"}
        if paid and Decimal(0) < abs(other.value - best.value) <= CENTS:
            return other
    return best


def _total_value(best: Sum, sums: dict[Decimal, Sum]) -> ReadValue:
    rivals = [s for s in sums.values() if s is not best and s.value > 0]
    named = [s for s in rivals if "label" in s.sources]
    doubt = max((s.support() for s in named), default=0.0)
    near = any(abs(s.value - best.value) <= CENTS for s in named)
    confidence = best.support() * (1 - 0.3 * doubt) * legible(best.score) * (0.8 if near else 1)
    readings = {source: _two(s.value) for s in rivals for source in s.sources} | {
        s: _two(best.value) for s in best.sources
    }
    return ReadValue(
        value=_two(best.value), confidence=round(confidence, 3), passages=best.passages[:3], readings=readings
    )


def _two(value: Decimal) -> str:
    return format(value, ".2f")


def _support(sums: dict[Decimal, Sum], value: Decimal, source: str, cell: Cell, found: Found) -> None:
    proposal = sums.setdefault(value, Sum(value, score=cell.score))
    proposal.sources.add(source)
    passage = cell.passage(found.start, found.end)
    if passage not in proposal.passages:
        proposal.passages.append(passage)


def _labelled(
    paper: Paper, wanted: re.Pattern, unwanted: re.Pattern | None = None
) -> Iterator[tuple[Decimal, Cell, Found, bool]]:
    """The last amount of each row with such a label, or of the next row where that holds nothing else; and whether the
    label leaves no doubt."""
    for index, text in enumerate(paper.texts[: paper.end]):
        if not wanted.search(text) or (unwanted and unwanted.search(text)):
            continue
        amounts = paper.amounts[index]
        if not amounts and index + 1 < len(paper.rows) and not re.search(r"[a-z]{3}", paper.texts[index + 1]):
            amounts = paper.amounts[index + 1]
        if amounts:
            value, cell, found = amounts[-1]
            yield value, cell, found, bool(_STRONG.search(text))


def _add_payments(paper: Paper, sums: dict[Decimal, Sum]) -> None:
    """Cash less change, or the amount charged to a card. What was paid is a candidate even without a label."""
    change = [value for value, *_ in _labelled(paper, _CHANGE)]
    cash = [(value, cell, found) for value, cell, found, _ in _labelled(paper, _CASH, _CHANGE)]
    printed = {value: (cell, found) for amounts in reversed(paper.amounts) for value, cell, found in amounts}
    for paid, cell, found in cash:
        for back in change:
            if back >= 0 and paid - back in printed:
                _support(sums, paid - back, "cash-change", *printed[paid - back])
        if not change:
            _support(sums, paid, "card", cell, found)
    for value, cell, found, _ in _labelled(paper, _CARD):
        _support(sums, value, "card", cell, found)


def _add_parts(paper: Paper, sums: dict[Decimal, Sum]) -> None:
    """Subtotal with taxes, charges and rounding; and the sum of the amounts above the first total."""
    nets = {value for value, *_ in _labelled(paper, _NET)}
    parts = [value for value, *_ in _labelled(paper, _PART, _GRAND)][:6]
    reachable = {net + change for net in nets for change in _partial_sums(parts)}
    first = next((i for i, text in enumerate(paper.texts) if i > 4 and (_GRAND.search(text) or _NET.search(text))), 0)
    items = [amounts[-1][0] for amounts in paper.amounts[:first] if amounts]
    for value, proposal in sums.items():
        if value in reachable and value not in nets:
            proposal.sources.add("parts")
        if items and sum(items) == value:
            proposal.sources.add("items")


def _partial_sums(parts: list[Decimal]) -> set[Decimal]:
    sums = {Decimal(0)}
    for part in parts:
        sums |= {known + part for known in sums} | {known - part for known in sums}
    return sums - {Decimal(0)}


def _read_date(paper: Paper) -> ReadValue | None:
    groups: dict[str, list[tuple[float, Passage, float]]] = defaultdict(list)
    for index, row in enumerate(paper.rows):
        for cell in row.cells:
            for found in find_dates(_unglued(cell.text), paper.order):
                near = " ".join(paper.texts[max(0, index - 1) : index + 2])
                after = paper.texts[index].replace(fold(cell.text[found.start : found.end]), " ", 1)
                labelled = _DATE_WORDS.search(paper.texts[index]) or _DATE_WORDS.search(paper.texts[index - 1])
                timed = _CLOCK.search(after) or _CLOCK.search(near)
                weight = 0.88 if labelled else 0.86 if timed else 0.75
                full = re.search(r"\d{4}|[a-z]", fold(cell.text[found.start : found.end])) is not None
                weight += 0.07 if full else 0
                weight *= 1 if found.certain else 0.7
                groups[found.value].append((weight, cell.passage(found.start, found.end), cell.score))
    if not groups:
        return None
    support = {value: noisy_or([max(w for w, _, _ in g), *([0.5] * (len(g) > 1))]) for value, g in groups.items()}
    best = max(support, key=lambda value: support[value])
    doubt = max((s for value, s in support.items() if value != best), default=0.0)
    group = groups[best]
    confidence = support[best] * (1 - 0.4 * doubt) * legible(max(score for _, _, score in group))
    readings = {f"date {i}": value for i, value in enumerate(groups, start=1)}
    return ReadValue(
        value=best, confidence=round(confidence, 3), passages=[p for _, p, _ in group][:3], readings=readings
    )


def _unglued(text: str) -> str:
    """The year and the hour apart where recognition has joined them: "5/3/201822:52"."""
    text = re.sub(r"([./-](?:19|20)\d{2})(?=\d{1,2}:\d{2})", r"\1 ", text)
    return re.sub(r"([./-]\d{1,2}[./-]\d{2})(?=\d{2}:\d{2})", r"\1 ", text)


def _read_time(paper: Paper) -> ReadValue | None:
    for row in paper.rows:
        for cell in row.cells:
            match = _TIME.search(fold(cell.text))
            if match and ":" in match[0]:
                hour = int(match[1]) % 12 + 12 if match[4] == "pm" else int(match[1])
                return ReadValue(
                    value=f"{hour:02d}:{match[2]}",
                    confidence=0.7 * cell.score,
                    passages=[cell.passage(match.start(), match.end())],
                )
    return None


def _read_number(paper: Paper) -> ReadValue | None:
    """The receipt's own number: beside its label, or in the next cell."""
    for row in paper.rows:
        for index, cell in enumerate(row.cells):
            match = _NUMBER.search(fold(cell.text))
            if not match:
                continue
            if match["value"] and re.search(r"\d", match["value"]):
                start, end = match.span("value")
                return ReadValue(
                    value=cell.text[start:end].upper(),
                    confidence=0.75 * cell.score,
                    passages=[cell.passage(start, end)],
                )
            for other in row.cells[index + 1 :]:
                value = other.text.strip(" :.#")
                if re.fullmatch(r"[A-Za-z0-9][\w/\- ]*", value) and re.search(r"\d", value):
                    return ReadValue(value=value.upper(), confidence=0.7 * other.score, passages=[other.passage()])
    return None


_CURRENCIES = {
    "MYR": re.compile(r"\brm\b|\brm(?=\d)|\bmyr\b|\bsdn\.? ?bhd\b|\bmalaysia\b|\bkuala lumpur\b"),
    "EUR": re.compile(r"€|\beur\b"),
    "GBP": re.compile(r"£|\bgbp\b"),
    "CHF": re.compile(r"\bchf\b"),
    "SGD": re.compile(r"\bsgd\b|s\$|\bsingapore\b"),
    "USD": re.compile(r"\busd\b|us\$"),
}


def _read_currency(paper: Paper) -> ReadValue | None:
    """The currency by its sign, or by the country the shop says it is in."""
    counts = {code: sum(1 for text in paper.texts if pattern.search(text)) for code, pattern in _CURRENCIES.items()}
    code = max(counts, key=lambda c: counts[c])
    if not counts[code]:
        return None
    others = sum(counts.values()) - counts[code]
    return ReadValue(value=code, confidence=round(noisy_or([0.7] * min(3, counts[code])) * (0.6 if others else 1), 3))


def _missing(reading: Reading) -> Iterable[Check]:
    for name in REQUIRED:
        if reading.value(name) is None:
            yield Check(
                id="field-not-found", severity="stop", message=f"No {name} was found on the receipt.", fields=[name]
            )


def _quotes(reading: Reading, pages: list[Page]) -> Iterable[Check]:
    texts = {page.number: page.to_text().text for page in pages}
    for name, value in reading.fields.items():
        bad = [p.quote for p in value.passages if p.page and not check_quote(p.quote, texts.get(p.page, ""))]
        if bad:
            value.confidence = min(value.confidence, 0.3)
            yield Check(
                id="quote-not-found", severity="stop", message=f"“{bad[0]}” is not in the page text.", fields=[name]
            )
