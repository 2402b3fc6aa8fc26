"""Showing the recommendation to a person who is to answer, on record."""

from typing import Any
from uuid import UUID

from django.db import transaction

from audit.log import database_now, person

from .claiming import current_account, locked
from .models import Reveal
from .opening import told
from .permissions import allowed
from .recommending import Mode, mode_for, recommendation_of


@transaction.atomic
def reveal(*, review_id: UUID, actor: Any, choice: str = "") -> Reveal | None:
    """Shows it to a person who may answer: after their choice, or (where the policy lets them ask) before one. None:
    there is none, or they may not have it yet."""
    review, user = locked(review_id), current_account(actor)
    if not recommendation_of(review) or not allowed(user, review):
        return None
    mode = mode_for(review, user)
    if mode not in (Mode.AFTER_CHOICE, Mode.ON_REQUEST) or (mode == Mode.AFTER_CHOICE and not choice):
        return None
    found, made = Reveal.objects.get_or_create(
        review=review, user=user, defaults={"first_choice": choice, "at": database_now()}
    )
    if made:
        told(review, "review.revealed", person(user), chosen=choice or "nothing")
    return found
