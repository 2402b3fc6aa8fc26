"""Three-way match: finds the order, the receipts, the tolerances and earlier invoices, and reports what differs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator.documents.ubl_orders import Order, OrderLine, Receipt

from .base import Source
from .duplicates import counts
from .findings import Compared, Discrepancy, Option, stopping
from .invoices_model import Invoice
from .matching import ZERO, Pair, Tolerance, compact, name_key, number, pair_lines, plain, unit_price, units
from .matching_rules import Held, extra_line, line_differences

Sources = Callable[[str], Source]
SUGGESTED = 3
DEFAULT = "default"


class MatchedLine(BaseModel):
    """What stands side by side on the case page. Prices are those of one unit."""

    model_config = ConfigDict(extra="forbid")

    line: str
    order_line: str | None = None
    matched_by: str = ""
    name: str | None = None
    unit: str | None = None
    invoiced: str | None = None
    ordered: str | None = None
    invoiced_before: str = "0"
    received: str | None = None
    unit_price: str | None = None
    order_unit_price: str | None = None


class OrderReport(Compared):
    """`found`: the order it names is one of ours."""

    order_number: str | None
    found: bool
    matched_lines: list[MatchedLine] = []
    receipts: list[str] = []


def order_report(invoice: Invoice, vendor_id: str | None, source: Sources) -> tuple[OrderReport, float]:
    """(report, confidence). The confidence is that of the least certain pair of lines; 1 where nothing was matched."""
    if not invoice.order_reference:
        found = [missing_reference(suggestions(invoice, source("purchase-orders")))]
        return OrderReport(order_number=None, found=False, discrepancies=found, **stopping(found)), 1.0
    row = source("purchase-orders").get(invoice.order_reference)
    if row is None:
        unknown = [unknown_order(invoice, suggestions(invoice, source("purchase-orders")))]
        number = invoice.order_reference
        return OrderReport(order_number=number, found=False, discrepancies=unknown, **stopping(unknown)), 1.0
    order = Order.model_validate(row)
    receipts = [Receipt.model_validate(found) for found in source("receipts").find(order_number=order.number)]
    earlier = earlier_invoices(invoice, order, vendor_id, source("payment-history"))
    return compare(invoice, order, receipts, earlier, tolerance_of(vendor_id, source("tolerances")))


def compare(
    invoice: Invoice,
    order: Order,
    receipts: Sequence[Receipt],
    earlier: Sequence[dict[str, Any]],
    tolerance: Tolerance,
) -> tuple[OrderReport, float]:
    """The invoice against everything that was found. Pure."""
    pairs = pair_lines(invoice.lines, order.lines)
    held = list(hold(invoice, order, receipts, earlier, pairs))
    differences = [*header_differences(invoice, order), *total_difference(invoice, order, earlier, tolerance)]
    for pair in pairs:
        if pair.order is None:
            currency = invoice.currency or ""
            differences.append(extra_line(invoice.lines[pair.invoice], pair.invoice, order.number, currency))
    for one in held:
        differences += line_differences(one, tolerance)
    report = OrderReport(
        order_number=order.number,
        found=True,
        matched_lines=[side_by_side(one, pair) for one, pair in zip(held, _matched(pairs), strict=True)],
        receipts=[receipt.number for receipt in receipts],
        discrepancies=sorted(differences, key=lambda difference: difference.severity != "stop"),
        **stopping(differences),
    )
    return report, min((pair.certainty for pair in pairs), default=1.0)


def _matched(pairs: Iterable[Pair]) -> list[Pair]:
    return [pair for pair in pairs if pair.order is not None]


def hold(
    invoice: Invoice,
    order: Order,
    receipts: Sequence[Receipt],
    earlier: Sequence[dict[str, Any]],
    pairs: Sequence[Pair],
) -> Iterator[Held]:
    """Each matched line with all that is known of its order line; parts of one order line count one after the other."""
    used: dict[int, Decimal] = {}
    last = {pair.order: pair.invoice for pair in pairs}
    for pair in pairs:
        if pair.order is None:
            continue
        line, ordered = invoice.lines[pair.invoice], order.lines[pair.order]
        yield Held(
            line,
            pair.invoice,
            ordered,
            order.number,
            invoice.currency or order.currency or "",
            comparable=not (invoice.currency and order.currency) or invoice.currency == order.currency,
            invoiced_before=invoiced(earlier, ordered),
            beside=used.get(pair.order, ZERO),
            last=last[pair.order] == pair.invoice,
            received=received(receipts, ordered),
        )
        used[pair.order] = used.get(pair.order, ZERO) + (number(line.quantity) or ZERO)


def side_by_side(held: Held, pair: Pair) -> MatchedLine:
    asked, agreed = unit_price(held.line), unit_price(held.order)
    return MatchedLine(
        line=held.label,
        order_line=held.order.id,
        matched_by=pair.by,
        name=held.line.name or held.order.name,
        unit=held.line.unit or held.order.unit,
        invoiced=held.line.quantity,
        ordered=held.order.quantity,
        invoiced_before=units(held.invoiced_before),
        received=None if held.received is None else units(held.received),
        unit_price=None if asked is None else units(asked),
        order_unit_price=None if agreed is None else units(agreed),
    )


def tolerance_of(vendor_id: str | None, tolerances: Source) -> Tolerance:
    """The vendor's own row, else the default row; without either nothing may differ."""
    row = (tolerances.get(vendor_id) if vendor_id else None) or tolerances.get(DEFAULT) or {}
    under, partial = row.get("price_under", "review"), row.get("partial_delivery", "accept")
    return Tolerance(
        price_percent=number(row.get("price_tolerance_percent")) or ZERO,
        quantity=number(row.get("quantity_tolerance")) or ZERO,
        price_under="accept" if under == "accept" else "review",
        partial_delivery="accept" if partial == "accept" else "review",
    )


def earlier_invoices(invoice: Invoice, order: Order, vendor_id: str | None, history: Source) -> list[dict[str, Any]]:
    """What was paid against this order before; a second copy of this very invoice is not an earlier one."""
    rows = history.find(order_reference=order.number)
    own = compact(invoice.invoice_number)
    return [row for row in rows if counts(row) and compact(row.get("invoice_number")) != own]


def invoiced(earlier: Iterable[dict[str, Any]], ordered: OrderLine) -> Decimal:
    """How much of an order line earlier invoices took."""
    lines = [line for row in earlier for line in row.get("lines") or [] if line.get("order_line_id") == ordered.id]
    return sum((number(line.get("quantity")) or ZERO for line in lines), ZERO)


def received(receipts: Sequence[Receipt], ordered: OrderLine) -> Decimal | None:
    """What arrived of an order line; by the sender's advice where nobody recorded a receipt, None without either."""
    kinds = [receipt for receipt in receipts if receipt.kind == "receipt"] or list(receipts)
    if not kinds:
        return None
    lines = [line for receipt in kinds for line in receipt.lines if _about(line, ordered)]
    arrived = (number(line.received or line.despatched) or ZERO for line in lines)
    return sum(arrived, ZERO) - sum((number(line.rejected) or ZERO for line in lines), ZERO)


def _about(line: Any, ordered: OrderLine) -> bool:
    if line.order_line_id:
        return bool(line.order_line_id == ordered.id)
    for own, other in ((line.seller_item_id, ordered.seller_item_id), (line.buyer_item_id, ordered.buyer_item_id)):
        if own and other:
            return compact(own) == compact(other)
    return bool(line.id == ordered.id or (line.name and name_key(line.name) == name_key(ordered.name)))


def header_differences(invoice: Invoice, order: Order) -> Iterator[Discrepancy]:
    source = f"order {order.number}"
    if invoice.currency and order.currency and invoice.currency != order.currency:
        yield Discrepancy(
            kind="currency_mismatch",
            severity="stop",
            title="Currency",
            message=f"The invoice is in {invoice.currency}, {source} in {order.currency}: prices cannot be compared.",
            pointer="/read/invoice/currency",
            options=[Option(value=invoice.currency, source="invoice"), Option(value=order.currency, source=source)],
        )
    if other_supplier(invoice, order):
        ours, theirs = (
            _party(invoice.seller.name, invoice.seller.vat_id),
            _party(order.seller_name, order.seller_vat_id),
        )
        yield Discrepancy(
            kind="supplier_mismatch",
            severity="stop",
            title="Supplier",
            message=f"The invoice comes from {ours}, but {source} was placed with {theirs}.",
            pointer="/read/invoice/seller/name",
            options=[
                Option(value=invoice.seller.name, source="invoice"),
                Option(value=order.seller_name, source=source),
            ],
        )


def other_supplier(invoice: Invoice, order: Order) -> bool:
    """VAT ids decide where both are given, names otherwise; without either nothing is known and nothing is claimed."""
    ours, theirs = compact(invoice.seller.vat_id), compact(order.seller_vat_id)
    if ours and theirs:
        return ours != theirs
    names = {name_key(invoice.seller.name), name_key(invoice.seller.trading_name)} - {""}
    return bool(names and order.seller_name) and name_key(order.seller_name) not in names


def _party(name: str | None, vat_id: str | None) -> str:
    return f"{name or 'an unnamed seller'} ({vat_id})" if vat_id else name or "an unnamed seller"


def total_difference(
    invoice: Invoice, order: Order, earlier: Sequence[dict[str, Any]], tolerance: Tolerance
) -> Iterator[Discrepancy]:
    """Where earlier invoices are known without their lines, at least all of them together may not exceed the order."""
    unlisted = [number(row.get("net_total")) for row in earlier if not row.get("lines")]
    total, now = number(order.net_total), number(invoice.net_total)
    if not unlisted or None in unlisted or total is None or now is None:
        return
    before = sum((amount for amount in unlisted if amount is not None), ZERO)
    limit = total * (1 + tolerance.price_percent / 100)
    if before + now > limit:
        currency = invoice.currency or ""
        yield Discrepancy(
            kind="order_exceeded",
            severity="stop",
            title="Order total",
            message=(
                f"With {plain(before)} {currency} invoiced before, this invoice of {plain(now)} {currency} exceeds"
                f" order {order.number} of {plain(total)} {currency} without tax."
            ),
            pointer="/read/invoice/net_total",
        )


def missing_reference(orders: Sequence[Order]) -> Discrepancy:
    return Discrepancy(
        kind="missing_po_reference",
        severity="stop",
        title="Order number",
        message="The invoice names no order." + _hint(orders),
        pointer="/read/invoice/order_reference",
        options=[Option(value=order.number, source=f"open order of {order.seller_name}") for order in orders],
    )


def unknown_order(invoice: Invoice, orders: Sequence[Order]) -> Discrepancy:
    return Discrepancy(
        kind="po_unknown",
        severity="stop",
        title="Order number",
        message=f"There is no order {invoice.order_reference}, which the invoice names." + _hint(orders),
        pointer="/read/invoice/order_reference",
        options=[
            Option(value=invoice.order_reference, source="invoice"),
            *(Option(value=order.number, source=f"open order of {order.seller_name}") for order in orders),
        ],
    )


def _hint(orders: Sequence[Order]) -> str:
    if not orders:
        return ""
    return f" Orders placed with this seller: {', '.join(order.number for order in orders)}."


def suggestions(invoice: Invoice, orders: Source) -> list[Order]:
    """Orders placed with the same seller, the closest total first."""
    vat_id = compact(invoice.seller.vat_id)
    if not vat_id:
        return []
    found = [Order.model_validate(row) for row in orders.find(seller_vat_id=vat_id)]
    net = number(invoice.net_total) or ZERO
    return sorted(found, key=lambda order: abs((number(order.net_total) or ZERO) - net))[:SUGGESTED]
