"""Numbers and dates mean what the document's own notation says."""

from decimal import Decimal

import pytest

from orchestrator.documents.amounts import (
    find_amounts,
    find_dates,
    fold,
    iban_is_valid,
    infer_date_order,
    infer_decimal_mark,
    parse_amount,
    plain,
)


@pytest.mark.parametrize(
    ("printed", "mark", "value"),
    [
        ("1.234,56", ",", "1234.56"),
        ("1,234.56", ".", "1234.56"),
        ("1 234,56", ",", "1234.56"),
        ("1'234.50", ".", "1234.5"),
        ("1163,40", ",", "1163.4"),
        ("5,5000", ",", "5.5"),
        ("1.234", ",", "1234"),
        ("1.234", ".", "1.234"),
        ("1.234.567", ",", "1234567"),
        ("0,025", ",", "0.025"),
        ("22", None, "22"),
    ],
)
def test_a_printed_number_is_read_in_its_own_notation(printed, mark, value):
    assert plain(parse_amount(printed, mark)) == value


@pytest.mark.parametrize("text", ["-8,79 €", "€ -8,79", "-8,79", "8,79-", "\u22128,79 EUR", "(8,79)"])
def test_every_way_to_write_a_negative_amount_is_understood(text):
    assert [found.value for found in find_amounts(text, ",")] == ["-8.79"]


def test_dates_percentages_and_codes_are_no_amounts():
    assert find_amounts("05.03.2018 19 % RE-2018/44 DE136695976 12.30.44", ",") == []


def test_the_decimal_mark_comes_from_the_money_of_the_document():
    assert infer_decimal_mark(["1.000,00", "19,99", "7,5"]) == ","
    assert infer_decimal_mark(["1,000.00", "19.99"]) == "."
    assert infer_decimal_mark(["1.00", "1,00"]) is None


@pytest.mark.parametrize(
    ("printed", "iso"),
    [
        ("05.03.2018", "2018-03-05"),
        ("7. Mai 2014", "2014-05-07"),
        ("11. März 2014", "2014-03-11"),
        ("19 april 2014", "2014-04-19"),
        ("3 août 2021", "2021-08-03"),
        ("August 3 , 2014", "2014-08-03"),
        ("8-9-2022", "2022-09-08"),
        ("28/11/2022", "2022-11-28"),
        ("2020-11-21", "2020-11-21"),
        ("15 Jun 18", "2018-06-15"),
    ],
)
def test_dates_of_four_languages_become_iso(printed, iso):
    assert [found.value for found in find_dates(printed)] == [iso]


def test_an_american_date_elsewhere_in_the_document_decides_the_ambiguous_ones():
    texts = ["Invoice Date 11/03/2017", "Payment 11/17/2017"]
    order = infer_date_order(texts)
    assert order == "mdy"
    assert find_dates(texts[0], order)[0].value == "2017-11-03"


def test_a_date_that_could_be_read_two_ways_is_marked_as_uncertain():
    assert not find_dates("11/03/2017")[0].certain
    assert find_dates("11/23/2017")[0].certain


def test_impossible_dates_are_not_dates():
    assert find_dates("31.02.2024 2024-13-01 00.00.0000") == []


def test_folding_keeps_every_position():
    text = "Straße Überweisung\u00a0é"
    assert len(fold(text)) == len(text)
    assert fold(text) == "strase uberweisung e"


def test_iban_check_digits_are_verified():
    assert iban_is_valid("DE02 1203 0000 0000 2020 51")
    assert not iban_is_valid("DE03 1203 0000 0000 2020 51")


def test_plain_amounts_have_no_trailing_zeros_and_no_negative_zero():
    assert [plain(Decimal(v)) for v in ("22.00", "-0.00", "1E+3", "-7.90")] == ["22", "0", "1000", "-7.9"]
