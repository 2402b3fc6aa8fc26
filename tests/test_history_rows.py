"""What was done is remembered in the spelling that imports use, so that later runs find it."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from orchestrator import services
from orchestrator.connectors.http import HttpConnector
from orchestrator.evaluation import world
from orchestrator.evaluation.playing import Played, play
from orchestrator.models import Incident, SourceRow
from reviews.demo.content import fill
from reviews.demo.invoices import Invoice, Line, Party, as_ubl
from tests.outside import outside_running

SELLER = Party("Nordlicht GmbH", "Hafenstr. 1", "Kiel", "24103", "DE", "DE811115368", "DE02120300000000202051")
BUYER = Party("Halden AG", "Ringstr. 7", "Bern", "3011", "DE", "DE136695976")
CEMENT = Line("1", "Cement, 25 kg", Decimal(10), Decimal("5.00"), "C-25")
INVOICE = Invoice("R-1", SELLER, BUYER, date(2026, 3, 1), date(2026, 3, 31), (CEMENT,), "PO-1")
MASTER = {"vendor_id": "V1", "name": SELLER.name, "vat_id": "DE 811 115 368", "iban": "DE02 1203 0000 0000 2020 51"}
LINE = {"id": "1", "name": CEMENT.name, "quantity": "10", "unit": "C62", "unit_price": "5", "net_amount": "50"}
ORDER = {"number": "PO-1", "currency": "EUR", "seller_name": SELLER.name, "net_total": "50", "lines": [LINE]}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def shipped(settings: Any, tmp_path: Path) -> None:
    settings.DOCUMENT_DIR = tmp_path / "documents"
    world.furnish()
    world.fill({"vendor-master": [MASTER], "purchase-orders": [ORDER], "tolerances": [{"vendor_id": "default"}]})


def pay() -> Played:
    actor = get_user_model().objects.get(username=world.ACTOR)
    return play("invoice-to-pay", data=as_ubl(INVOICE), name="invoice.xml", actor=actor)


def test_the_very_document_that_was_paid_is_known_again() -> None:
    assert pay().route == "auto"
    [row] = SourceRow.objects.filter(source__name="payment-history")
    assert len(row.data["document_sha256"]) == 64
    assert row.data["seller_vat_id"] == "DE811115368"
    again = pay()
    assert again.route == "human"
    assert "duplicate_document" in [found["kind"] for found in again.discrepancies]


def test_what_a_person_declares_paid_is_known_to_later_invoices(settings: Any, monkeypatch: Any) -> None:
    """The outside never said what became of it; somebody looked it up there."""
    monkeypatch.setattr(HttpConnector, "klass", "X")
    with outside_running() as outside:
        settings.ERP_BASE_URL = outside.url
        outside.modes = ["lose"]
        pay()
    incident = Incident.objects.get(kind="effect-in-doubt")
    assert not SourceRow.objects.filter(source__name="payment-history").exists()
    operator = get_user_model().objects.create_user("operator")
    services.resolve_incident(
        incident_id=incident.pk, resolution="confirmed", reason="on the statement", ref="R-77", actor=operator
    )
    assert SourceRow.objects.get(source__name="payment-history").data["invoice_number"] == INVOICE.number
    again = pay()
    assert again.route == "human"
    assert "duplicate_document" in [found["kind"] for found in again.discrepancies]


def test_rows_of_the_demo_are_found_by_name_and_edited_ones_stay() -> None:
    fill("vendor-master", [{"vendor_id": "V9", "name": "Söhne & Fabrik GmbH", "iban": "DE89 3704 0044 0532 0130 00"}])
    row = SourceRow.objects.get(key="V9")
    assert row.data["iban"] == "DE89370400440532013000"
    assert row.data["name_key"]
    row.data["name"] = "Renamed"
    row.save()
    fill("vendor-master", [{"vendor_id": "V9", "name": "Söhne & Fabrik GmbH"}])
    assert SourceRow.objects.get(key="V9").data["name"] == "Renamed"
