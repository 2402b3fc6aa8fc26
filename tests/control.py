"""Planting control cases in tests: an account that stands in for them, and bills whose answer is known."""

from typing import Any

from django.contrib.auth.models import Permission

from reviews import control
from reviews.models import ControlCase, Review

from .cast import Cast, open_review_of, person, work

WHY = "The order says 90.00."
PRICE = {"/read/invoice/lines/0/unit_price": "90.00"}


def right(codename: str) -> Permission:
    return Permission.objects.get(codename=codename, content_type__app_label="reviews")


def mailbox(name: str = "mailbox") -> Any:
    """An account that may stand as who handed a control case in."""
    account = person(name)
    account.user_permissions.add(right("stand_in"))
    return account


def planted(everybody: Cast, stands_in: Any, **given: Any) -> Review:
    """The open review of a bill with one difference, planted by the admin: to be rejected."""
    facts = {"amount": "1000.00", "number": "KB-7", "differences": 1} | given.pop("facts", {})
    control.plant(
        **{"workflow": "pay-bills", "stands_in": stands_in, "verdicts": ["reject"], "why": WHY, "input": facts}
        | {"actor": everybody.admin}
        | given
    )
    work()
    return open_review_of(ControlCase.objects.first().run)


def case_of(review: Review) -> ControlCase:
    return ControlCase.objects.get(run=review.run_id)
