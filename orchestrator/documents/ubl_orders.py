"""Read what was ordered and what arrived: UBL 2.0 and 2.1 Order, OrderChange, Receipt Advice and Despatch Advice.

Values are normalised as in invoices: amounts as decimal strings without trailing zeros, dates as ISO 8601.
"""

from decimal import Decimal

from lxml import etree
from pydantic import BaseModel, ConfigDict

from orchestrator.documents.einvoice import MAX_LINES, as_amount, as_date, decimal_text
from orchestrator.documents.einvoice_ubl_places import NAMESPACE, NAMESPACES
from orchestrator.documents.xml_safe import Refused, parse

MAX_TEXT = 500
_SELLER = "cac:SellerSupplierParty/cac:Party"
_BUYER = "cac:BuyerCustomerParty/cac:Party"
_NAMES = (
    "cac:PartyLegalEntity/cbc:RegistrationName",
    "cac:PartyName/cbc:Name",
    "cac:PartyTaxScheme/cbc:RegistrationName",
)


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OrderLine(_Record):
    """One ordered item. `unit_price` is for `price_base_qty` units (1 where absent)."""

    id: str
    name: str | None = None
    seller_item_id: str | None = None
    buyer_item_id: str | None = None
    quantity: str | None = None
    unit: str | None = None
    unit_price: str | None = None
    price_base_qty: str | None = None
    net_amount: str | None = None


class Order(_Record):
    """A purchase order. `replaces` is set on a change: the number of the order whose lines it revises."""

    number: str
    issue_date: str | None = None
    currency: str | None = None
    seller_name: str | None = None
    seller_vat_id: str | None = None
    buyer_name: str | None = None
    net_total: str | None = None
    replaces: str | None = None
    lines: list[OrderLine] = []


class ReceiptLine(_Record):
    """What arrived of one order line. A Despatch Advice gives `despatched` instead of `received`."""

    id: str
    order_line_id: str | None = None
    seller_item_id: str | None = None
    buyer_item_id: str | None = None
    name: str | None = None
    unit: str | None = None
    received: str | None = None
    short: str | None = None
    rejected: str | None = None
    despatched: str | None = None


class Receipt(_Record):
    """A receipt or despatch advice."""

    number: str
    kind: str  # "receipt" or "despatch"
    issue_date: str | None = None
    order_number: str | None = None
    despatch_number: str | None = None
    lines: list[ReceiptLine] = []


def read_order(data: bytes) -> Order:
    """Read a UBL Order or OrderChange. Raises Refused with words for a clerk."""
    root = _root(data, {"Order", "OrderChange"}, "an order")
    change = etree.QName(root).localname == "OrderChange"
    lines = [_order_line(line) for line in _nodes(root, "cac:OrderLine/cac:LineItem")]
    return Order(
        number=_required(root, "cbc:ID", "The order has no number."),
        issue_date=as_date(_text(root, "cbc:IssueDate") or ""),
        currency=_text(root, "cbc:DocumentCurrencyCode", "cbc:PricingCurrencyCode", ".//@currencyID"),
        seller_name=_text(root, *(f"{_SELLER}/{name}" for name in _NAMES)),
        seller_vat_id=_text(root, f"{_SELLER}/cac:PartyTaxScheme[cac:TaxScheme/cbc:ID = 'VAT']/cbc:CompanyID"),
        buyer_name=_text(root, *(f"{_BUYER}/{name}" for name in _NAMES)),
        net_total=_amount(root, "cac:AnticipatedMonetaryTotal/cbc:LineExtensionAmount"),
        replaces=_text(root, "cac:OrderReference/cbc:ID") if change else None,
        lines=lines,
    )


def apply_change(order: Order, change: Order) -> Order:
    """The order as it stands after a change: its lines replace those of the same id, new ones are added."""
    revised = {line.id: line for line in change.lines}
    known = {line.id for line in order.lines}
    lines = [revised.get(line.id, line) for line in order.lines]
    lines += [line for line in change.lines if line.id not in known]
    amounts = [Decimal(line.net_amount) for line in lines if line.net_amount]
    total = decimal_text(sum(amounts, Decimal(0))) if len(amounts) == len(lines) else None
    return order.model_copy(update={"lines": lines, "net_total": total})


def read_receipt_advice(data: bytes) -> Receipt:
    """Read a UBL Receipt Advice or Despatch Advice. Raises Refused with words for a clerk."""
    root = _root(data, {"ReceiptAdvice", "DespatchAdvice"}, "a receipt or despatch advice")
    despatch = etree.QName(root).localname == "DespatchAdvice"
    return Receipt(
        number=_required(root, "cbc:ID", "The advice has no number."),
        kind="despatch" if despatch else "receipt",
        issue_date=as_date(_text(root, "cbc:IssueDate") or ""),
        order_number=_text(root, "cac:OrderReference/cbc:ID", ".//cac:OrderLineReference/cac:OrderReference/cbc:ID"),
        despatch_number=None if despatch else _text(root, "cac:DespatchDocumentReference/cbc:ID"),
        lines=[_receipt_line(line) for line in _nodes(root, "cac:DespatchLine" if despatch else "cac:ReceiptLine")],
    )


def _root(data: bytes, names: set[str], wanted: str) -> etree._Element:
    root = parse(data)
    if root.tag not in {f"{{{NAMESPACE}{name}-2}}{name}" for name in names}:
        raise Refused(f"The file is XML, but not {wanted} in UBL.")
    return root


def _order_line(line: etree._Element) -> OrderLine:
    return OrderLine(
        id=_required(line, "cbc:ID", "A line of the order has no number."),
        **_item(line),
        quantity=_amount(line, "cbc:Quantity"),
        unit=_text(line, "cbc:Quantity/@unitCode"),
        unit_price=_amount(line, "cac:Price/cbc:PriceAmount"),
        price_base_qty=_amount(line, "cac:Price/cbc:BaseQuantity"),
        net_amount=_amount(line, "cbc:LineExtensionAmount"),
    )


def _receipt_line(line: etree._Element) -> ReceiptLine:
    number = _required(line, "cbc:ID", "A line of the advice has no number.")
    return ReceiptLine(
        id=number,
        order_line_id=_text(line, "cac:OrderLineReference/cbc:LineID"),
        **_item(line),
        unit=_text(line, "cbc:ReceivedQuantity/@unitCode", "cbc:DeliveredQuantity/@unitCode"),
        received=_amount(line, "cbc:ReceivedQuantity"),
        short=_amount(line, "cbc:ShortQuantity"),
        rejected=_amount(line, "cbc:RejectedQuantity"),
        despatched=_amount(line, "cbc:DeliveredQuantity"),
    )


def _item(line: etree._Element) -> dict[str, str | None]:
    return {
        "name": _text(line, "cac:Item/cbc:Name", "cac:Item/cbc:Description"),
        "seller_item_id": _text(line, "cac:Item/cac:SellersItemIdentification/cbc:ID"),
        "buyer_item_id": _text(line, "cac:Item/cac:BuyersItemIdentification/cbc:ID"),
    }


def _nodes(root: etree._Element, path: str) -> list[etree._Element]:
    found = root.xpath(path, namespaces=NAMESPACES)
    if len(found) > MAX_LINES:
        raise Refused(f"The document has {len(found):,} lines; at most {MAX_LINES:,} are read.")
    return found


def _text(node: etree._Element, *paths: str) -> str | None:
    for path in paths:
        for hit in node.xpath(path, namespaces=NAMESPACES):
            text = " ".join((hit if isinstance(hit, str) else hit.text or "").split())
            if text:
                return text[:MAX_TEXT]
    return None


def _required(node: etree._Element, path: str, otherwise: str) -> str:
    found = _text(node, path)
    if found is None:
        raise Refused(otherwise)
    return found


def _amount(node: etree._Element, path: str) -> str | None:
    """An amount where one is given. An unreadable one is refused: an order is what an invoice is measured by."""
    raw = _text(node, path)
    if raw is None:
        return None
    amount = as_amount(raw)
    if amount is None:
        raise Refused(f"{path.rpartition(':')[2]} “{raw[:40]}” is not a number.")
    return amount
