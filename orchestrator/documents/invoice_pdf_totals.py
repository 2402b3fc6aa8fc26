"""The totals of an invoice: labelled amounts, the taxes and the lines, settled by the arithmetic they must obey.

net + tax = gross, gross - prepaid = payable, line total - allowances + charges = net (EN 16931, BR-CO-13, -15, -16).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product

from .amounts import fold, plain
from .labels import VAT
from .labels_values import Candidate, Sheet
from .layout import Cell, Row
from .reading import Passage, ReadValue

CENT = Decimal("0.01")
MAX_ROWS = 600

TAX_RATES = {*map(Decimal, [*range(5, 28), "5.5", "7.7", "8.1", "25.5"])}
_DISCOUNT = re.compile(r"rabatt|skonto|abschlag|discount|remise|korting|rebate")

_TAX = re.compile(rf"(?<!\w)(?:{VAT}|steuern?|tax(?:es)?|taxe)(?![\w-])")
_RATE = re.compile(r"(?<![\d.,])(\d{1,2}(?:[.,]\d{1,2})?)\s?%")


@dataclass
class Proposal:
    """One amount proposed for a role, with everything that speaks for it."""

    value: Decimal
    sources: dict[str, float] = field(default_factory=dict)
    passages: list[Passage] = field(default_factory=list)
    score: float = 1.0

    def support(self) -> float:
        return noisy_or(self.sources.values())


def noisy_or(weights: Iterable[float]) -> float:
    """Independent readings that agree: the chance that not all of them are wrong."""
    miss = 1.0
    for weight in weights:
        miss *= 1 - weight
    return 1 - miss


WEIGHTS = {
    "beside": 0.8,
    "order": 0.7,
    "below": 0.65,
    "title": 0.85,
    "title-dated": 0.9,
    "title-order": 0.75,
    "term": 0.75,
    "printed": 0.8,
    "arithmetic": 0.85,
    "taxes": 0.8,
    "lines": 0.75,
    "untaxed": 0.75,
}

Book = dict[str, dict[Decimal, Proposal]]


def collect(candidates: Iterable[Candidate]) -> Book:
    book: Book = defaultdict(dict)
    for candidate in candidates:
        add(book, candidate.field, Decimal(candidate.value), candidate.source, candidate.passage, candidate.score)
    return book


def add(
    book: Book, role: str, value: Decimal, source: str, passage: Passage | None = None, score: float = 1.0
) -> Proposal:
    proposal = book[role].setdefault(value, Proposal(value, score=score))
    proposal.sources.setdefault(source, WEIGHTS[source])
    if passage and passage not in proposal.passages:
        proposal.passages.append(passage)
    return proposal


@dataclass(frozen=True, slots=True)
class TaxLine:
    base: Decimal
    tax: Decimal
    passage: Passage
    tax_passage: Passage


def find_tax_lines(sheet: Sheet) -> list[TaxLine]:
    """Rows that hold a rate, a base and a tax with base × rate = tax: what the row is called does not matter."""
    found = []
    for _, row in sheet.rows[:MAX_ROWS]:
        if _DISCOUNT.search(fold(row.text)):
            continue
        rates = {Decimal(rate.replace(",", ".")) for rate in _RATE.findall(row.text)}
        amounts = [
            (Decimal(a.value), cell.passage(a.start, a.end)) for cell in row.cells for a in sheet.amounts(cell.text)
        ]
        rates = (rates or {value for value, _ in amounts}) & TAX_RATES
        line = _tax_line(rates, amounts)
        if line:
            found.append(line)
    return _once(found)


def _tax_line(rates: set[Decimal], amounts: list[tuple[Decimal, Passage]]) -> TaxLine | None:
    for first, (base, base_at) in enumerate(amounts):
        for tax, tax_at in amounts[first + 1 :]:
            if tax == base or abs(tax) >= abs(base) or not tax:
                continue
            if any(rate not in (base, tax) and abs(base * rate / 100 - tax) <= CENT for rate in rates):
                return TaxLine(base, tax, base_at, tax_at)
    return None


def _once(lines: list[TaxLine]) -> list[TaxLine]:
    seen: dict[tuple[Decimal, Decimal], TaxLine] = {}
    for line in lines:
        seen.setdefault((line.base, line.tax), line)
    return list(seen.values())


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    name: str
    quantity: Decimal
    unit_price: Decimal
    net_amount: Decimal
    cells: tuple[Cell, ...]
    passages: dict[str, Passage]


def find_lines(sheet: Sheet) -> list[InvoiceLine]:
    """Rows whose quantity × price (less a printed discount) make their last amount: lines of goods, in any language."""
    lines = []
    for _, row in sheet.rows[:MAX_ROWS]:
        line = _line_of(sheet, row)
        if line:
            lines.append(line)
    return lines


def _line_of(sheet: Sheet, row: Row) -> InvoiceLine | None:
    numbers = [
        (Decimal(a.value), cell.passage(a.start, a.end), cell) for cell in row.cells for a in sheet.amounts(cell.text)
    ]
    if not 3 <= len(numbers) <= 9 or not re.search(r"[^\W\d_]{2}", row.text):
        return None
    amount, amount_at, amount_cell = numbers[-1]
    discounts = {Decimal(0)} | {Decimal(r.replace(",", ".")) for r in _RATE.findall(row.text)}
    discounts |= {value for value, _, _ in numbers[:-1] if 0 < value < 100}
    for first, (a, a_at, _) in enumerate(numbers[:-1]):
        for b, b_at, b_cell in numbers[first + 1 : -1]:
            if not a or not b or (b_cell is amount_cell and len(row.cells) == 1):
                continue
            if any(abs(a * b * (1 - d / 100) - amount) <= CENT / 2 for d in discounts if d in (0,) or d not in (a, b)):
                quantity, price, q_at, p_at = (b, a, b_at, a_at) if _is_price_first(a_at, b_at) else (a, b, a_at, b_at)
                name = max((cell.text for cell in row.cells), key=lambda t: sum(c.isalpha() for c in t))
                at = {"quantity": q_at, "unit_price": p_at, "net_amount": amount_at}
                return InvoiceLine(name, quantity, price, amount, tuple(row.cells), at)
    return None


def _is_price_first(a_at: Passage, b_at: Passage) -> bool:
    """Prices show more decimals than quantities; where both look alike the quantity is printed first."""

    def decimals(quote: str) -> int:
        match = re.search(r"[.,](\d+)\D*$", quote)
        return len(match[1]) if match else 0

    return decimals(a_at.quote) > decimals(b_at.quote)


def settle_totals(sheet: Sheet, candidates: Iterable[Candidate], lines: list[InvoiceLine]) -> dict[str, ReadValue]:
    """The totals as read values: labelled candidates, completed and confirmed by arithmetic."""
    book = collect(candidates)
    _add_taxes(book, find_tax_lines(sheet))
    _add_lines(book, lines)
    _add_untaxed(sheet, book, lines)
    triple = _best_triple(book)
    if triple:
        for role, value in zip(("net_total", "tax_total", "gross_total"), triple, strict=True):
            add(book, role, value, "arithmetic")
    chosen = {role: _best(book, role) for role in list(book) if book[role]}
    _settle_payable(sheet, book, chosen)
    _settle_line_total(book, chosen)
    return {role: _read_value(book[role], proposal) for role, proposal in chosen.items() if proposal}


def _add_taxes(book: Book, lines: list[TaxLine]) -> None:
    if not lines:
        return
    first, total = lines[0], sum((line.tax for line in lines), Decimal(0))
    add(book, "tax_total", total, "taxes", first.tax_passage if len(lines) == 1 else None)
    base = sum((line.base for line in lines), Decimal(0))
    add(book, "net_total", base, "taxes", first.passage if len(lines) == 1 else None)


def _add_lines(book: Book, lines: list[InvoiceLine]) -> None:
    if not lines:
        return
    total = sum((line.net_amount for line in lines), Decimal(0))
    for role in ("line_total", "net_total", "gross_total"):
        if total in book[role]:
            add(book, role, total, "lines")


def _add_untaxed(sheet: Sheet, book: Book, lines: list[InvoiceLine]) -> None:
    """An invoice that speaks of no tax at all and whose lines make its one total: that total is net as well."""
    total = sum((line.net_amount for line in lines), Decimal(0))
    if not lines or book["net_total"] or book["tax_total"] or total not in book["gross_total"]:
        return
    if not any(_speaks_of_tax(sheet, row) for _, row in sheet.rows):
        add(book, "net_total", total, "lines")
        add(book, "tax_total", Decimal(0), "untaxed")


def _speaks_of_tax(sheet: Sheet, row: Row) -> bool:
    """Whether a row names a rate of tax, or a tax beside an amount."""
    if any(Decimal(rate.replace(",", ".")) in TAX_RATES for rate in _RATE.findall(row.text)):
        return True
    return bool(_TAX.search(fold(row.text)) and sheet.amounts(row.text))


def _best_triple(book: Book) -> tuple[Decimal, Decimal, Decimal] | None:
    """The net, tax and gross that add up and have most support; parts the page does not label are computed."""
    nets = {**book["line_total"], **book["net_total"]}
    best, best_support = None, 0.0
    for net, tax, gross in _triples(set(nets), set(book["tax_total"]), set(book["gross_total"]) | set(book["payable"])):
        roles = (
            nets.get(net),
            book["tax_total"].get(tax),
            book["gross_total"].get(gross) or book["payable"].get(gross),
        )
        known = [proposal for proposal in roles if proposal]
        if len(known) < 2 or (net == gross and tax and len(known) < 3):
            continue
        support = sum(proposal.support() for proposal in known) + (0.5 if len(known) == 3 else 0)
        support += 0.1 if book["net_total"].get(net) else 0
        support += 0.1 if book["gross_total"].get(gross) else 0
        if support > best_support:
            best, best_support = (net, tax, gross), support
    return best


def _triples(
    nets: set[Decimal], taxes: set[Decimal], grosses: set[Decimal]
) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
    for net, gross in product(nets, grosses):
        tax = gross - net
        if abs(tax) <= abs(net) * Decimal("0.35") and (tax in taxes or not taxes or tax == 0):
            yield net, tax, gross
    for net, tax in product(nets, taxes):
        if not grosses:
            yield net, tax, net + tax
    for tax, gross in product(taxes, grosses):
        if not nets:
            yield gross - tax, tax, gross


def _best(book: Book, role: str) -> Proposal | None:
    return max(book[role].values(), key=lambda p: ("arithmetic" in p.sources, p.support()), default=None)


def _settle_payable(sheet: Sheet, book: Book, chosen: dict[str, Proposal | None]) -> None:
    gross, payable = chosen.get("gross_total"), chosen.get("payable")
    if not gross:
        if payable:
            chosen["gross_total"] = Proposal(payable.value, {"payable": 0.6}, payable.passages, payable.score)
        return
    prepaid = chosen.get("prepaid")
    if prepaid and prepaid.value < 0:
        chosen["prepaid"] = prepaid = Proposal(-prepaid.value, prepaid.sources, prepaid.passages, prepaid.score)
        book["prepaid"] = {prepaid.value: prepaid}
    if not payable:
        rest = gross.value - (prepaid.value if prepaid else 0)
        chosen["payable"] = Proposal(rest, {"gross": 0.97 * gross.support()}, gross.passages, gross.score)
    elif payable.value == gross.value - (prepaid.value if prepaid else 0):
        gross.sources["payable"] = 0.8
        payable.sources["arithmetic"] = WEIGHTS["arithmetic"]
        if prepaid:
            prepaid.sources["arithmetic"] = WEIGHTS["arithmetic"]
    elif not prepaid:
        chosen["prepaid"] = _implied_prepayment(sheet, gross.value - payable.value)
    if not chosen.get("prepaid"):
        chosen["prepaid"] = Proposal(Decimal(0), {"gross - payable": 0.97 * gross.support()})


def _implied_prepayment(sheet: Sheet, amount: Decimal) -> Proposal:
    """What is missing between gross and payable; that the very amount is printed somewhere confirms it."""
    for _, row in sheet.rows:
        for cell in row.cells:
            for found in sheet.amounts(cell.text):
                if abs(Decimal(found.value)) == amount:
                    sources = {"gross - payable": 0.6, "printed": WEIGHTS["printed"]}
                    return Proposal(amount, sources, [cell.passage(found.start, found.end)], cell.score)
    return Proposal(amount, {"gross - payable": 0.6})


def _settle_line_total(book: Book, chosen: dict[str, Proposal | None]) -> None:
    net, line_total = chosen.get("net_total"), chosen.get("line_total")
    if not net:
        return
    allowances, charges = chosen.get("allowances"), chosen.get("charges")
    change = (charges.value if charges else Decimal(0)) - (abs(allowances.value) if allowances else Decimal(0))
    gross = chosen.get("gross_total")
    if line_total and gross and line_total.value == gross.value != net.value - change:
        del book["line_total"][line_total.value]  # a subtotal of prices that include the tax
        line_total = None
    if line_total and line_total.value in (net.value - change, net.value):
        line_total.sources["arithmetic"] = WEIGHTS["arithmetic"]
    elif not line_total:
        chosen["line_total"] = Proposal(net.value - change, {"net": net.support()}, net.passages, net.score)


def _read_value(rivals: dict[Decimal, Proposal], proposal: Proposal) -> ReadValue:
    """Confidence: agreement of the readings, lowered where another value has support that arithmetic did not refute."""
    others = [p.support() for p in rivals.values() if p.value != proposal.value]
    doubt = max(others, default=0.0) * (0.15 if "arithmetic" in proposal.sources else 0.6)
    readings = {source: plain(p.value) for p in rivals.values() if p is not proposal for source in p.sources}
    readings |= {source: plain(proposal.value) for source in proposal.sources}
    confidence = proposal.support() * (1 - doubt) * proposal.score
    return ReadValue(
        value=plain(proposal.value), confidence=round(confidence, 3), passages=proposal.passages[:3], readings=readings
    )
