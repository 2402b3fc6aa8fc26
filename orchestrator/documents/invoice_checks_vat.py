"""Rules over value added tax: EN 16931-1, BR-CO-17, BR-CO-18, BR-45 to BR-48 and the families of each VAT category.

They apply where the document has a VAT breakdown or names categories, that is to structured invoices.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from orchestrator.documents import codelists
from orchestrator.documents.invoice_checks_outcome import Figures, Outcome, Row, as_number, judge, plain, stated

ZERO = Decimal(0)
# Tax may be rounded line by line: EN 16931's own rules let base × rate and the tax differ by less than one unit.
# A cent a line, and two for the sum, is what rounding can explain; beyond that a person looks.
ROUNDING_BASE = Decimal("0.02")
ROUNDING_PER_LINE = Decimal("0.01")
RATED = {"S", "L", "M"}  # categories whose rows are kept apart by rate
PLACES = (("lines", "02", "05"), ("allowance", "03", "06"), ("charge", "04", "07"))


@dataclass(frozen=True)
class _Entry:
    """A line, an allowance or a charge with a VAT category; allowances count negative."""

    place: str
    category: str
    rate: Decimal | None
    amount: Decimal


class _Vat:
    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self.rows = figures.tables["vat"]

    @cached_property
    def entries(self) -> list[_Entry]:
        lines = [_entry("lines", line, "tax_category", "tax_rate", "net_amount", 1) for line in self.figures.lines]
        others = [
            _entry(table, row, "category", "rate", "amount", sign)
            for table, sign in (("allowance", -1), ("charge", 1))
            for row in self.figures.tables[table]
        ]
        return lines + others

    @cached_property
    def tolerance(self) -> Decimal:
        return ROUNDING_BASE + ROUNDING_PER_LINE * len(self.entries)


def _entry(place: str, row: Row, category: str, rate: str, amount: str, sign: int) -> _Entry:
    named = row.get(category)
    value = (named.value if named else None) or ""
    return _Entry(place, value, as_number(row.get(rate)), (as_number(row.get(amount)) or ZERO) * sign)


def examine_vat(figures: Figures) -> Iterator[Outcome]:
    vat = _Vat(figures)
    if not figures.structured and not vat.rows:
        return
    if figures.structured:
        yield judge("BR-CO-18", bool(vat.rows), "The invoice has no VAT breakdown.", ["tax_total"])
    for index, row in enumerate(vat.rows):
        yield from _row(vat, index, row)
    named = {entry.category for entry in vat.entries} | {_category(row) for row in vat.rows}
    for category in sorted(named & codelists.VAT_CATEGORIES.keys() - {"B"}):
        yield from _family(vat, category)


def _category(row: Row) -> str:
    found = row.get("category")
    return (found.value if found else None) or ""


def _row(vat: _Vat, index: int, row: Row) -> Iterator[Outcome]:
    category, prefix = _category(row), f"vat.{index}."
    required = [
        ("BR-45", "base", "taxable amount"),
        ("BR-46", "amount", "tax amount"),
        ("BR-47", "category", "category"),
    ]
    if category != "O":
        required.append(("BR-48", "rate", "rate"))
    for rule, field, name in required:
        message = f"Row {index + 1} of the VAT breakdown has no {name}."
        yield judge(rule, stated(row.get(field)), message, [prefix + field])
    if category:
        known = category in codelists.VAT_CATEGORIES
        message = f"The VAT category “{category[:20]}” is not in UNTDID 5305."
        yield judge("BR-CL-17", known, message, [prefix + "category"])
    yield from _tax_of_row(vat, row, prefix)


def _tax_of_row(vat: _Vat, row: Row, prefix: str) -> Iterator[Outcome]:
    base, amount = as_number(row.get("base")), as_number(row.get("amount"))
    if base is None or amount is None:
        return
    rate = as_number(row.get("rate")) or ZERO
    right = round(base * rate / 100, 2)
    message = (
        f"VAT of {rate:f} % on {vat.figures.money(base)} is {vat.figures.money(right)},"
        f" but the invoice says {vat.figures.money(amount)}."
    )
    fields = [prefix + name for name in ("base", "rate", "amount")] + ["tax_total"]
    yield judge("BR-CO-17", abs(right - amount) <= vat.tolerance, message, fields)


def _family(vat: _Vat, category: str) -> Iterator[Outcome]:
    letters, name = codelists.VAT_CATEGORIES[category]
    rows = [row for row in vat.rows if _category(row) == category]
    entries = [entry for entry in vat.entries if entry.category == category]
    enough = bool(rows) == bool(entries) if category in RATED else len(rows) == 1
    message = f"{len(entries)} amounts are marked “{name}”, but the VAT breakdown has {len(rows)} rows for them."
    yield judge(f"BR-{letters}-01", enough, message, ["tax_total"])
    for place, identity_rule, rate_rule in PLACES:
        here = [entry for entry in entries if entry.place == place]
        if here:
            yield from _identities(vat, category, f"BR-{letters}-{identity_rule}")
            yield from _rates(category, here, f"BR-{letters}-{rate_rule}")
    yield from _bases(vat, category, rows, entries)
    yield from _exemption(category, rows)
    yield from _special(vat, category, rows)


def _identities(vat: _Vat, category: str, rule: str) -> Iterator[Outcome]:
    has: Callable[[str], bool] = lambda field: bool(vat.figures.text(field))  # noqa: E731
    name = codelists.VAT_CATEGORIES[category][1]
    seller = has("seller.vat_id") or has("representative.vat_id")
    if category == "O":
        holds = not (seller or has("buyer.vat_id"))
        message = "The invoice says it is not subject to VAT, yet gives VAT ids."
    elif category == "G":
        holds, message = seller, f"The seller has no VAT id, which {name} needs."
    elif category == "K":
        holds = seller and has("buyer.vat_id")
        message = "Seller and buyer both need a VAT id for an intra-community supply."
    elif category == "AE":
        known_buyer = has("buyer.vat_id") or has("buyer.legal_id")
        holds = (seller or has("seller.tax_number")) and known_buyer
        message = "Seller and buyer both need a tax id for reverse charge."
    else:
        holds = seller or has("seller.tax_number")
        message = f"The seller has neither VAT id nor tax number, which {name} needs."
    yield judge(rule, holds, message, ["seller.vat_id"])


def _rates(category: str, entries: list[_Entry], rule: str) -> Iterator[Outcome]:
    name = codelists.VAT_CATEGORIES[category][1]
    rates = [entry.rate for entry in entries]
    if category == "O":
        holds, wanted = all(rate is None for rate in rates), "no rate"
    elif category == "S":
        holds, wanted = all(rate is not None and rate > 0 for rate in rates), "a rate above 0"
    elif category in RATED:
        holds, wanted = all(rate is not None and rate >= 0 for rate in rates), "a rate of 0 or above"
    else:
        holds, wanted = all(rate == 0 for rate in rates), "the rate 0"
    yield judge(rule, holds, f"Amounts marked “{name}” must have {wanted}.", ["tax_total"])


def _bases(vat: _Vat, category: str, rows: list[Row], entries: list[_Entry]) -> Iterator[Outcome]:
    """-08: the taxable amount is what was sold in this category; -09: its tax follows, or is nothing."""
    letters, name = codelists.VAT_CATEGORIES[category]
    for row in rows:
        base, rate, amount = (as_number(row.get(field)) for field in ("base", "rate", "amount"))
        sold = sum((e.amount for e in entries if category not in RATED or e.rate == rate), ZERO)
        if base is not None and (entries or vat.figures.structured):
            at = f" at {plain(rate)} %" if rate else ""
            message = (
                f"The VAT breakdown says {vat.figures.money(base)} {name}{at},"
                f" but lines, allowances and charges make {vat.figures.money(sold)}."
            )
            yield judge(f"BR-{letters}-08", abs(base - sold) <= ROUNDING_BASE, message, ["net_total", "tax_total"])
        if amount is not None and category not in RATED:
            message = f"The invoice charges {vat.figures.money(amount)} VAT on amounts marked “{name}”."
            yield judge(f"BR-{letters}-09", amount == 0, message, ["tax_total"])


def _exemption(category: str, rows: list[Row]) -> Iterator[Outcome]:
    letters, name = codelists.VAT_CATEGORIES[category]
    for row in rows:
        given = stated(row.get("exemption_reason"))
        if category in RATED | {"Z"}:
            message = f"The VAT breakdown gives a reason for exemption, but the amounts are “{name}”."
            yield judge(f"BR-{letters}-10", not given, message, ["tax_total"])
        else:
            message = f"The VAT breakdown gives no reason why amounts are “{name}”."
            yield judge(f"BR-{letters}-10", given, message, ["tax_total"])


def _special(vat: _Vat, category: str, rows: list[Row]) -> Iterator[Outcome]:
    if category == "K" and rows:
        when = any(vat.figures.text(field) for field in ("delivery.date", "period.start", "period.end"))
        yield judge("BR-IC-11", when, "An intra-community supply needs a delivery date or period.", ["delivery.date"])
        where = bool(vat.figures.text("delivery.country"))
        yield judge("BR-IC-12", where, "An intra-community supply needs the country of delivery.", ["delivery.country"])
    if category == "O" and rows:
        alone = {_category(row) for row in vat.rows} == {"O"}
        message = "The invoice says it is not subject to VAT, yet its VAT breakdown has other categories."
        yield judge("BR-O-11", alone, message, ["tax_total"])
        for rule, place in (("BR-O-12", "lines"), ("BR-O-13", "allowance"), ("BR-O-14", "charge")):
            same = all(entry.category == "O" for entry in vat.entries if entry.place == place)
            yield judge(
                rule, same, "The invoice says it is not subject to VAT, yet has amounts that are.", ["tax_total"]
            )
