"""Cases of the demo that people have answered already, so that figures and similar cases have something to show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal as D
from typing import Any

from django.contrib.auth import get_user_model

from orchestrator.models import Run
from reviews import services
from reviews.claiming import view
from reviews.models import Review
from reviews.questions import questions_of

from .cases import BOXES, BRUNN, FREIGHT, HOSTING, KESTREL, MARAIS, ORRIN, SOLVEIG, TOOLS, Book, DemoCase, Vendor

KEY = "demo/past-"


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: by whom, after how long. `corrects`: the values of the other source are taken."""

    by: str
    verdict: str
    reason: str
    seconds: int
    corrects: bool = False


SAID = (
    Said("clara", "approve", "within_tolerance", 41),
    Said("ben", "approve", "confirmed", 95, corrects=True),
    Said("clara", "reject", "wrong_amount", 152),
    Said("clara", "approve", "terms_agreed", 63),
    Said("maya", "approve", "confirmed", 71, corrects=True),
    Said("ben", "approve", "false_alarm", 28),
    Said("clara", "approve", "confirmed", 118, corrects=True),
    Said("ben", "reject", "not_ordered", 204),
    Said("clara", "approve", "within_tolerance", 37),
    Said("maya", "reject", "wrong_amount", 133),
    Said("ben", "approve", "confirmed", 88, corrects=True),
    Said("clara", "approve", "terms_agreed", 52),
)


def past(book: Book) -> list[DemoCase]:
    """Invoices that cost more than was ordered: one for each answer."""
    stock: Sequence[tuple[Vendor, tuple[tuple[str, str, str], ...]]] = (
        (KESTREL, (("Roller bearing NU 206", "60", "21.40"),)),
        (MARAIS, BOXES),
        (BRUNN, TOOLS),
        (ORRIN, HOSTING),
        (SOLVEIG, FREIGHT),
    )
    found = []
    for number in range(len(SAID)):
        vendor, lines = stock[number % len(stock)]
        order = book.draft(vendor, *lines)
        dearer = tuple(replace(line, price=(line.price * D("1.07")).quantize(D("0.01"))) for line in order.lines[:1])
        found.append(book.case("dearer than ordered", vendor, order.but(lines=(*dearer, *order.lines[1:])), order))
    return found


def answer_past() -> None:
    """The answers, through the service every page uses; a case that was answered before is left as it is."""
    for number, said in enumerate(SAID):
        run = Run.objects.get(started_by__username="ravi", key=f"{KEY}{number}")
        review = run.reviews.live().select_related("run__version", "queue__policy").first()
        if review is not None and not review.approvals.exists():
            give(review, said, f"{KEY}{number}")


def give(review: Review, said: Said, nonce: str) -> None:
    person = get_user_model().objects.get(username=said.by)
    view(review=review, actor=person)
    services.decide(
        review_id=review.pk,
        actor=person,
        verdict=said.verdict,
        digest=review.packet_digest,
        nonce=nonce,
        reason=said.reason,
        corrections=other_values(review.packet) if said.corrects else {},
        seconds_open=said.seconds,
    )


def other_values(packet: Mapping[str, Any]) -> dict[str, Any]:
    """For every difference about a value, the one the last source says."""
    asked = questions_of(packet["differences"])
    return {question.pointer: question.options[-1][0] for question in asked if question.pointer and question.options}
