"""A text PDF becomes fields, each with a confidence that follows from agreement and with the place where it stands."""

import pytest

from orchestrator.documents.invoice_pdf import read_invoice_pages
from orchestrator.documents.layout import check_quote
from orchestrator.documents.pdf import read_pdf
from orchestrator.documents.sandbox import PASS_CONFIDENCE
from tests.reading_papers import Sheet, german_invoice, pdf, recognised


def read(*sheets: Sheet):
    return read_invoice_pages(read_pdf(pdf(*sheets)).pages)


def values(reading, *names):
    return {name: reading.value(name) for name in names}


def test_a_german_letter_is_read_whole_and_passes():
    reading = read(german_invoice())
    assert values(reading, "invoice_number", "issue_date", "due_date", "order_reference", "currency") == {
        "invoice_number": "2024-0815",
        "issue_date": "2024-03-05",
        "due_date": "2024-04-04",
        "order_reference": "B-7731",
        "currency": "EUR",
    }
    assert values(reading, "net_total", "tax_total", "gross_total", "payable") == {
        "net_total": "1000",
        "tax_total": "190",
        "gross_total": "1190",
        "payable": "1190",
    }
    assert values(reading, "seller.name", "seller.vat_id", "buyer.name", "iban") == {
        "seller.name": "Nordlicht Technik GmbH",
        "seller.vat_id": "DE136695976",
        "buyer.name": "Bäckerei Sommer KG",
        "iban": "DE02120300000000202051",
    }
    assert reading.checks == []
    assert reading.confidence >= PASS_CONFIDENCE["invoice"]


def test_an_english_invoice_with_label_columns_is_read():
    sheet = Sheet().rows(60, 60, [("Seller",), ("Fenwick Tools Ltd",), ("12 Mill Lane",), ("Leeds",)])
    sheet.rows(60, 160, [("Invoice number", "Invoice date", "Due date"), ("FT-20931", "14 May 2024", "13 June 2024")])
    sheet.rows(
        300,
        300,
        [("Subtotal", "£1,200.00"), ("VAT 20%", "£240.00"), ("Total due", "£1,440.00"), ("Total", "£1,440.00")],
    )
    reading = read(sheet)
    assert values(reading, "invoice_number", "issue_date", "due_date") == {
        "invoice_number": "FT-20931",
        "issue_date": "2024-05-14",
        "due_date": "2024-06-13",
    }
    assert values(reading, "net_total", "tax_total", "gross_total", "currency") == {
        "net_total": "1200",
        "tax_total": "240",
        "gross_total": "1440",
        "currency": "GBP",
    }


def test_a_french_invoice_with_a_deposit_is_read():
    sheet = Sheet().rows(60, 60, [("Facture n° F-2024-77", "Date de facture : 02/04/2024")], columns=240)
    totals = [
        ("Total HT", "2 000,00 €"),
        ("TVA 20 %", "400,00 €"),
        ("Total TTC", "2 400,00 €"),
        ("Acompte", "400,00 €"),
    ]
    reading = read(sheet.rows(300, 300, [*totals, ("Net à payer", "2 000,00 €")]))
    assert values(reading, "invoice_number", "gross_total", "prepaid", "payable") == {
        "invoice_number": "F-2024-77",
        "gross_total": "2400",
        "prepaid": "400",
        "payable": "2000",
    }


def test_a_dutch_invoice_is_read():
    sheet = Sheet().rows(
        60, 60, [("Factuurnummer: 2024118",), ("Factuurdatum: 3 mei 2024",), ("Vervaldatum: 2-6-2024",)]
    )
    reading = read(
        sheet.rows(300, 300, [("Exclusief BTW", "€ 100,00"), ("BTW 21%", "€ 21,00"), ("Totaal", "€ 121,00")])
    )
    assert values(reading, "invoice_number", "issue_date", "due_date", "net_total", "tax_total", "gross_total") == {
        "invoice_number": "2024118",
        "issue_date": "2024-05-03",
        "due_date": "2024-06-02",
        "net_total": "100",
        "tax_total": "21",
        "gross_total": "121",
    }


def test_totals_that_do_not_add_up_stop_the_case():
    reading = read(german_invoice(gross="1.910,00"))
    assert "totals-add-up" in {check.id for check in reading.checks if check.severity == "stop"}


def test_a_missing_required_field_leaves_no_confidence():
    reading = read(Sheet().rows(60, 60, [("Rechnung Nr. 12 vom 01.02.2024",), ("Vielen Dank für Ihren Auftrag",)]))
    assert reading.confidence == 0
    assert "gross_total" in {name for check in reading.checks for name in check.fields}


def test_every_value_points_to_words_that_stand_on_its_page():
    pages = read_pdf(pdf(german_invoice())).pages
    reading = read_invoice_pages(pages)
    text = pages[0].to_text().text
    for name in ("invoice_number", "issue_date", "gross_total", "seller.name", "iban"):
        passage = reading.fields[name].passages[0]
        assert passage.page == 1, name
        assert check_quote(passage.quote, text), name
        x0, y0, x1, y1 = passage.box
        assert 0 <= x0 < x1 <= 1, name
        assert 0 <= y0 < y1 <= 1, name


def test_a_box_marks_the_place_of_the_value_and_not_of_its_label():
    passage = read(german_invoice()).fields["gross_total"].passages[0]
    assert passage.box[0] == pytest.approx(450 / 595, abs=0.01)
    assert passage.box[3] == pytest.approx(432 / 842, abs=0.015)


@pytest.mark.parametrize(
    ("quote", "holds"),
    [("Nr. 2024-0815", True), ("nr 2024 0815", True), ("2024-0816", False), ("", False), ("€", True)],
)
def test_a_quote_is_checked_against_the_stored_text(quote, holds):
    assert check_quote(quote, "Rechnung Nr. 2024-0815\nvom 05.03.2024, 10,00 €") is holds


def test_two_values_for_one_label_lower_the_confidence():
    sure = read(german_invoice()).fields["order_reference"].confidence
    torn = read(german_invoice().text(60, 310, "Bestellnummer: B-9999")).fields["order_reference"].confidence
    assert torn < sure


def test_a_correction_is_a_credit_note_and_never_passes_by_itself():
    sheet = german_invoice().text(60, 215, "Rechnungskorrektur", size=12)
    assert "credit-note" in {check.id for check in read(sheet).checks}


def test_lines_are_those_whose_quantity_times_price_makes_their_amount():
    (line,) = read(german_invoice()).lines
    assert {name: value.value for name, value in line.items()} == {
        "name": "Wartung",
        "quantity": "4",
        "unit_price": "250",
        "net_amount": "1000",
    }


def test_a_tilted_scan_is_read_like_a_straight_one():
    lines = [
        "Rechnung Nr. 4711 vom 13.06.2018",
        "Nettobetrag  100,00 EUR",
        "Umsatzsteuer 19 %  19,00 EUR",
        "Gesamtbetrag  119,00 EUR",
    ]
    reading = read_invoice_pages([recognised(lines)])
    assert values(reading, "invoice_number", "net_total", "tax_total", "gross_total", "currency") == {
        "invoice_number": "4711",
        "net_total": "100",
        "tax_total": "19",
        "gross_total": "119",
        "currency": "EUR",
    }


def test_uncertain_recognition_lowers_every_confidence():
    lines = ["Rechnung Nr. 4711 vom 13.06.2018", "Nettobetrag  100,00 EUR", "Gesamtbetrag  100,00 EUR"]
    sharp, blurred = (read_invoice_pages([recognised(lines, score=score)]) for score in (0.99, 0.6))
    assert blurred.fields["invoice_number"].confidence < sharp.fields["invoice_number"].confidence


@pytest.mark.parametrize("wording", ["Your order", "Ihre Bestellung", "Votre référence", "Uw referentie"])
def test_what_the_sender_calls_yours_is_order_and_reference_alike(wording):
    sheet = german_invoice()
    sheet.parts = [part for part in sheet.parts if "Bestellnummer" not in part and "B-7731" not in part]
    reading = read(sheet.rows(60, 290, [(f"{wording}:", "AB321")]))
    assert values(reading, "order_reference", "buyer_reference") == {
        "order_reference": "AB321",
        "buyer_reference": "AB321",
    }
    assert reading.confidence >= PASS_CONFIDENCE["invoice"]


def test_a_plain_order_number_is_not_replaced_by_what_the_sender_calls_yours():
    reading = read(german_invoice().text(60, 310, "Your reference: Miller"), german_invoice())
    assert reading.value("order_reference") == "B-7731"
    again = read(german_invoice().text(60, 310, "Your reference: 99-MILLER"))
    assert values(again, "order_reference", "buyer_reference") == {
        "order_reference": "B-7731",
        "buyer_reference": "99-MILLER",
    }


def untaxed(*more: tuple[str, ...], due: str = "21.05.2024") -> Sheet:
    """An invoice to a customer abroad: no postcode in the address, no tax."""
    sheet = Sheet().text(60, 120, "Nordlicht Technik GmbH - Hafenweg 7 - 24103 Kiel", size=7)
    sheet.rows(60, 160, [("Sampan Trading Ltd.",), ("8 Harbour Road",), ("Wan Chai",), ("Hong Kong",)], step=13)
    sheet.rows(60, 240, [("Rechnungsnummer", "30064"), ("Rechnungsdatum", "7. Mai 2024"), ("Zahlungsziel", due)])
    sheet.rows(60, 330, [("Beschreibung", "Menge", "Einzelpreis", "Betrag")], columns=120)
    sheet.rows(60, 346, [("Wartung", "4", "25,00", "100,00"), ("Anfahrt", "1", "19,50", "19,50")], columns=120)
    sheet.rows(300, 400, [("Total EUR", "119,50"), *more])
    return sheet.rows(
        60, 760, [("Nordlicht Technik GmbH", "USt-IdNr. DE136695976"), ("Hafenweg 7", "IBAN DE02120300000000202051")]
    )


def test_an_invoice_abroad_without_tax_is_net_as_it_is_gross():
    reading = read(untaxed())
    assert values(reading, "net_total", "tax_total", "gross_total", "buyer.name") == {
        "net_total": "119.5",
        "tax_total": "0",
        "gross_total": "119.5",
        "buyer.name": "Sampan Trading Ltd.",
    }
    assert reading.confidence >= PASS_CONFIDENCE["invoice"]


def test_a_total_beside_a_tax_that_was_not_read_is_not_taken_for_net():
    reading = read(untaxed(("davon 19 % enthalten", "19,08")))
    assert reading.value("tax_total") != "0"
    assert reading.confidence < PASS_CONFIDENCE["invoice"]


def test_two_dates_a_usual_term_apart_confirm_each_other():
    usual, odd = read(untaxed()), read(untaxed(due="23.05.2024"))
    assert usual.fields["issue_date"].confidence > odd.fields["issue_date"].confidence
