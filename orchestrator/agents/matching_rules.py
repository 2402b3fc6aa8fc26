"""The differences between a matched invoice line and its order line, in words for a clerk. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from orchestrator.documents.ubl_orders import OrderLine

from .findings import Discrepancy, Option
from .invoices_model import InvoiceLine
from .matching import CENT, PIECES, ZERO, Tolerance, net_per_unit, number, plain, same_unit, unit_price, units

Severity = Literal["stop", "note"]
# How people say the units of measure that invoices use most (UN/ECE Recommendation 20); others are shown as their code.
UNIT_WORDS = {
    **dict.fromkeys(PIECES, "pcs"),
    "KGM": "kg",
    "GRM": "g",
    "TNE": "t",
    "LTR": "l",
    "MTR": "m",
    "MTK": "m²",
    "MTQ": "m³",
    "KWH": "kWh",
    "MIN": "min",
    "HUR": "hours",
    "DAY": "days",
    "MON": "months",
    "ANN": "years",
}


@dataclass(frozen=True, slots=True)
class Held:
    """One invoice line held against its order line. Quantities are in the line's unit: `ordered`, `invoiced_before`
    by earlier invoices, `received` so far (None: nobody records receipts for this order), `beside` by lines of this
    invoice further up for the same order line, of which this is the last one or not."""

    line: InvoiceLine
    position: int
    order: OrderLine
    order_number: str
    currency: str
    comparable: bool = True  # both in one currency
    invoiced_before: Decimal = ZERO
    beside: Decimal = ZERO
    last: bool = True
    received: Decimal | None = None

    @property
    def label(self) -> str:
        return self.line.id or str(self.position + 1)

    @property
    def unit(self) -> str:
        code = self.line.unit or self.order.unit or "units"
        return UNIT_WORDS.get(code, code)

    def found(
        self, kind: str, severity: Severity, what: str, message: str, field: str, options: dict[str, str | None]
    ) -> Discrepancy:
        return Discrepancy(
            kind=kind,
            severity=severity,
            title=f"{what}, line {self.label}",
            message=message,
            line=self.label,
            pointer=f"/read/invoice/lines/{self.position}/{field}",
            options=[Option(value=value, source=source) for source, value in options.items()],
        )


def line_differences(held: Held, tolerance: Tolerance) -> Iterator[Discrepancy]:
    """Everything a clerk should know about one matched line."""
    if not same_unit(held.line.unit, held.order.unit):
        yield unit_differs(held)
        return
    if held.comparable:
        yield from price_difference(held, tolerance)
    yield from quantity_difference(held, tolerance)
    yield from receipt_difference(held, tolerance)


def unit_differs(held: Held) -> Discrepancy:
    """Quantities and prices in other units cannot be compared: nothing further is said about the line."""
    message = (
        f"Line {held.label} is invoiced in {held.line.unit}, but was ordered in {held.order.unit}:"
        " quantity and price cannot be compared."
    )
    options = {"invoice": held.line.unit, f"order {held.order_number}": held.order.unit}
    return held.found("unit_differs", "stop", "Unit", message, "unit", options)


def price_difference(held: Held, tolerance: Tolerance) -> Iterator[Discrepancy]:
    asked, agreed = unit_price(held.line), unit_price(held.order)
    if asked is None or agreed is None:
        yield _no_price(held)
        return
    if asked == agreed or abs(asked - agreed) * (number(held.line.quantity) or ZERO) < CENT / 2:
        return
    percent = (asked - agreed) / agreed * 100 if agreed else Decimal(100)
    kind, severity, ending = _price_verdict(held, percent, tolerance)
    message = (
        f"{plain(asked)} {held.currency} per unit is invoiced, {plain(agreed)} {held.currency} was ordered"
        f" ({percent:+.1f} %); {ending}."
    )
    options = {"invoice": held.line.unit_price, f"order {held.order_number}": _price_as_invoiced(held, agreed)}
    yield held.found(kind, severity, "Unit price", message, "unit_price", options)


def _no_price(held: Held) -> Discrepancy:
    where = "the invoice" if unit_price(held.line) is None else f"order {held.order_number}"
    message = f"Line {held.label} has no price in {where}, so the price cannot be compared."
    return held.found("price_missing", "stop", "Unit price", message, "unit_price", {})


def _price_verdict(held: Held, percent: Decimal, tolerance: Tolerance) -> tuple[str, Severity, str]:
    limit = f"{units(tolerance.price_percent)} % is allowed"
    if abs(percent) <= tolerance.price_percent:
        return "price_within_tolerance", "note", limit
    if _amounts_agree(held, tolerance):
        return "unit_price_differs", "stop", "the amounts of both lines agree, so one price stands for another quantity"
    if percent > 0:
        return "price_over", "stop", limit
    accepted = tolerance.price_under == "accept"
    return (
        "price_under",
        "note" if accepted else "stop",
        "a lower price is " + ("accepted" if accepted else "for a person to judge"),
    )


def _amounts_agree(held: Held, tolerance: Tolerance) -> bool:
    """Per unit both lines cost the same by their amounts, whatever their prices say."""
    asked, agreed = net_per_unit(held.line), net_per_unit(held.order)
    return bool(asked is not None and agreed and abs(asked - agreed) / abs(agreed) * 100 <= tolerance.price_percent)


def _price_as_invoiced(held: Held, agreed: Decimal) -> str:
    """The ordered price in the invoice's own base quantity, so that it could take its place."""
    base = number(held.line.price_base_qty) or Decimal(1)
    return units((agreed * base).quantize(Decimal("0.000001")))


def quantity_difference(held: Held, tolerance: Tolerance) -> Iterator[Discrepancy]:
    asked, ordered = number(held.line.quantity), number(held.order.quantity)
    if asked is None or ordered is None:
        where = "the invoice" if asked is None else f"order {held.order_number}"
        message = f"Line {held.label} has no quantity in {where}, so it cannot be compared."
        yield held.found("quantity_missing", "stop", "Quantity", message, "quantity", {})
        return
    remaining = ordered - held.invoiced_before - held.beside
    if asked == remaining:
        return
    before = held.invoiced_before + held.beside
    already = f", of which {units(before)} {held.unit} are invoiced already" if before else ""
    said = f"{units(asked)} {held.unit} invoiced, {units(ordered)} {held.unit} ordered{already}"
    options = {"invoice": held.line.quantity, f"open in order {held.order_number}": units(max(remaining, ZERO))}
    if asked > remaining + tolerance.quantity:
        allowed = f", where {units(tolerance.quantity)} more may be" if tolerance.quantity else ""
        message = f"{said}: {units(asked - remaining)} {held.unit} too many{allowed}."
        yield held.found("qty_over", "stop", "Quantity", message, "quantity", options)
    elif asked < remaining and held.last:
        severity: Severity = "note" if tolerance.partial_delivery == "accept" else "stop"
        message = f"{said}: {units(remaining - asked)} {held.unit} stay open."
        yield held.found("qty_partial", severity, "Quantity", message, "quantity", options)


def receipt_difference(held: Held, tolerance: Tolerance) -> Iterator[Discrepancy]:
    asked = number(held.line.quantity)
    if held.received is None or asked is None:
        return
    remaining = held.received - held.invoiced_before - held.beside
    if asked <= remaining + tolerance.quantity:
        return
    message = (
        f"{units(asked)} {held.unit} invoiced, but only {units(max(remaining, ZERO))} {held.unit} received and not yet"
        f" invoiced: {units(asked - max(remaining, ZERO))} {held.unit} are missing."
    )
    options = {"invoice": held.line.quantity, "goods receipt": units(max(remaining, ZERO))}
    yield held.found("qty_over_receipt", "stop", "Received quantity", message, "quantity", options)


def extra_line(line: InvoiceLine, position: int, order_number: str, currency: str) -> Discrepancy:
    """A line nobody ordered."""
    label = line.id or str(position + 1)
    net = number(line.net_amount)
    amount = f" for {plain(net)} {currency}" if net is not None else ""
    return Discrepancy(
        kind="extra_line",
        severity="stop",
        title=f"Not ordered, line {label}",
        message=f"“{(line.name or 'A line without a name')[:120]}”{amount} is not in order {order_number}.",
        line=label,
        pointer=f"/read/invoice/lines/{position}/net_amount",
        options=[Option(value=line.net_amount, source="invoice"), Option(value="0", source=f"order {order_number}")],
    )
