"""Invoice to pay, from the document to the ledger, on the real engine with the shipped flow and policies."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from guardian.models import UserObjectPermission

from audit.models import Event
from orchestrator.evaluation import world
from orchestrator.evaluation.playing import Played, play
from orchestrator.models import LedgerEntry, Run, SourceRow
from reviews.demo.invoices import Invoice, Line, Party, as_cii, as_ubl
from reviews.models import Review
from reviews.why import parted

IBAN, OTHER_IBAN = "DE02120300000000202051", "DE89370400440532013000"
SELLER = Party("Nordlicht GmbH", "Hafenstr. 1", "Kiel", "24103", "DE", "DE811115368", IBAN)
BUYER = Party("Halden AG", "Ringstr. 7", "Bern", "3011", "DE", "DE136695976")
CEMENT = Line("1", "Cement, 25 kg", Decimal(10), Decimal("5.00"), "C-25")
MASTER = {"vendor_id": "V1", "name": SELLER.name, "vat_id": SELLER.vat_id, "iban": IBAN}
ORDER_LINE = {"id": "1", "name": CEMENT.name, "quantity": "10", "unit": "C62", "unit_price": "5", "net_amount": "50"}
ORDER = {"number": "PO-1", "currency": "EUR", "seller_name": SELLER.name, "seller_vat_id": SELLER.vat_id}
PAID = {"payment_id": "P1", "vendor_id": "V1", "issue_date": "2026-03-01", "gross_total": "59.5", "status": "paid"}

pytestmark = pytest.mark.django_db(transaction=True)


def invoice(**changes: Any) -> Invoice:
    given = {"number": "R-1", "seller": SELLER, "buyer": BUYER, "issued": date(2026, 3, 1), "due": date(2026, 3, 31)}
    return Invoice(**{**given, "lines": (CEMENT,), "order": "PO-1", **changes})


Runner = Callable[..., Played]


@pytest.fixture
def pay(settings: Any, tmp_path: Path) -> Runner:
    """Plays an invoice against a vendor, an order and earlier payments."""
    settings.DOCUMENT_DIR = tmp_path / "documents"
    world.furnish()
    world.fill({"tolerances": [world_tolerances()]})

    def run(
        document: Invoice | bytes,
        *,
        vendor: dict[str, Any] | None = MASTER,
        order: dict[str, Any] | None = None,
        paid: tuple[dict[str, Any], ...] = (),
    ) -> Played:
        lines = {"lines": [ORDER_LINE]}
        world.fill(
            {
                "vendor-master": [vendor] if vendor else [],
                "purchase-orders": [{**ORDER, "net_total": "50", **lines, **(order or {})}],
                "payment-history": list(paid),
            }
        )
        data = document if isinstance(document, bytes) else as_ubl(document)
        actor = get_user_model().objects.get(username=world.ACTOR)
        return play("invoice-to-pay", data=data, name="invoice.xml", actor=actor)

    return run


def world_tolerances() -> dict[str, str]:
    return {"vendor_id": "default", "price_tolerance_percent": "2", "quantity_tolerance": "0", "price_under": "accept"}


def kinds(played: Played) -> list[str]:
    return [found["kind"] for found in played.discrepancies]


@pytest.mark.parametrize("write", [as_ubl, as_cii])
def test_an_invoice_that_is_in_order_is_paid_once_without_a_person(pay: Runner, write: Any) -> None:
    played = pay(write(invoice()))
    assert (played.route, played.discrepancies, played.reasons) == ("auto", [], [])
    entry = LedgerEntry.objects.get()
    assert entry.payload["amount"] == "59.5"
    assert entry.payload["iban"] == IBAN
    assert entry.payload["vendor_id"] == "V1"
    run = Run.objects.get()
    assert run.status == Run.Status.SUCCEEDED
    assert not Review.objects.exists()


def test_every_read_of_a_source_is_evidence_and_in_the_trail(pay: Runner) -> None:
    pay(invoice())
    decision = Run.objects.get().decisions.get(step="order", actor_kind="agent")
    assert {seen["source"] for seen in decision.evidence} == {
        "purchase-orders",
        "receipts",
        "payment-history",
        "tolerances",
    }
    assert Event.objects.filter(kind="source.read").count() >= len(decision.evidence)


def test_the_same_invoice_a_second_time_is_shown_and_not_paid(pay: Runner) -> None:
    pay(invoice())
    again = pay(as_cii(invoice()))
    assert again.route == "human"
    assert "duplicate_exact" in kinds(again)
    assert LedgerEntry.objects.count() == 1


def test_a_price_above_the_tolerance_waits_for_a_person_with_both_values(pay: Runner) -> None:
    played = pay(invoice(lines=(Line("1", CEMENT.name, Decimal(10), Decimal("5.40"), "C-25"),)))
    assert played.route == "human"
    assert kinds(played) == ["price_over"]
    packet = Review.objects.get().packet
    [difference] = packet["differences"]
    assert difference["pointer"] == "/read/invoice/lines/0/unit_price"
    assert [option["value"] for option in difference["options"]] == ["5.4", "5"]
    rule, others = parted(played.reasons[0])
    assert (rule, others.partition(": ")[0]) == (
        "The invoice differs from what was ordered or received.",
        difference["title"],
    )
    assert others.endswith(difference["message"])
    assert not LedgerEntry.objects.exists()


def test_a_changed_bank_account_waits_for_a_person(pay: Runner) -> None:
    played = pay(invoice(), vendor={**MASTER, "iban": OTHER_IBAN})
    assert played.route == "human"
    assert kinds(played) == ["bank_account_changed"]
    assert IBAN in played.reasons[-1]
    assert OTHER_IBAN in played.reasons[-1]


@pytest.mark.parametrize(
    ("number", "kind"), [("R-1", "duplicate_exact"), ("R-1-A", "duplicate_renumbered"), ("X-9", "duplicate_renumbered")]
)
def test_what_was_paid_before_waits_for_a_person(pay: Runner, number: str, kind: str) -> None:
    played = pay(invoice(), paid=({**PAID, "invoice_number": number},))
    assert played.route == "human"
    assert kinds(played) == [kind]


def test_a_flagged_vendor_pauses_everything_and_goes_to_the_escalation_queue(pay: Runner) -> None:
    played = pay(invoice(), vendor={**MASTER, "flagged": True, "flag_reason": "two disputed deliveries"})
    assert played.gates["vendor"] == "pause"
    assert "Nordlicht GmbH is flagged: two disputed deliveries" in played.reasons
    assert Review.objects.get().queue.name == "payments-escalation"
    assert Run.objects.get().status == Run.Status.SUSPENDED


def test_over_fifty_thousand_the_cfo_is_asked_as_well(pay: Runner) -> None:
    dear = Line("1", CEMENT.name, Decimal(10), Decimal(5000), "C-25")
    order = {"lines": [{**ORDER_LINE, "unit_price": "5000", "net_amount": "50000"}], "net_total": "50000"}
    played = pay(invoice(lines=(dear,)), order=order)
    assert played.route == "human"
    assert played.reasons == ["59,500.00 EUR is more than 50,000.00: the CFO approves as well."]
    assert [level["group"] for level in Review.objects.get().levels] == ["", "cfo"]


def test_an_unknown_vendor_a_missing_and_an_unknown_order_wait_for_a_person(pay: Runner) -> None:
    assert kinds(pay(invoice(), vendor=None)) == ["vendor_unknown"]
    assert "missing_po_reference" in kinds(pay(invoice(number="R-2", order="")))
    assert "po_unknown" in kinds(pay(invoice(number="R-3", order="PO-404")))


def test_an_amount_without_an_exchange_rate_waits_for_a_person(pay: Runner) -> None:
    played = pay(invoice(currency="PLN"), order={"currency": "PLN"})
    assert played.route == "human"
    assert any("no rate from PLN to EUR" in reason for reason in played.reasons)


def test_a_document_that_cannot_be_read_is_refused_with_the_reason(pay: Runner) -> None:
    played = pay(b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
    assert played.route == "refuse"
    assert played.gates == {"read": "reject"}
    assert len(played.reasons[0]) > 20
    assert Run.objects.get().outcome == played.reasons[0]


def test_an_invoice_that_contradicts_itself_waits_for_a_person(pay: Runner) -> None:
    played = pay(invoice(wrong={"gross": Decimal("60.50")}))
    assert played.gates["read"] == "review"
    assert "header_inconsistent" in kinds(played)


def test_without_a_grant_an_agent_reads_nothing_and_the_refusal_is_recorded(pay: Runner) -> None:
    UserObjectPermission.objects.filter(user__username="agent.vendors.lookup").delete()
    played = pay(invoice())
    assert played.route == "human"
    assert not LedgerEntry.objects.exists()
    assert Event.objects.filter(kind="source.refused").exists()


def test_a_paid_invoice_reduces_what_is_open_in_its_order(pay: Runner) -> None:
    half = Line("1", CEMENT.name, Decimal(6), Decimal("5.00"), "C-25")
    assert pay(invoice(lines=(half,))).route == "auto"
    assert SourceRow.objects.filter(source__name="payment-history").count() == 1
    second = pay(invoice(number="R-2", lines=(half,), issued=date(2026, 3, 9)))
    assert "qty_over" in kinds(second)
