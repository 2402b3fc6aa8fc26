"""Rules over the lines of an invoice."""

from collections.abc import Iterator
from decimal import Decimal

from orchestrator.documents import codelists
from orchestrator.documents.invoice_checks_outcome import Figures, Outcome, Row, as_number, judge, plain, stated

HIGHEST_INSURANCE_TAX = Decimal("0.35")  # above every rate levied in Europe
LINE_TOLERANCE = Decimal("0.02")  # quantity × price against the printed amount: both were rounded (PEPPOL-EN16931-R120)

_REQUIRED = [
    ("BR-21", "id", "number"),
    ("BR-22", "quantity", "quantity"),
    ("BR-23", "unit", "unit of measure"),
    ("BR-24", "net_amount", "amount"),
    ("BR-25", "name", "item name"),
    ("BR-26", "unit_price", "price"),
    ("BR-CO-04", "tax_category", "VAT category"),
]


def examine_lines(figures: Figures) -> Iterator[Outcome]:
    for index, line in enumerate(figures.lines):
        label, prefix = figures.line_label(index), f"lines.{index}."
        if figures.structured:
            for rule, field, name in _REQUIRED:
                yield judge(rule, stated(line.get(field)), f"{label} has no {name}.", [prefix + field])
        yield from _codes(line, label, prefix)
        yield from _price(line, label, prefix)
        yield from _arithmetic(figures, line, label, prefix)
    yield from _repeated_ids(figures)


def _codes(line: Row, label: str, prefix: str) -> Iterator[Outcome]:
    unit, category = line.get("unit"), line.get("tax_category")
    if unit and unit.value:
        message = f"{label}: the unit “{unit.value[:20]}” is not in UN/ECE Recommendation 20."
        yield judge("BR-CL-23", unit.value in codelists.UNITS, message, [prefix + "unit"])
    if category and category.value:
        known = category.value in codelists.VAT_CATEGORIES
        message = f"{label}: the VAT category “{category.value[:20]}” is not in UNTDID 5305."
        yield judge("BR-CL-18", known, message, [prefix + "tax_category"])


def _price(line: Row, label: str, prefix: str) -> Iterator[Outcome]:
    price, base = as_number(line.get("unit_price")), as_number(line.get("price_base_qty"))
    if price is not None:
        yield judge("BR-27", price >= 0, f"{label}: the price {plain(price)} is negative.", [prefix + "unit_price"])
    if base is not None:
        message = f"{label}: the price is for a quantity of {plain(base)}, which is impossible."
        yield judge("price-base-quantity", base > 0, message, [prefix + "price_base_qty"])


def _arithmetic(figures: Figures, line: Row, label: str, prefix: str) -> Iterator[Outcome]:
    quantity, price, net = (as_number(line.get(name)) for name in ("quantity", "unit_price", "net_amount"))
    if quantity is None or price is None or net is None:
        return
    base = as_number(line.get("price_base_qty")) or Decimal(1)
    less, more = (as_number(line.get(name)) or Decimal(0) for name in ("allowance_total", "charge_total"))
    expected = quantity * price / base - less + more
    fields = [prefix + name for name in ("quantity", "unit_price", "net_amount")]
    if base != 1:
        fields.append(prefix + "price_base_qty")
    message = (
        f"{label}: {_sum_in_words(quantity, price, base, less, more)} is {figures.money(round(expected, 2))},"
        f" but the line says {figures.money(net)}."
    )
    if _may_be_insurance_tax(figures, line, expected, net):
        share = f"{(net / expected - 1) * 100:.1f}"
        message = f"{message.removesuffix('.')}: {share} % more, as insurance tax may be."
        yield judge("line-arithmetic", False, message, fields, "note")
    else:
        yield judge("line-arithmetic", abs(expected - net) <= LINE_TOLERANCE, message, fields)


def _may_be_insurance_tax(figures: Figures, line: Row, expected: Decimal, net: Decimal) -> bool:
    """EN 16931 has no term for insurance premium tax: insurers put it into the line and leave it out of the price."""
    category = line.get("tax_category")
    exempt = category is not None and category.value in ("E", "O")
    insurer = figures.text("type_code") in codelists.INSURER_TYPES
    return insurer and exempt and expected + LINE_TOLERANCE < net <= expected * (1 + HIGHEST_INSURANCE_TAX)


def _sum_in_words(quantity: Decimal, price: Decimal, base: Decimal, less: Decimal, more: Decimal) -> str:
    words = f"{quantity:f} × {plain(price)}"
    words += f" per {base:f}" if base != 1 else ""
    words += f" less {plain(less)}" if less else ""
    return words + (f" plus {plain(more)}" if more else "")


def _repeated_ids(figures: Figures) -> Iterator[Outcome]:
    ids = [line["id"].value for line in figures.lines if "id" in line and line["id"].value]
    repeated = sorted({id for id in ids if ids.count(id) > 1})[:5] if len(set(ids)) < len(ids) else []
    if repeated:
        message = f"Several lines carry the same number: {', '.join(id[:20] for id in repeated)}."
        yield judge("line-id-repeated", False, message, ["lines"], "note")
