"""One purchase that comes as several invoices, each below the limit, is seen by a person all the same."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from orchestrator import services
from orchestrator.agents.invoices_model import Invoice as Read
from orchestrator.agents.splitting import under_way, week_total
from orchestrator.models import Run
from reviews.demo.invoices import Line

from .test_flow_invoice import ORDER_LINE, Runner, invoice, pay

__all__ = ["pay"]
BIG = Line("1", "Cement, 25 kg", Decimal(8000), Decimal("5.00"), "C-25")  # 47,600.00 with VAT
ORDERED = {"net_total": "40000", "lines": [{**ORDER_LINE, "quantity": "8000", "net_amount": "40000"}]}
BESIDE = {"payment_id": "P9", "vendor_id": "V1", "invoice_number": "R-0", "currency": "EUR", "status": "paid"}


def beside(**changes: Any) -> dict[str, Any]:
    return {**BESIDE, "issue_date": "2026-02-22", "gross_total": "2400.01", **changes}


@pytest.mark.django_db(transaction=True)
def test_w04_an_invoice_below_the_limit_goes_through_where_there_is_none_beside_it(pay: Runner) -> None:
    assert pay(invoice(lines=(BIG,)), order=ORDERED).route == "auto"


@pytest.mark.django_db(transaction=True)
def test_w04_the_part_that_takes_the_week_over_the_limit_is_stopped(pay: Runner) -> None:
    played = pay(invoice(lines=(BIG,)), order=ORDERED, paid=(beside(),))
    assert played.route == "human"
    assert any("50,000.01" in reason and "the CFO approves as well" in reason for reason in played.reasons)


@pytest.mark.django_db(transaction=True)
def test_w04_at_the_limit_itself_nobody_is_asked(pay: Runner) -> None:
    assert pay(invoice(lines=(BIG,)), order=ORDERED, paid=(beside(gross_total="2400.00"),)).route == "auto"


HALF = Line("1", "Cement, 25 kg", Decimal(4300), Decimal("5.00"), "C-25")  # 25,585.00 with VAT
HALF_ORDERED = {"net_total": "21500", "lines": [{**ORDER_LINE, "quantity": "4300", "net_amount": "21500"}]}


@pytest.mark.django_db(transaction=True)
def test_w04_two_open_invoices_that_pass_the_limit_together_are_seen(pay: Runner) -> None:
    assert pay(invoice(lines=(HALF,))).route == "human"  # nobody ordered as much
    played = pay(invoice(number="R-2", lines=(HALF,)), order=HALF_ORDERED)
    assert played.route == "human"
    assert any("51,170.00" in reason and "the CFO approves as well" in reason for reason in played.reasons)


@pytest.mark.django_db(transaction=True)
def test_w04_what_was_stopped_before_it_was_paid_is_no_part_of_it(pay: Runner) -> None:
    pay(invoice(lines=(HALF,)))
    admin = get_user_model().objects.create_superuser("admin")
    services.cancel_run(run_id=Run.objects.get().pk, actor=admin, reason="withdrawn")
    assert pay(invoice(number="R-2", lines=(HALF,)), order=HALF_ORDERED).route == "auto"


def entry(number: int, **changes: Any) -> dict[str, Any]:
    return {"entry": number, "invoice_number": f"R-{number}", "status": "waiting", **changes}


def test_w04_of_two_that_come_together_the_later_one_sees_the_other():
    first, second = entry(1), entry(2)
    assert under_way([first, second], [], before=1) == []
    assert under_way([first, second], [], before=2) == [first]


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelling", "cancelled", "rejected", "reversed"])
def test_w04_a_run_that_pays_no_more_is_no_part_of_it(status):
    assert under_way([entry(1, status=status)], [], before=2) == []


def test_w04_what_is_paid_counts_once_though_its_run_still_goes_on():
    assert under_way([entry(1)], [beside(invoice_number="r 1")], before=2) == []


OURS = Read(
    invoice_number="R-9",
    issue_date=date(2026, 3, 1).isoformat(),
    currency="EUR",
    payable="999.00",
    seller={"name": "Nordlicht GmbH"},
)


@pytest.mark.parametrize(
    ("row", "total"),
    [
        ({}, "1998.00"),
        ({"issue_date": "2026-02-21"}, "999.00"),  # eight days before
        ({"issue_date": "2026-03-08"}, "1998.00"),  # seven days after
        ({"issue_date": "soon"}, "999.00"),
        ({"currency": "USD"}, "999.00"),
        ({"status": "cancelled"}, "999.00"),
        ({"vendor_id": "V2"}, "999.00"),
        ({"invoice_number": "r-9"}, "999.00"),  # this one again: a duplicate is told as such
        ({"gross_total": "-999.00"}, "999.00"),  # a credit hides nothing
        ({"gross_total": None}, "999.00"),
    ],
)
def test_w04_what_is_beside_an_invoice(row, total):
    known = beside(**{"gross_total": "999.00", **row})
    assert Decimal(week_total(OURS, [known], vendor_id="V1") or 0) == Decimal(total)


def test_w04_eleven_times_999_are_one_purchase():
    rows = [beside(invoice_number=f"R-{n}", gross_total="999.00") for n in range(20, 30)]
    assert Decimal(week_total(OURS, rows, vendor_id="V1") or 0) == Decimal("10989.00")


def test_w04_without_an_amount_of_its_own_nothing_is_claimed():
    assert week_total(OURS.model_copy(update={"payable": None}), [beside()], vendor_id="V1") is None
