"""Purchase orders and goods receipts in UBL become lines an invoice can be measured by."""

import pytest

from orchestrator.documents.ubl_orders import apply_change, read_order, read_receipt_advice
from orchestrator.documents.xml_safe import Refused
from tests.data_sets import DATA

ORDERS = DATA / "invoice_po/files"
UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
needs_data = pytest.mark.skipif(not ORDERS.exists(), reason=f"{ORDERS} is absent: set COUNTERSIGN_DATA")


def document(kind: str, body: str) -> bytes:
    spaces = f'xmlns:cbc="{UBL}CommonBasicComponents-2" xmlns:cac="{UBL}CommonAggregateComponents-2"'
    return f'<{kind} xmlns="{UBL}{kind}-2" {spaces}>{body}</{kind}>'.encode()


def test_an_order_line_keeps_its_base_quantity() -> None:
    line = (
        '<cac:OrderLine><cac:LineItem><cbc:ID>1</cbc:ID><cbc:Quantity unitCode="C62">200</cbc:Quantity><cac:Price>'
        "<cbc:PriceAmount>12.50</cbc:PriceAmount><cbc:BaseQuantity>100</cbc:BaseQuantity></cac:Price>"
        "<cac:Item><cbc:Name>Screw</cbc:Name></cac:Item></cac:LineItem></cac:OrderLine>"
    )
    order = read_order(document("Order", f"<cbc:ID>PO-1</cbc:ID>{line}"))
    found = order.lines[0]
    assert (order.number, found.quantity, found.unit) == ("PO-1", "200", "C62")
    assert (found.unit_price, found.price_base_qty) == ("12.5", "100")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (document("Order", ""), "no number"),
        (document("Invoice", "<cbc:ID>1</cbc:ID>"), "not an order"),
        (document("Order", "<cbc:ID>1</cbc:ID><cac:OrderLine><cac:LineItem/></cac:OrderLine>"), "line of the order"),
        (b"<!DOCTYPE a><a/>", "DOCTYPE"),
    ],
)
def test_what_is_no_order_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_order(data)


def test_an_unreadable_quantity_is_refused_and_named() -> None:
    item = "<cac:LineItem><cbc:ID>1</cbc:ID><cbc:Quantity>many</cbc:Quantity></cac:LineItem>"
    with pytest.raises(Refused, match="Quantity “many” is not a number"):
        read_order(document("Order", f"<cbc:ID>PO-1</cbc:ID><cac:OrderLine>{item}</cac:OrderLine>"))


@needs_data
def test_every_order_of_the_shared_data_is_read() -> None:
    for path in sorted(ORDERS.glob("*/order.xml")):
        order = read_order(path.read_bytes())
        assert order.number, path
        assert order.currency, path
        assert order.seller_name, path
        assert order.lines, path
        assert all(line.quantity and line.unit_price and line.net_amount for line in order.lines), path


@needs_data
def test_an_order_and_its_receipt_of_ubl_2_0_are_read() -> None:
    chain = ORDERS / "oasis-chain"
    order = read_order((chain / "UBL-Order-2.0-Example.xml").read_bytes())
    receipt = read_receipt_advice((chain / "UBL-ReceiptAdvice-2.0-Example.xml").read_bytes())
    despatch = read_receipt_advice((chain / "UBL-DespatchAdvice-2.0-Example.xml").read_bytes())
    assert (order.number, order.currency, order.seller_name) == ("AEG012345", "GBP", "Consortial")
    assert (order.lines[0].quantity, order.lines[0].unit_price, order.lines[0].net_amount) == ("100", "100", "100")
    assert (receipt.order_number, receipt.lines[0].received, receipt.lines[0].short) == ("AEG012345", "90", "10")
    assert (despatch.kind, despatch.lines[0].despatched, despatch.lines[0].order_line_id) == ("despatch", "90", "1")


@needs_data
def test_an_order_change_replaces_its_lines() -> None:
    chain = ORDERS / "oasis-order34"
    order = read_order((chain / "UBL-Order-2.1-Example.xml").read_bytes())
    change = read_order((chain / "UBL-OrderChange-2.1-Example.xml").read_bytes())
    assert (order.number, order.net_total, change.replaces) == ("34", "6225", "34")
    changed = apply_change(order, change)
    assert [(line.id, line.quantity, line.net_amount) for line in changed.lines] == [
        ("1", "240", "12000"),
        ("2", "15", "225"),
    ]
    assert changed.net_total == "12225"
