"""A receipt becomes shop, date and total, the total confirmed by how it was paid; the same receipt is found again."""

import io

import pytest
from PIL import Image

from orchestrator.documents.image_hash import perceptual_hash
from orchestrator.documents.receipts import read_receipt_pages
from orchestrator.documents.receipts_compare import (
    Fingerprint,
    compare_receipts,
    hamming,
)
from orchestrator.documents.sandbox import PASS_CONFIDENCE
from tests.data_sets import DATA
from tests.reading_papers import picture, recognised

RECEIPTS = DATA / "receipts_scan"
SHOP = ["KOPITIAM SERI EMAS SDN BHD", "(123456-X)", "12, JALAN MERAH 3", "50480 KUALA LUMPUR", "TEL: 03-1234567"]
PAID = ["TOTAL (RM):  23.50", "CASH:  30.00", "CHANGE:  6.50"]


def read(*lines: str, score: float = 0.99):
    return read_receipt_pages([recognised(list(lines), score=score)])


def test_shop_date_and_total_are_read_and_pass():
    reading = read(
        *SHOP, "Receipt No: A00017", "Date: 25/12/2018 20:13", "NASI LEMAK  12.00", "TEH TARIK  11.50", *PAID
    )
    assert reading.value("company") == "KOPITIAM SERI EMAS SDN BHD"
    assert reading.value("date") == "2018-12-25"
    assert reading.value("total") == "23.50"
    assert reading.value("currency") == "MYR"
    assert reading.value("receipt_number") == "A00017"
    assert reading.value("time") == "20:13"
    assert reading.value("address") == "12, JALAN MERAH 3 50480 KUALA LUMPUR"
    assert reading.confidence >= PASS_CONFIDENCE["receipt"]


def test_the_payment_confirms_the_total():
    bare = read(*SHOP, "TOTAL:  23.50").fields["total"]
    paid = read(*SHOP, *PAID).fields["total"]
    assert "cash-change" in paid.readings
    assert paid.confidence > bare.confidence


def test_a_subtotal_is_not_the_total():
    reading = read(*SHOP, "SUBTOTAL  100.00", "SERVICE CHARGE 10%  10.00", "GRAND TOTAL  110.00", "VISA  110.00")
    assert reading.value("total") == "110.00"
    assert "parts" in reading.fields["total"].readings


def test_quantities_savings_and_the_table_of_taxes_are_not_the_total():
    lines = ["TOTAL QTY:  4", "TOTAL SAVING:  3.00", *PAID, "GST SUMMARY  AMOUNT  TAX", "TOTAL:  22.17  1.33"]
    assert read(*SHOP, *lines).value("total") == "23.50"


def test_a_total_without_any_label_is_what_was_paid():
    assert read(*SHOP, "NASI  23.50", "23.50", "CASH  50.00", "CHANGE  26.50").value("total") == "23.50"


@pytest.mark.parametrize(
    ("rounding", "last", "passes"),
    [
        ("ROUNDING  -0.02", "ROUNDED TOTAL  23.50", True),
        ("THANK YOU", "ROUNDED TOTAL  23.50", False),
        ("ROUNDING  -0.02", "AMOUNT TO BE PAID  23.50", False),
    ],
)
def test_of_two_totals_a_few_cents_apart_the_later_is_sure_only_where_the_rounding_is_printed_and_it_is_called_total(
    rounding: str, last: str, passes: bool
) -> None:
    reading = read(*SHOP, "Date: 25/12/2018", "TOTAL  23.52", rounding, last, "VISA  23.50")
    assert reading.value("total") == "23.50"
    assert (reading.confidence >= PASS_CONFIDENCE["receipt"]) is passes


def test_net_and_tax_at_a_printed_rate_confirm_the_total() -> None:
    bare = read(*SHOP, "TOTAL:  106.00").fields["total"]
    taxed = read(*SHOP, "TOTAL:  106.00", "GST @6%  AMOUNT  TAX", "100.00  6.00").fields["total"]
    assert "taxed" in taxed.readings
    assert taxed.confidence > bare.confidence


def test_the_tax_within_the_total_is_no_other_total() -> None:
    lines = ["TOTAL  106.00", "VISA  106.00", "TOTAL INCLUDES 6% GST  6.00"]
    assert read(*SHOP, *lines).fields["total"].confidence >= PASS_CONFIDENCE["receipt"]


def test_a_point_that_was_read_as_a_dash_is_a_point() -> None:
    assert read(*SHOP, "TOTAL  23-50", "CASH  30.00", "CHANGE  6.50").value("total") == "23.50"


def test_the_name_over_the_registration_number_is_the_shop_and_not_what_is_written_above() -> None:
    assert read("tan chay", "SERI EMAS TRADING", *SHOP[1:]).value("company") == "SERI EMAS TRADING"


def test_an_owner_named_at_the_foot_with_a_registration_number_is_the_company() -> None:
    lines = ["PIZZA EMAS", "12, JALAN MERAH 3", *PAID, "Owned by", "Seri Food Services Sdn Bhd", "Co. No. 419060-A"]
    reading = read(*lines)
    assert reading.value("company") == "Seri Food Services Sdn Bhd"
    assert reading.fields["company"].confidence < PASS_CONFIDENCE["receipt"]  # two names: a person looks


def test_whom_it_was_sold_to_is_not_the_shop() -> None:
    sold = ["Bill To", "SERI FOODS SDN BHD", "(123456-X)"]
    assert read("KEDAI EMAS", "12, JALAN MERAH 3", *sold, *PAID).value("company") == "KEDAI EMAS"


def test_year_and_hour_run_together_are_taken_apart():
    assert read(*SHOP, "Date:5/3/201822:52:33").value("date") == "2018-03-05"


def test_a_legal_form_names_the_company_and_not_the_brand_above_it():
    assert read("FAMILY CORNER", *SHOP, *PAID).value("company") == "KOPITIAM SERI EMAS SDN BHD"


def test_a_legal_form_on_its_own_line_belongs_to_the_name_above():
    reading = read("KOPITIAM SERI EMAS", "SDN BHD", *SHOP[2:], *PAID)
    assert reading.value("company") == "KOPITIAM SERI EMAS SDN BHD"


def test_a_receipt_without_total_never_passes():
    reading = read(*SHOP, "Date: 25/12/2018")
    assert reading.confidence == 0
    assert [check.fields for check in reading.checks] == [["total"]]


def test_blurred_recognition_does_not_pass():
    reading = read(*SHOP, "Date: 25/12/2018 20:13", *PAID, score=0.7)
    assert reading.value("total") == "23.50"
    assert reading.confidence < PASS_CONFIDENCE["receipt"]


def fingerprint(**changes) -> Fingerprint:
    base = {
        "company": "Kopitiam Seri Emas Sdn Bhd",
        "date": "2018-12-25",
        "total": "23.50",
        "number": "A1",
        "time": "20:13",
    }
    return Fingerprint(**{**base, "sha256": "a" * 64, "image": "0" * 16, **changes})


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "duplicate"),
        ({"sha256": "b" * 64, "company": "KOPITIAM SERl EMAS SDN.BHD"}, "duplicate"),
        ({"sha256": "b" * 64, "number": None, "time": None}, "duplicate"),
        ({"sha256": "b" * 64, "total": None, "image": "0" * 15 + "3"}, "duplicate"),
        ({"sha256": "b" * 64, "number": "A2"}, "near_miss"),
        ({"sha256": "b" * 64, "time": "20:44"}, "near_miss"),
        ({"sha256": "b" * 64, "date": "2018-12-26"}, "different"),
        ({"sha256": "b" * 64, "total": "23.60"}, "different"),
        ({"sha256": "b" * 64, "company": "Another Shop"}, "duplicate"),
        ({"sha256": "b" * 64, "company": "Another Shop", "image": "f" * 16}, "different"),
    ],
)
def test_two_receipts_are_compared_by_what_they_say_and_look_like(changes, verdict):
    assert compare_receipts(fingerprint(), fingerprint(**changes)) == verdict


def test_the_hash_of_a_picture_survives_scaling_and_compression():
    image = picture([*SHOP, *PAID], size=(700, 700))
    buffer = io.BytesIO()
    image.resize((400, 400)).save(buffer, "JPEG", quality=40)
    other = picture(["ANOTHER SHOP", "", "", "TOTAL 9.99", "", "", "", "THANK YOU"], size=(700, 700))
    assert hamming(perceptual_hash(image), perceptual_hash(Image.open(buffer))) <= 6
    assert hamming(perceptual_hash(image), perceptual_hash(other)) > 6
