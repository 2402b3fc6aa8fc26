"""Cases of the demo whose answer is known: two wait among the clerks' others, one was answered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal as D
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from orchestrator.models import Run
from reviews import control

from .cases import MARAIS, ORRIN, TAMSIN, DemoCase, Vendor
from .invoices import Invoice, as_ubl
from .past import Said, give

KEY = "demo/mail-"
REJECTED = ("reject",)


@dataclass(frozen=True, slots=True)
class Planted:
    """A second invoice for an order that was billed already, and why it is not to be paid."""

    invoice: Invoice
    why: str
    due_in: timedelta
    said: Said | None = None


def planted(book: Sequence[DemoCase]) -> list[Planted]:
    clean = {case.vendor.id: case.invoice for case in book if case.title == "matches its order"}

    def again(vendor: Vendor, number: str, **changes: Any) -> Invoice:
        invoice = clean[vendor.id]
        first, *others = invoice.lines
        return invoice.but(number=number, lines=(replace(first, **changes), *others))

    return [
        Planted(
            again(MARAIS, "ME-20866", price=D("0.69")),
            "The order says 0.61 a sheet, and it was billed in full before under another number.",
            timedelta(hours=28),
        ),
        Planted(
            again(ORRIN, "OD-20873", quantity=D(6)),
            "Four servers were ordered and six are billed; the order was billed in full before.",
            timedelta(hours=6),
        ),
        Planted(
            again(TAMSIN, "TF-20880", price=D("2160.00")),
            "The contract says 1,840.00 a month, and October was billed before under another number.",
            timedelta(hours=20),
            Said("clara", "reject", "wrong_amount", 58),
        ),
    ]


def plant(case: Planted, number: int, mail: Any, ada: Any) -> bool:
    """As if it had come by mail. False: it was there already."""
    key = f"{KEY}{number}"
    if Run.objects.filter(key=key).exists():
        return False
    control.plant(
        workflow="invoice-to-pay",
        stands_in=mail,
        documents=[(f"{case.invoice.number}.xml", as_ubl(case.invoice))],
        verdicts=REJECTED,
        why=case.why,
        deadline=timezone.now() + case.due_in,
        actor=get_user_model().objects.get(pk=ada.pk),  # with the rights given since it was read
        key=key,
    )
    return True


def answer_planted(cases: Sequence[Planted], mail: Any) -> None:
    for number, case in enumerate(cases):
        run = Run.objects.get(started_by=mail, key=f"{KEY}{number}")
        review = run.reviews.live().select_related("run__version", "queue__policy").first()
        if case.said is not None and review is not None:
            give(review, case.said, f"{KEY}{number}")
