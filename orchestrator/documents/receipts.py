"""Shop receipts, recognised or as text: company, date, total, address, currency, number and time of day."""

import re
from collections import defaultdict
from collections.abc import Iterable

from .amounts import find_dates, fold
from .invoice_pdf_totals import noisy_or
from .layout import Page, check_quote, legible
from .reading import Check, Passage, Reading, ReadValue
from .receipts_paper import Paper
from .receipts_shop import read_shop
from .receipts_total import read_total

READER = "receipt/2"
REQUIRED = ("company", "date", "total")

ONLY_DAY = 0.3  # what it says for a day that no other stands on the paper
AT_THE_FOOT = 0.2  # of its support: how far a day without label or time speaks against one that has them

_DATE_WORDS = re.compile(r"\b(?:date|datum|tarikh|dated?)\b")
_TIME = re.compile(r"(?<!\d)([01]?\d|2[0-3])\s?[:.]\s?([0-5]\d)(?:\s?[:.]\s?([0-5]\d))?\s?(am|pm)?(?!\d)")
_CLOCK = re.compile(r"(?<!\d)\d{1,2}:[0-5]\d(?!\d)")
_NUMBER = re.compile(
    r"\b(?:invoice|inv|receipt|rcpt|bill|doc(?:ument)?|ticket|trans(?:action)?|trx|slip|check|chk|order|beleg|bon"
    r"|rechnungs?|cb|tax invoice|sales|ticket|kassen ?bon|facture|factuur|kwitantie)"
    r"[\s.\-]{0,2}(?:no|number|nr|num|#|id)\b\s?[.:#]*\s*(?P<value>[a-z0-9][\w/\-]*)?"
)


def read_receipt_pages(pages: list[Page], *, reader: str = READER) -> Reading:
    """The receipt on these pages. Absent fields are left out."""
    paper = Paper(pages)
    found = {
        "total": read_total(paper),
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


def _read_date(paper: Paper) -> ReadValue | None:
    groups: dict[str, list[tuple[float, Passage, float]]] = defaultdict(list)
    named: set[str] = set()
    for index, row in enumerate(paper.rows):
        for cell in row.cells:
            for found in find_dates(_unglued(cell.text), paper.order):
                near = " ".join(paper.texts[max(0, index - 1) : index + 2])
                after = paper.texts[index].replace(fold(cell.text[found.start : found.end]), " ", 1)
                labelled = _DATE_WORDS.search(paper.texts[index]) or _DATE_WORDS.search(paper.texts[index - 1])
                timed = _CLOCK.search(after) or _CLOCK.search(near)
                if labelled or _CLOCK.search(after):
                    named.add(found.value)
                weight = 0.88 if labelled else 0.86 if timed else 0.75
                full = re.search(r"\d{4}|[a-z]", fold(cell.text[found.start : found.end])) is not None
                weight += 0.07 if full else 0
                weight *= 1 if found.certain else 0.7
                groups[found.value].append((weight, cell.passage(found.start, found.end), cell.score))
    if not groups:
        return None
    support = {value: noisy_or([max(w for w, _, _ in g), *([0.5] * (len(g) > 1))]) for value, g in groups.items()}
    if len(support) == 1:
        support = {value: noisy_or([known, ONLY_DAY]) for value, known in support.items()}
    best = max(support, key=lambda value: support[value])
    others = {value: s * (1 if value in named or best not in named else AT_THE_FOOT) for value, s in support.items()}
    doubt = max((s for value, s in others.items() if value != best), default=0.0)
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
    "MYR": re.compile(
        r"\brm\b|\brm(?=\d)|\bmyr\b|\bsdn\.? ?bhd\b|\bmalaysia\b|\bkuala lumpur\b|\bjalan\b|\bjln\b|\bringgit\b"
        r"|\b(?:selangor|johor|penang|perak|pahang|kedah|melaka|sabah|sarawak|putrajaya|terengganu|kelantan)\b"
    ),
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
