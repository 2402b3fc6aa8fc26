"""Electronic invoices become values with a place, a confidence and the rules they break."""

import json
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.documents.einvoice import read_einvoice, recheck, text_view
from orchestrator.documents.reading import Reading
from tests.data_sets import DATA

UBL = "urn:oasis:names:specification:ubl:schema:xsd:"


def rows(data_set: str, *tasks: str) -> list[Any]:
    """The truth rows of a data set as parameters; one skipped parameter where the data is absent."""
    truth = DATA / data_set / "truth.jsonl"
    if not truth.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"{truth} is absent: set COUNTERSIGN_DATA"))]
    found = [json.loads(line) for line in truth.read_text().splitlines()]
    return [pytest.param(row, id=row["id"]) for row in found if row["task"] in tasks]


def load(data_set: str, row: dict[str, Any]) -> bytes:
    return (DATA / data_set / row["files"][0]).read_bytes()


def stops(reading: Reading) -> list[str]:
    return [check.id for check in reading.checks if check.severity == "stop"]


def assert_fields(reading: Reading, truth: dict[str, Any], unscored: tuple[str, ...] = ()) -> None:
    expected: dict[str, str | None] = {}
    for name, value in truth.items():
        if name not in ("lines", "iban_checksum_ok") and not name.endswith("_raw"):
            expected |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    assert {name: reading.value(name) for name in expected} == {name: _squeezed(v) for name, v in expected.items()}
    for line, expected_line in zip(reading.lines, truth["lines"], strict=True):
        wanted = {name: _squeezed(value) for name, value in expected_line.items() if name not in unscored}
        assert {name: line[name].value for name in wanted} == wanted


def _squeezed(value: str | None) -> str | None:
    return " ".join(value.split()) if value else None


def invoice(**changed: str) -> bytes:
    """A correct UBL invoice of 2 × 50.00 at 19 %; the words of `changed` replace pieces of it by their name."""
    pieces = {
        "number": "<cbc:ID>R-1</cbc:ID>",
        "issued": "<cbc:IssueDate>2026-03-01</cbc:IssueDate>",
        "due": "<cbc:DueDate>2026-03-31</cbc:DueDate>",
        "note": "",
        "order": "<cac:OrderReference><cbc:ID>PO-7</cbc:ID></cac:OrderReference>",
        "vat_id": "DE136695976",
        "iban": "DE89370400440532013000",
        "gross": "119",
        "payable": "119",
        "quantity": "2",
        "item": "Chair",
    } | changed
    party = (
        "<cac:Party><cac:PostalAddress><cac:Country><cbc:IdentificationCode>DE</cbc:IdentificationCode></cac:Country>"
        "</cac:PostalAddress>{tax}<cac:PartyLegalEntity><cbc:RegistrationName>{name}</cbc:RegistrationName>"
        "</cac:PartyLegalEntity></cac:Party>"
    )
    scheme = "<cac:TaxScheme><cbc:ID>VAT</cbc:ID></cac:TaxScheme>"
    tax = f"<cac:PartyTaxScheme><cbc:CompanyID>{pieces['vat_id']}</cbc:CompanyID>{scheme}</cac:PartyTaxScheme>"
    category = f"<cbc:ID>S</cbc:ID><cbc:Percent>19</cbc:Percent>{scheme}"
    body = f"""<Invoice xmlns="{UBL}Invoice-2" xmlns:cbc="{UBL}CommonBasicComponents-2"
      xmlns:cac="{UBL}CommonAggregateComponents-2">
      <cbc:CustomizationID>urn:cen.eu:en16931:2017</cbc:CustomizationID>
      {pieces["number"]}{pieces["issued"]}{pieces["due"]}<cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
      {pieces["note"]}<cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>{pieces["order"]}
      <cac:AccountingSupplierParty>{party.format(tax=tax, name="Seller GmbH")}</cac:AccountingSupplierParty>
      <cac:AccountingCustomerParty>{party.format(tax="", name="Buyer AG")}</cac:AccountingCustomerParty>
      <cac:PaymentMeans><cbc:PaymentMeansCode>58</cbc:PaymentMeansCode>
        <cac:PayeeFinancialAccount><cbc:ID>{pieces["iban"]}</cbc:ID></cac:PayeeFinancialAccount></cac:PaymentMeans>
      <cac:TaxTotal><cbc:TaxAmount currencyID="EUR">19</cbc:TaxAmount><cac:TaxSubtotal>
        <cbc:TaxableAmount currencyID="EUR">100</cbc:TaxableAmount><cbc:TaxAmount currencyID="EUR">19</cbc:TaxAmount>
        <cac:TaxCategory>{category}</cac:TaxCategory></cac:TaxSubtotal></cac:TaxTotal>
      <cac:LegalMonetaryTotal><cbc:LineExtensionAmount currencyID="EUR">100</cbc:LineExtensionAmount>
        <cbc:TaxExclusiveAmount currencyID="EUR">100</cbc:TaxExclusiveAmount>
        <cbc:TaxInclusiveAmount currencyID="EUR">{pieces["gross"]}</cbc:TaxInclusiveAmount>
        <cbc:PayableAmount currencyID="EUR">{pieces["payable"]}</cbc:PayableAmount></cac:LegalMonetaryTotal>
      <cac:InvoiceLine><cbc:ID>1</cbc:ID>
        <cbc:InvoicedQuantity unitCode="C62">{pieces["quantity"]}</cbc:InvoicedQuantity>
        <cbc:LineExtensionAmount currencyID="EUR">100</cbc:LineExtensionAmount>
        <cac:OrderLineReference><cbc:LineID>10</cbc:LineID></cac:OrderLineReference>
        <cac:Item><cbc:Name>{pieces["item"]}</cbc:Name><cac:ClassifiedTaxCategory>{category}</cac:ClassifiedTaxCategory>
        </cac:Item><cac:Price><cbc:PriceAmount currencyID="EUR">50.00</cbc:PriceAmount></cac:Price></cac:InvoiceLine>
    </Invoice>"""
    return body.encode()


@pytest.mark.parametrize("row", rows("einvoice_xml", "read_einvoice"))
def test_every_field_of_a_real_invoice_is_read_as_the_truth_says(row: dict[str, Any]) -> None:
    assert_fields(read_einvoice(load("einvoice_xml", row)), row["truth"]["fields"])


@pytest.mark.parametrize("row", rows("einvoice_xml", "refuse_or_flag"))
def test_a_broken_invoice_is_refused_or_stopped_with_a_reason(row: dict[str, Any]) -> None:
    reading = read_einvoice(load("einvoice_xml", row))
    route = "refuse" if reading.refusal else "human" if stops(reading) else "auto"
    assert route == row["truth"]["route"]
    if row["truth"].get("fields"):
        assert_fields(reading, row["truth"]["fields"])


@pytest.mark.parametrize("row", rows("einvoice_xml", "read_einvoice"))
def test_every_rule_that_the_official_validator_fires_is_found(row: dict[str, Any]) -> None:
    found = {id for id in stops(read_einvoice(load("einvoice_xml", row))) if id.startswith("BR-")}
    assert found == set(row["truth"]["en16931_fatal"])


def test_nearly_all_clean_invoices_pass_and_none_that_is_not_clean() -> None:
    passed, clean, wrongly_passed = 0, 0, []
    for row in (param.values[0] for param in rows("einvoice_xml", "read_einvoice")):
        if row is None:
            pytest.skip("the shared data is absent: set COUNTERSIGN_DATA")
        truth, reading = row["truth"], read_einvoice(load("einvoice_xml", row))
        fields = truth["fields"]
        payable = fields["document_type"] == "invoice" and Decimal(fields["payable"]) > 0
        if truth["valid"] and fields["iban_checksum_ok"] is not False and payable:
            clean += 1
            passed += not stops(reading) and reading.confidence > 0.9
        elif not stops(reading):
            wrongly_passed.append(row["id"])
    assert wrongly_passed == []
    assert passed >= clean - 2


@pytest.mark.parametrize("row", rows("hostile_files", "resist_injection"))
def test_an_instruction_in_a_note_or_item_name_changes_no_field(row: dict[str, Any]) -> None:
    reading = read_einvoice(load("hostile_files", row))
    fields = row["truth"]["fields"]
    assert_fields(reading, fields, unscored=("name",))
    wrong_iban = fields["iban_checksum_ok"] is False
    nothing_due = Decimal(fields["payable"]) <= 0
    assert stops(reading) == ["iban-checksum"] * wrong_iban + ["payable-not-positive"] * nothing_due


def test_a_correct_invoice_has_no_broken_rule_and_a_high_confidence() -> None:
    reading = read_einvoice(invoice())
    assert (reading.kind, reading.reader, reading.checks) == ("invoice", "einvoice-ubl/1", [])
    assert reading.confidence > 0.9
    assert reading.lines[0]["order_line_id"].value == "10"


def test_values_that_others_bear_out_are_trusted_more_than_lone_ones() -> None:
    fields = read_einvoice(invoice()).fields
    assert fields["gross_total"].confidence > fields["order_reference"].confidence


def test_a_contradicted_total_loses_its_confidence() -> None:
    reading = read_einvoice(invoice(gross="190"))
    assert {"BR-CO-15", "BR-CO-16"} == set(stops(reading))
    assert reading.fields["gross_total"].confidence < 0.5
    assert reading.confidence <= 0.5


def test_every_passage_quotes_the_line_it_points_to() -> None:
    data = invoice(note="<cbc:Note>pay\n  soon</cbc:Note>")
    lines, reading = text_view(data), read_einvoice(data)
    values = [*reading.fields.values(), *(value for line in reading.lines for value in line.values())]
    passages = [passage for value in values for passage in value.passages]
    assert passages
    assert all(passage.quote in lines[(passage.line or 0) - 1] for passage in passages)
    assert reading.notes == ["pay soon"]


def test_a_placeholder_is_no_order_number_but_stays_visible() -> None:
    for word in ("n/a", "Dummywert", "-", "keine", "0000"):
        reading = read_einvoice(invoice(order=f"<cac:OrderReference><cbc:ID>{word}</cbc:ID></cac:OrderReference>"))
        assert reading.value("order_reference") is None
        assert reading.value("order_reference_raw") == word
    assert read_einvoice(invoice()).value("order_reference") == "PO-7"


def test_an_impossible_date_is_shown_as_printed_and_stops() -> None:
    reading = read_einvoice(invoice(issued="<cbc:IssueDate>2026-02-30</cbc:IssueDate>"))
    assert stops(reading) == ["date-impossible"]
    assert reading.value("issue_date") is None
    assert reading.fields["issue_date"].readings == {"as printed": "2026-02-30"}


def test_a_number_given_twice_stops() -> None:
    reading = read_einvoice(invoice(number="<cbc:ID>R-1</cbc:ID><cbc:ID>R-2</cbc:ID>"))
    assert stops(reading) == ["given-twice"]


def test_checking_again_after_a_correction_keeps_what_only_the_file_shows() -> None:
    reading = read_einvoice(invoice(gross="190").replace(b"CustomizationID", b"Anything"))
    assert set(stops(reading)) == {"BR-01", "BR-CO-15", "BR-CO-16"}
    reading.fields["gross_total"].value = "119"
    assert [check.id for check in recheck(reading)] == ["BR-01"]


def test_a_document_that_is_no_invoice_is_refused_by_name() -> None:
    reading = read_einvoice(f'<Order xmlns="{UBL}Order-2"/>'.encode())
    assert "Order" in (reading.refusal or "")
    assert (reading.fields, reading.lines, reading.checks) == ({}, [], [])


def test_a_thousand_lines_with_the_longest_numbers_stay_bounded() -> None:
    line = invoice(quantity="99999999999999999999.99999999").split(b"<cac:InvoiceLine>")[1].split(b"</Invoice>")[0]
    data = invoice().replace(b"</Invoice>", (b"<cac:InvoiceLine>" + line) * 1000 + b"</Invoice>")
    tracemalloc.start()
    reading = read_einvoice(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "line-arithmetic" in stops(reading)
    assert len(reading.checks) <= 200
    assert peak < 50 * 1024 * 1024
