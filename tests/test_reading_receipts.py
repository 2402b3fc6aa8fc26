"""A receipt becomes shop, date and total, the total confirmed by how it was paid; the same receipt is found again."""

import io
import json

import pytest
from PIL import Image

from orchestrator.documents.receipts import read_receipt_pages
from orchestrator.documents.receipts_compare import (
    Fingerprint,
    compare_receipts,
    hamming,
    perceptual_hash,
    receipt_fingerprint,
)
from orchestrator.documents.sandbox import PASS_CONFIDENCE, read_document
from tests.reading_papers import DATA, picture, recognised

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


def test_two_totals_a_few_cents_apart_do_not_pass_by_themselves():
    reading = read(*SHOP, "Date: 25/12/2018", "TOTAL  23.52", "ROUNDING  -0.02", "ROUNDED TOTAL  23.50", "VISA  23.50")
    assert reading.value("total") == "23.50"
    assert reading.confidence < PASS_CONFIDENCE["receipt"]


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


def pairs() -> list[dict]:
    path = RECEIPTS / "truth.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [row for row in rows if row["task"] == "detect_duplicate"]


@pytest.mark.slow
@pytest.mark.skipif(not pairs(), reason="the shared data is not there: set COUNTERSIGN_DATA")
@pytest.mark.parametrize("row", pairs(), ids=lambda row: row["id"])
def test_real_pairs_of_receipts_are_told_apart(row):
    files = [(RECEIPTS / name).read_bytes() for name in row["files"]]
    prints = [receipt_fingerprint(read_document(data, expected="receipt").reading, data) for data in files]
    assert (compare_receipts(*prints) == "duplicate") is row["truth"]["duplicate"]
