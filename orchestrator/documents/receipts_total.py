"""The total of a receipt, proposed by everything that says it: its label, what was paid and given back, the card's
amount, the sum of the lines, net and tax, rounding. The more of them agree, the surer it is."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from .amounts import Found
from .invoice_pdf_totals import noisy_or
from .layout import Cell, legible
from .reading import Passage, ReadValue
from .receipts_paper import GRAND, Paper

CENT, CENTS = Decimal("0.01"), Decimal("0.04")  # cash is rounded to five
MOST_PARTS = 6
ZERO, HUNDRED = Decimal(0), Decimal(100)

WEIGHTS = {
    "label": 0.75,
    "strong": 0.5,
    "subtotal": 0.5,
    "cash-change": 0.9,
    "card": 0.6,
    "parts": 0.8,
    "taxed": 0.85,
    "rounded": 0.8,
    "items": 0.75,
    "repeated": 0.4,
}

_NOT_TOTAL = re.compile(
    r"\bsub ?-?total|zwischensumme|\btotal (?:qty|quantity|items?|pcs|no|number|discount|savings?|gst|tax|vat|sst"
    r"|disc|\d+ ?%)|\bqty\b|\bitems?\b"
    r"|excl|before|ex\.? ?gst|\bexc\b|discount|saving|\bpoints?\b|\btax (?:amt|amount)\b|w/?o gst|\bnon ?tax"
    r"|without|supplies"
    r"|\bitem\(s\)|^gst|\brounding (?:adj|adjustment)$|\bservice\b|\bearned\b"
)
_STRONG = re.compile(
    r"grand|nett? ?total|rounded|round d|after|atf|total (?:due|payable|amount|incl|sales.*incl)|inclusive"
    r"|amount due|payable|to be paid"
)
_IN_FULL = re.compile(r"\b(?:total|totaal|summe|gesamtbetrag|jumlah)\b")
_CASH = re.compile(
    r"\b(?:cash|tunai|bar|gegeben|paid|payment|tender(?:ed)?|received|amount paid|bayar|contant|especes)\b"
)
_CHANGE = re.compile(r"(?:change|\bbaki|\bruckgeld|\bwechselgeld|\bwisselgeld|\brendu|\bbalance)\b")
_CARD = re.compile(r"\b(?:visa|master ?card|amex|credit card|debit|card|maestro|girocard|ec-?karte|bank ?card)\b")
_ROUNDING = re.compile(r"\b(?:roundi?ng?|round(?:ed)?|rnd|rundung|afronding)\b")
_PART = re.compile(
    r"\b(?:gst|vat|mwst|ust|sst|tax|service|serv\.?|svc|charge|rounding|round(?:ed)?|rnd|discount|disc|rabatt|tip)\b"
)
_NET = re.compile(
    r"\bsub ?-?total\b|\bexcl\w*|\btotal sales \(excl\w*|\bnet amount\b|zwischensumme|\bbefore (?:tax|gst)\b"
)
_SUBTOTAL = re.compile(r"\bsub ?-?total\b|zwischensumme")
_RATE = re.compile(r"(\d{1,2}(?:[.,]\d{1,2})?) ?%|\bs[rs]\b\D{0,3}(\d{1,2})\b")


@dataclass
class Sum:
    """One amount that may be the total, with what speaks for it."""

    value: Decimal
    sources: set[str] = field(default_factory=set)
    passages: list[Passage] = field(default_factory=list)
    score: float = 1.0
    row: int = -1  # of its last label
    in_full: bool = False  # called the total, in that word

    def support(self) -> float:
        return noisy_or(WEIGHTS[source] for source in self.sources)


Sums = dict[Decimal, Sum]


def read_total(paper: Paper) -> ReadValue | None:
    sums: Sums = {}
    _add_labels(paper, sums)
    _add_payments(paper, sums)
    _add_parts(paper, sums)
    _add_taxed(paper, sums)
    added = Added.on(paper)
    _add_rounded(sums, added.roundings)
    counts = Counter(value for amounts in paper.amounts for value, _, _ in amounts)
    for value, proposal in sums.items():
        if counts[value] >= 2:
            proposal.sources.add("repeated")
    best = max(sums.values(), key=lambda s: (s.support(), s.value), default=None)
    if best is None or best.value <= 0:
        return None
    return _total_value(_after_rounding(best, sums), sums, added)


@dataclass(frozen=True)
class Added:
    """What a receipt prints between its sums: roundings, rates, and taxes, charges and discounts."""

    roundings: set[Decimal]
    rates: set[Decimal]
    parts: list[Decimal]

    @classmethod
    def on(cls, paper: Paper) -> "Added":
        roundings = {abs(value) for value, *_ in _labelled(paper, _ROUNDING, GRAND)} - {ZERO}
        return cls(roundings, _rates(paper), [value for value, *_ in _labelled(paper, _PART) if value][:MOST_PARTS])


def _add_labels(paper: Paper, sums: Sums) -> None:
    for index, value, cell, found in _labelled_rows(paper, GRAND, _NOT_TOTAL):
        text = paper.texts[index]
        proposal = _support(sums, value, "label", cell, found)
        proposal.row, proposal.in_full = index, bool(_IN_FULL.search(text))
        if _STRONG.search(text):
            proposal.sources.add("strong")
    for value, cell, found in _labelled(paper, _SUBTOTAL):
        _support(sums, value, "subtotal", cell, found)


def _add_payments(paper: Paper, sums: Sums) -> None:
    """Cash less change, or the amount charged to a card. What was paid is a candidate even without a label; a row that
    is the total's label is no second witness."""
    change = [value for value, *_ in _labelled(paper, _CHANGE)]
    labels = {proposal.row for proposal in sums.values()}
    printed = {value: (cell, found) for amounts in reversed(paper.amounts) for value, cell, found in amounts}
    for index, paid, cell, found in _labelled_rows(paper, _CASH, _CHANGE):
        for back in change:
            if back >= 0 and paid - back in printed:
                _support(sums, paid - back, "cash-change", *printed[paid - back])
        if not change and index not in labels:
            _support(sums, paid, "card", cell, found)
    for index, value, cell, found in _labelled_rows(paper, _CARD):
        if index not in labels:
            _support(sums, value, "card", cell, found)


def _add_parts(paper: Paper, sums: Sums) -> None:
    """Subtotal with taxes, charges and rounding; and the sum of the amounts above the first total."""
    nets = {value for value, *_ in _labelled(paper, _NET)}
    parts = [value for value, *_ in _labelled(paper, _PART, GRAND)][:MOST_PARTS]
    reachable = {net + change for net in nets for change in _partial_sums(parts)}
    first = next((i for i, text in enumerate(paper.texts) if i > 4 and (GRAND.search(text) or _NET.search(text))), 0)
    items = [amounts[-1][0] for amounts in paper.amounts[:first] if amounts]
    for value, proposal in sums.items():
        if value in reachable and value not in nets:
            proposal.sources.add("parts")
        if items and sum(items) == value:
            proposal.sources.add("items")


def _partial_sums(parts: list[Decimal]) -> set[Decimal]:
    sums = {ZERO}
    for part in parts:
        sums |= {known + part for known in sums} | {known - part for known in sums}
    return sums - {ZERO}


def _add_taxed(paper: Paper, sums: Sums) -> None:
    """Two amounts that are printed, of which one is the tax on the other at a rate that is printed too."""
    rates, printed = _rates(paper), {value for amounts in paper.amounts for value, *_ in amounts if value > 0}
    for net in printed:
        for tax in (tax for tax in printed if tax < net and any(_is_tax(tax, net, rate) for rate in rates)):
            if net + tax in sums:
                sums[net + tax].sources.add("taxed")


def _rates(paper: Paper) -> set[Decimal]:
    found = {match[1] or match[2] for text in paper.texts for match in _RATE.finditer(text)}
    return {rate for rate in (Decimal(text.replace(",", ".")) for text in found) if 1 <= rate <= 27}


def _is_tax(tax: Decimal, net: Decimal, rate: Decimal) -> bool:
    return abs(tax - net * rate / HUNDRED) <= CENT


def _add_rounded(sums: Sums, roundings: set[Decimal]) -> None:
    """A total that is another one with the rounding which is printed."""
    for proposal in sums.values():
        others = (other for other in sums.values() if other is not proposal and "label" in other.sources)
        if "label" in proposal.sources and any(_is_rounded(proposal, other, roundings) for other in others):
            proposal.sources.add("rounded")


def _is_rounded(after: Sum, before: Sum, roundings: set[Decimal]) -> bool:
    return before.row < after.row and after.value != before.value and abs(after.value - before.value) in roundings


def _after_rounding(best: Sum, sums: Sums) -> Sum:
    """Of two sums a few cents apart the one that was paid, or that comes after the rounding; else the better one."""
    for other in sums.values():
        if "rounded" in other.sources and other.row > best.row and ZERO < abs(other.value - best.value) <= CENTS:
            return other
        paid = other.sources & {"cash-change", "card"} and not best.sources & {"cash-change", "card"}
        if paid and ZERO < abs(other.value - best.value) <= CENTS:
            return other
    return best


def _total_value(best: Sum, sums: Sums, added: Added) -> ReadValue:
    """Another sum that is called the total takes confidence away, unless it is explained."""
    rivals = [s for s in sums.values() if s is not best and s.value > 0]
    named = [s for s in rivals if "label" in s.sources and not _explained(s, best, added)]
    doubt = max((s.support() for s in named), default=0.0)
    near = any(abs(s.value - best.value) <= CENTS for s in named)
    confidence = best.support() * (1 - 0.3 * doubt) * legible(best.score) * (0.8 if near else 1)
    paid = [s for s in rivals if s.sources & {"cash-change", "card"}]
    readings = {source: _two(s.value) for s in [*named, *paid] for source in s.sources}
    readings |= {source: _two(best.value) for source in best.sources}
    return ReadValue(
        value=_two(best.value), confidence=round(confidence, 3), passages=best.passages[:3], readings=readings
    )


def _explained(rival: Sum, best: Sum, added: Added) -> bool:
    """As the total before a rounding that is printed, as what taxes and charges were added to, or as the tax within."""
    if best.in_full and _is_rounded(best, rival, added.roundings):
        return True
    between = best.value - rival.value
    parts = [part for part in added.parts if part not in (best.value, rival.value)]
    if rival.row < best.row and between > CENTS and any(abs(between - s) <= CENTS for s in _partial_sums(parts)):
        return True
    within = (best.value * rate / (HUNDRED + rate) for rate in added.rates)
    return rival.value < best.value / 2 and any(abs(rival.value - tax) <= CENT for tax in within)


def _two(value: Decimal) -> str:
    return format(value, ".2f")


def _support(sums: Sums, value: Decimal, source: str, cell: Cell, found: Found) -> Sum:
    proposal = sums.setdefault(value, Sum(value, score=cell.score))
    proposal.sources.add(source)
    passage = cell.passage(found.start, found.end)
    if passage not in proposal.passages:
        proposal.passages.append(passage)
    return proposal


def _labelled(
    paper: Paper, wanted: re.Pattern, unwanted: re.Pattern | None = None
) -> Iterator[tuple[Decimal, Cell, Found]]:
    for _, value, cell, found in _labelled_rows(paper, wanted, unwanted):
        yield value, cell, found


def _labelled_rows(
    paper: Paper, wanted: re.Pattern, unwanted: re.Pattern | None = None
) -> Iterator[tuple[int, Decimal, Cell, Found]]:
    """The last amount of each row with such a label, or of the next row where that holds nothing else; with the row."""
    for index, text in enumerate(paper.texts[: paper.end]):
        if not wanted.search(text) or (unwanted and unwanted.search(text)):
            continue
        amounts = paper.amounts[index]
        if not amounts and index + 1 < len(paper.rows) and not re.search(r"[a-z]{3}", paper.texts[index + 1]):
            amounts = paper.amounts[index + 1]
        if amounts:
            yield index, *amounts[-1]
