"""Rules over an invoice's values say what is wrong in a clerk's words, with both values."""

import json

import pytest

from orchestrator.documents.einvoice import read_einvoice
from orchestrator.documents.invoice_checks import check_invoice
from orchestrator.documents.reading import Check, Reading, ReadValue
from tests.data_sets import DATA

CORRECT = {
    "document_type": "invoice",
    "type_code": "380",
    "invoice_number": "R-1",
    "issue_date": "2026-03-01",
    "due_date": "2026-03-31",
    "currency": "EUR",
    "seller.name": "Seller GmbH",
    "seller.vat_id": "DE136695976",
    "iban": "DE89370400440532013000",
    "line_total": "1000",
    "net_total": "1000",
    "tax_total": "190",
    "gross_total": "1190",
    "payable": "1190",
}
LINE = {"id": "1", "name": "Chair", "quantity": "20", "unit": "C62", "unit_price": "50", "net_amount": "1000"}


def reading(line: dict[str, str] | None = None, **changed: str | None) -> Reading:
    values = CORRECT | {name.replace("__", "."): value for name, value in changed.items()}
    record = LINE | (line or {})
    return Reading(
        kind="invoice",
        reader="invoice-pdf/1",
        fields={name: ReadValue(value=value) for name, value in values.items()},
        lines=[{name: ReadValue(value=value) for name, value in record.items()}],
    )


def only(checks: list[Check]) -> Check:
    assert len(checks) == 1, [check.message for check in checks]
    return checks[0]


def test_a_correct_invoice_breaks_no_rule() -> None:
    assert check_invoice(reading()) == []


@pytest.mark.parametrize(
    ("changed", "rule", "words"),
    [
        ({"invoice_number": None}, "BR-02", "invoice number is missing"),
        ({"issue_date": None}, "BR-03", "issue date is missing"),
        ({"currency": "EUX"}, "BR-CL-04", "“EUX” is not an ISO 4217 code"),
        ({"type_code": "999"}, "BR-CL-01", "“999”"),
        ({"due_date": "2026-02-01"}, "due-before-issue", "due on 2026-02-01, before it was issued on 2026-03-01"),
        ({"iban": "DE88370400440532013000"}, "iban-checksum", "DE88370400440532013000"),
        ({"iban": "DE89 3704 0044 0532 0130 0"}, "iban-checksum", "length or check digits"),
        ({"seller__vat_id": "12 345"}, "BR-CO-09", "does not start with a country code"),
        ({"seller__vat_id": "CH"}, "vat-id-length", "2 characters"),
        ({"document_type": "credit_note"}, "credit-note", "credit note"),
        ({"payable": "1180"}, "BR-CO-16", "1,180.00 EUR is not the invoice total 1,190.00 EUR"),
        ({"net_total": "990", "tax_total": "200"}, "BR-CO-13", "990.00 EUR is not the lines 1,000.00 EUR"),
    ],
)
def test_a_broken_rule_stops_with_both_values(changed: dict[str, str | None], rule: str, words: str) -> None:
    check = only(check_invoice(reading(**changed)))
    assert (check.id, check.severity) == (rule, "stop")
    assert words in check.message


def test_a_total_that_is_not_net_plus_tax_names_all_three() -> None:
    check = only(check_invoice(reading(tax_total="180")))
    assert check.id == "BR-CO-15"
    assert check.message == (
        "The invoice total 1,190.00 EUR is not net 1,000.00 EUR plus tax 180.00 EUR (1,180.00 EUR)."
    )
    assert check.fields == ["gross_total", "net_total", "tax_total"]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ({"quantity": "21"}, "line-arithmetic"),
        ({"unit_price": "-50", "quantity": "-20"}, "BR-27"),
        ({"unit": "pieces"}, "BR-CL-23"),
        ({"price_base_qty": "10"}, "line-arithmetic"),
    ],
)
def test_a_line_that_does_not_hold_stops(line: dict[str, str], rule: str) -> None:
    check = only(check_invoice(reading(line)))
    assert (check.id, check.severity) == (rule, "stop")
    assert check.message.startswith("Line 1: ")


def test_a_price_for_a_hundred_pieces_is_divided() -> None:
    assert check_invoice(reading({"unit_price": "5000", "price_base_qty": "100"})) == []


def test_allowances_and_charges_of_a_line_are_counted() -> None:
    line = {"unit_price": "60", "allowance_total": "250", "charge_total": "50"}
    assert check_invoice(reading(line)) == []


def test_two_cents_of_rounding_in_a_line_are_no_difference() -> None:
    assert check_invoice(reading({"unit_price": "50.001"})) == []
    assert only(check_invoice(reading({"unit_price": "50.002"}))).id == "line-arithmetic"


def test_a_wrong_check_digit_of_a_vat_id_is_a_note() -> None:
    check = only(check_invoice(reading(seller__vat_id="DE123456789")))
    assert (check.id, check.severity) == ("vat-id-check-digit", "note")


def test_an_account_that_is_no_iban_is_a_note_unless_a_sepa_transfer_is_asked_for() -> None:
    assert only(check_invoice(reading(iban="1234567"))).severity == "note"
    assert only(check_invoice(reading(iban="1234567", payment_means="58"))).severity == "stop"


def test_insurance_tax_in_an_insurers_line_is_a_note() -> None:
    line = {"quantity": "1", "unit_price": "840.34", "tax_category": "E"}
    assert only(check_invoice(reading(line, type_code="575"))).severity == "note"
    assert only(check_invoice(reading(line))).severity == "stop"
    assert only(check_invoice(reading(line | {"unit_price": "500"}, type_code="575"))).severity == "stop"


def test_a_payment_to_another_than_the_seller_is_noted() -> None:
    check = only(check_invoice(reading(payee__name="Factoring Bank")))
    assert (check.id, check.severity) == ("payee-differs", "note")


def test_nothing_to_pay_stops() -> None:
    found = [check.id for check in check_invoice(reading(prepaid="1190", payable="0"))]
    assert found == ["payable-not-positive"]


def test_stops_come_before_notes() -> None:
    found = check_invoice(reading(seller__vat_id="DE123456789", due_date="2026-02-01"))
    assert [check.severity for check in found] == ["stop", "note"]


def test_values_that_are_no_numbers_break_nothing() -> None:
    assert "BR-CO-15" not in [check.id for check in check_invoice(reading(gross_total="NaN"))]


def test_the_rules_agree_with_the_official_unit_tests() -> None:
    path = DATA / "einvoice_xml/rules.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is absent: set COUNTERSIGN_DATA")
    agreed = total = 0
    for row in map(json.loads, path.read_text().splitlines()):
        found = {check.id for check in read_einvoice(row["input"]["xml"].encode()).checks}
        truth = row["truth"]
        agreed += set(truth["rules_must_fail"]) <= found and not found & set(truth["rules_must_pass"])
        total += 1
    assert agreed / total > 0.96
