"""An invoice line finds its order line, and what differs is said in words."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.agents.duplicates import duplicate_difference, duplicate_kind, find_duplicates
from orchestrator.agents.findings import Discrepancy
from orchestrator.agents.invoices_model import Invoice, InvoiceLine, Party
from orchestrator.agents.invoices_order import compare
from orchestrator.agents.matching import Tolerance, compact, name_key, pair_lines, similarity, unit_price
from orchestrator.agents.payments_account import account_differences
from orchestrator.agents.vendors_lookup import BY_IBAN, BY_NAME, BY_VAT_ID, certainty, choose, vendor_differences
from orchestrator.documents.ubl_orders import Order, OrderLine, Receipt, ReceiptLine

TWO_PERCENT = Tolerance(price_percent=Decimal(2), price_under="accept", partial_delivery="accept")
STRICT = Tolerance(price_percent=Decimal(2), price_under="review", partial_delivery="review")
SELLER = Party(name="Nordlicht GmbH", vat_id="DE811115368")


def line(id: str = "1", **values: str) -> InvoiceLine:
    given = {"name": "Cement, 25 kg", "quantity": "10", "unit": "C62", "unit_price": "5.00", **values}
    return InvoiceLine(id=id, **given)


def ordered(id: str = "1", **values: str) -> OrderLine:
    given = {"name": "Cement, 25 kg", "quantity": "10", "unit": "C62", "unit_price": "5.00", **values}
    return OrderLine(id=id, **given)


def invoice(*lines: InvoiceLine, **values: Any) -> Invoice:
    given = {"invoice_number": "R-1", "issue_date": "2026-03-01", "currency": "EUR", "gross_total": "59.5"}
    given |= {"net_total": "50", "order_reference": "PO-1", "seller": SELLER}
    return Invoice(**{**given, **values}, lines=list(lines or [line()]))


def order(*lines: OrderLine, **values: Any) -> Order:
    given = {"number": "PO-1", "currency": "EUR", "seller_name": "Nordlicht GmbH", "seller_vat_id": "DE811115368"}
    return Order(**{**given, "net_total": "50", **values}, lines=list(lines or [ordered()]))


def receipt(received: str, kind: str = "receipt", **values: str) -> Receipt:
    quantity = {"received": received} if kind == "receipt" else {"despatched": received}
    return Receipt(number="GR-1", kind=kind, order_number="PO-1", lines=[ReceiptLine(id="1", **quantity, **values)])


def differences(
    inv: Invoice,
    po: Order,
    *,
    tolerance: Tolerance = TWO_PERCENT,
    receipts: Sequence[Receipt] = (),
    earlier: Sequence = (),
) -> dict[str, Discrepancy]:
    report, _ = compare(inv, po, receipts, earlier, tolerance)
    return {found.kind: found for found in report.discrepancies}


def test_an_invoice_that_says_what_was_ordered_differs_in_nothing() -> None:
    report, confidence = compare(invoice(), order(), [receipt("10")], [], TWO_PERCENT)
    assert report.discrepancies == []
    assert report.stops == 0
    assert report.matched_lines[0].order_line == "1"
    assert report.matched_lines[0].received == "10"
    assert 0 < confidence <= 1


@pytest.mark.parametrize(
    ("asked", "kind", "severity"),
    [("5.05", "price_within_tolerance", "note"), ("5.40", "price_over", "stop"), ("4.50", "price_under", "note")],
)
def test_a_price_is_judged_by_the_tolerance(asked: str, kind: str, severity: str) -> None:
    found = differences(invoice(line(unit_price=asked)), order())
    assert list(found) == [kind]
    assert found[kind].severity == severity
    assert f"{Decimal(asked):.2f} EUR" in found[kind].message
    assert "5.00 EUR" in found[kind].message


def test_a_lower_price_stops_where_the_vendor_is_told_to_be_judged() -> None:
    assert differences(invoice(line(unit_price="4.50")), order(), tolerance=STRICT)["price_under"].severity == "stop"


def test_the_edge_of_the_tolerance_is_inside() -> None:
    assert list(differences(invoice(line(unit_price="5.10")), order())) == ["price_within_tolerance"]
    assert list(differences(invoice(line(unit_price="5.1001")), order())) == ["price_over"]


def test_a_price_per_hundred_is_the_same_as_its_hundredth() -> None:
    assert unit_price(line(unit_price="500", price_base_qty="100")) == 5
    assert differences(invoice(line(unit_price="500", price_base_qty="100")), order()) == {}


def test_prices_that_only_another_quantity_explains_go_to_a_person() -> None:
    found = differences(invoice(line(net_amount="50")), order(ordered(unit_price="500", net_amount="50")))
    assert list(found) == ["unit_price_differs"]
    assert found["unit_price_differs"].severity == "stop"


def test_the_ordered_price_is_offered_in_the_invoices_own_base_quantity() -> None:
    found = differences(invoice(line(unit_price="560", price_base_qty="100")), order())["price_over"]
    assert found.pointer == "/read/invoice/lines/0/unit_price"
    assert [(option.value, option.source) for option in found.options] == [("560", "invoice"), ("500", "order PO-1")]


def test_too_many_stop_and_a_part_delivery_is_a_note() -> None:
    over = differences(invoice(line(quantity="12")), order())["qty_over"]
    assert over.severity == "stop"
    assert "2 pcs too many" in over.message
    assert differences(invoice(line(quantity="8")), order())["qty_partial"].severity == "note"
    assert differences(invoice(line(quantity="8")), order(), tolerance=STRICT)["qty_partial"].severity == "stop"


def test_earlier_invoices_reduce_what_is_open() -> None:
    earlier = [{"lines": [{"order_line_id": "1", "quantity": "6"}]}]
    over = differences(invoice(line(quantity="5")), order(), earlier=earlier)["qty_over"]
    assert "6 pcs are invoiced already" in over.message
    assert differences(invoice(line(quantity="4")), order(), earlier=earlier) == {}


def test_earlier_invoices_without_lines_still_count_by_their_totals() -> None:
    assert "order_exceeded" in differences(invoice(), order(), earlier=[{"net_total": "20"}])
    assert differences(invoice(), order(net_total="70"), earlier=[{"net_total": "20"}]) == {}


def test_more_than_was_received_stops() -> None:
    found = differences(invoice(), order(), receipts=[receipt("9")])["qty_over_receipt"]
    assert found.severity == "stop"
    assert "only 9 pcs received" in found.message


def test_rejected_goods_were_not_received_and_a_despatch_counts_where_nobody_recorded_a_receipt() -> None:
    assert "qty_over_receipt" in differences(invoice(), order(), receipts=[receipt("10", rejected="1")])
    assert "qty_over_receipt" in differences(invoice(), order(), receipts=[receipt("9", kind="despatch")])
    assert differences(invoice(), order(), receipts=[receipt("10"), receipt("9", kind="despatch")]) == {}


def test_a_line_nobody_ordered_is_named_with_its_amount() -> None:
    found = differences(invoice(line(), line("2", name="Freight", net_amount="30")), order())["extra_line"]
    assert found.line == "2"
    assert "“Freight” for 30.00 EUR" in found.message
    assert found.severity == "stop"


def test_other_units_cannot_be_compared() -> None:
    assert list(differences(invoice(line(unit="KGM")), order())) == ["unit_differs"]
    assert differences(invoice(line(unit="H87")), order()) == {}


def test_another_currency_stops_and_prices_are_not_compared() -> None:
    assert list(differences(invoice(line(unit_price="9")), order(currency="USD"))) == ["currency_mismatch"]


def test_another_supplier_is_told_by_vat_id_and_else_by_name() -> None:
    other = Party(name="Nordlicht GmbH", vat_id="DE999999999")
    assert list(differences(invoice(seller=other), order())) == ["supplier_mismatch"]
    spelled = Party(name="NORDLICHT  GmbH", vat_id="DE 811 115 368")
    assert differences(invoice(seller=spelled), order()) == {}
    assert list(differences(invoice(seller=Party(name="Südlicht GmbH")), order())) == ["supplier_mismatch"]


def test_lines_are_matched_by_reference_item_number_and_name_whatever_their_order() -> None:
    lines = [
        line("10", name="Gravel", order_line_id="3"),
        line("20", name="Sand, washed", seller_item_id="S-7"),
        line("30", name="Cement, 25 kg bags"),
    ]
    orders = [ordered("1"), ordered("2", name="Sand", seller_item_id="s7"), ordered("3", name="Stones")]
    assert [pair.order for pair in pair_lines(lines, orders)] == [2, 1, 0]


def test_other_item_numbers_speak_against_a_match() -> None:
    pairs = pair_lines([line(seller_item_id="A1")], [ordered("9", seller_item_id="B2")])
    assert pairs[0].order is None


def test_two_parts_of_one_order_line_count_together() -> None:
    parts = [line("1", quantity="6", seller_item_id="A"), line("2", quantity="4", seller_item_id="A")]
    found = differences(invoice(*parts), order(ordered(seller_item_id="A")))
    assert found == {}
    more = [line("1", quantity="6", seller_item_id="A"), line("2", quantity="5", seller_item_id="A")]
    assert "extra_line" in differences(invoice(*more), order(ordered(seller_item_id="A")))


def paid(**values: Any) -> dict[str, Any]:
    row = {"invoice_number": "R-1", "seller_vat_id": "DE811115368", "issue_date": "2026-03-01", "gross_total": "59.5"}
    return {**row, "currency": "EUR", "status": "paid", **values}


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (paid(), "duplicate_exact"),
        (paid(invoice_number="r 1"), "duplicate_exact"),
        (paid(invoice_number="R-1-A"), "duplicate_renumbered"),
        (paid(invoice_number="X-99", issue_date="2026-02-01"), ""),
        (paid(gross_total="61"), "number_reused"),
        (paid(seller_vat_id="DE999999999"), ""),
        (paid(seller_vat_id="DE999999999", document_sha256="ab"), "duplicate_document"),
    ],
)
def test_a_duplicate_is_told_from_what_only_looks_like_one(row: dict[str, Any], kind: str) -> None:
    assert duplicate_kind(invoice(), row, vendor_id=None, sha256="ab") == kind


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        (paid(status="reversed"), ["reversed_before"]),
        (paid(status="reversed", gross_total="61"), ["reversed_before"]),
        (paid(status="reversed", invoice_number="R-1-A"), []),
        (paid(status="cancelled"), []),
    ],
)
def test_a_number_that_was_paid_and_reversed_is_told(row: dict[str, Any], kinds: list[str]) -> None:
    found = list(find_duplicates(invoice(), [row], vendor_id=None, sha256=""))
    assert [known.kind for known in found] == kinds
    for known in found:
        told = duplicate_difference(invoice(), known)
        assert (told.severity, told.title) == ("stop", "Paid before and reversed")
        assert "that was taken back: invoice R-1 of 2026-03-01" in told.message


def test_a_monthly_invoice_of_the_same_amount_is_no_duplicate() -> None:
    assert (
        duplicate_kind(invoice(), paid(invoice_number="R-0", issue_date="2026-02-01"), vendor_id=None, sha256="") == ""
    )


def accounts(iban: str | None, known: str | None, changed_at: str | None = None) -> list[str]:
    inv = invoice(iban=iban)
    return [d.kind for d in account_differences(inv, vendor_name="N", iban=known, changed_at=changed_at)]


def test_the_account_of_the_invoice_must_be_the_one_on_record() -> None:
    assert accounts("DE02 1203 0000 0000 2020 51", "DE02120300000000202051") == []
    assert accounts("DE79000000001234567890", "DE02120300000000202051") == ["bank_account_changed"]
    assert accounts("DE79000000001234567890", None) == ["bank_account_unconfirmed"]
    assert accounts(None, None) == ["bank_account_absent"]
    assert accounts(None, "DE02120300000000202051") == []
    assert accounts(None, "DE02120300000000202051", "2026-02-20") == ["bank_account_recent"]
    assert accounts(None, "DE02120300000000202051", "2025-02-20") == []


ROWS = [
    {"vendor_id": "V1", "name": "Nordlicht GmbH", "vat_id": "DE811115368", "iban": "DE1"},
    {"vendor_id": "V2", "name": "Nordlicht Service GmbH", "vat_id": "DE811115368", "iban": "DE2"},
]


def test_among_vendors_of_one_vat_id_the_account_decides_then_the_name() -> None:
    assert choose(ROWS, BY_VAT_ID, SELLER, "DE2").row["vendor_id"] == "V2"
    assert choose(ROWS, BY_VAT_ID, SELLER, None).row["vendor_id"] == "V1"
    twins = [ROWS[0], {**ROWS[0], "vendor_id": "V3"}]
    found = choose(twins, BY_VAT_ID, SELLER, "DE1")
    assert [d.kind for d in vendor_differences(found, SELLER)] == ["vendor_ambiguous"]
    assert certainty(found, SELLER) < 0.6


def test_a_vendor_found_by_its_account_under_another_vat_id_is_for_a_person() -> None:
    found = choose(ROWS[:1], BY_IBAN, Party(name="Nordlicht GmbH", vat_id="DE999999999"), "DE1")
    assert [d.kind for d in vendor_differences(found, Party(name="Nordlicht GmbH", vat_id="DE999999999"))] == [
        "vendor_vat_id_differs"
    ]
    assert [d.kind for d in vendor_differences(None, SELLER)] == ["vendor_unknown"]
    assert list(vendor_differences(choose(ROWS[:1], BY_NAME, SELLER, None), SELLER)) == []


def test_identifiers_and_names_are_compared_by_what_they_say() -> None:
    assert compact(" de 123-456.789 ") == "DE123456789"
    assert name_key("  Müller & Söhne, GmbH ") == name_key("MULLER  SOHNE GMBH")
    assert similarity("Cement 25 kg", "Cement, 25kg") > 0.8
    assert similarity("", "x") == 0
