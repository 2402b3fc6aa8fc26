"""How many answers one person may give in a minute: more than can have been thought about are not taken."""

from typing import Any
from uuid import UUID

from django.conf import settings

from orchestrator.pacing import is_too_fast

from .claiming import refusals_recorded
from .errors import TooFast

ANSWERS = ("review.approved", "review.rejected", "review.signed", "review.rerouted", "decision.recorded")


def keep_pace(*, review_id: UUID, actor: Any) -> None:
    """TooFast, which is recorded like every refused answer. For pages and the API: whoever calls the services from
    inside has no hands to be quick with."""
    if is_too_fast(actor, ANSWERS, settings.DECISIONS_PER_MINUTE):
        with refusals_recorded(review_id, actor, "decide"):
            raise TooFast(settings.DECISIONS_PER_MINUTE)
