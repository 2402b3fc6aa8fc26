"""Settling a difference changes what is paid."""

import pytest

from orchestrator.agents.corrected_totals import payable_after

INVOICE = {
    "payable": "119",
    "lines": [
        {"id": "1", "quantity": "10", "unit_price": "8", "price_base_qty": None, "net_amount": "80", "tax_rate": "19"},
        {
            "id": "2",
            "quantity": "200",
            "unit_price": "10",
            "price_base_qty": "100",
            "net_amount": "20",
            "tax_rate": "19",
        },
    ],
}


def corrected(place: int, **values: str) -> dict:
    lines = [dict(line) for line in INVOICE["lines"]]
    lines[place] |= values
    return {**INVOICE, "lines": lines}


def before(place: int, *fields: str) -> dict:
    return {f"/read/invoice/lines/{place}/{field}": INVOICE["lines"][place][field] for field in fields}


def test_nothing_corrected_leaves_the_amount_as_printed():
    assert payable_after(INVOICE, {}) == "119"


def test_a_lower_price_lowers_the_amount_with_its_tax():
    assert payable_after(corrected(0, unit_price="7"), before(0, "unit_price")) == "107.1"


def test_a_price_for_a_base_quantity_is_divided_by_it():
    assert payable_after(corrected(1, quantity="150"), before(1, "quantity")) == "113.05"


def test_an_amount_set_to_nothing_takes_the_line_out():
    assert payable_after(corrected(1, net_amount="0"), before(1, "net_amount")) == "95.2"


def test_price_and_quantity_of_one_line_are_taken_together():
    found = payable_after(corrected(0, unit_price="7", quantity="9"), before(0, "unit_price", "quantity"))
    assert found == "98.77"


def test_an_allowance_inside_the_line_amount_stays():
    invoice = corrected(0, unit_price="7", net_amount="75")
    assert payable_after(invoice, {"/read/invoice/lines/0/unit_price": "8"}) == "107.1"


def test_an_amount_payable_that_a_person_wrote_stands():
    invoice = {**corrected(0, unit_price="7"), "payable": "100"}
    assert payable_after(invoice, {**before(0, "unit_price"), "/read/invoice/payable": "119"}) == "100"


@pytest.mark.parametrize("pointer", ["/read/invoice/iban", "/read/invoice/seller/name", "/read/invoice/lines/0/name"])
def test_other_corrections_do_not_touch_the_amount(pointer):
    assert payable_after(INVOICE, {pointer: "x"}) == "119"
