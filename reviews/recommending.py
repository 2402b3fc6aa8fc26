"""What the machine side would answer, when a person may see it, and how often people have agreed with it.

While it is hidden it is in no page and no answer of the API. That it was shown, and what had been chosen by then, is on
record: from that the product learns whether hiding it is worth the while.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q

from orchestrator.models import Run

from .blind import hides_answers, signers
from .measured import Frequency
from .models import Approval, Reveal, Review, ReviewPolicy
from .policies import ESCALATE, SIGNED

NEWEST = 1_000
Mode = ReviewPolicy.Recommendation


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What is shown, with how often people gave the same answer before."""

    verdict: str
    why: str
    step: str
    agreed: Frequency
    first_choice: str = ""


def recommendation_of(review: Review) -> Mapping[str, Any]:
    return review.packet.get("recommendation") or {}


def mode_for(review: Review, user: Any) -> str:
    """When this person may see it. Whoever answers without sight of the answers before does not see it at all."""
    mode = review.queue.policy.recommendation
    if mode != Mode.NEVER and hides_answers(review) and signers(review) - {user.pk}:
        return Mode.NEVER
    return mode


def is_shown(review: Review, user: Any) -> bool:
    """Whether the person may have it now; once the round is over, everybody who sees the case, unless it never is."""
    mode = mode_for(review, user)
    if not recommendation_of(review) or (not review.is_live and mode != Mode.NEVER):
        return bool(recommendation_of(review))
    if mode in (Mode.ALWAYS, Mode.NEVER):
        return mode == Mode.ALWAYS
    return reveal_of(review, user) is not None


def reveal_of(review: Review, user: Any) -> Reveal | None:
    return Reveal.objects.filter(review=review, user=user).first()


def without(packet: Mapping[str, Any]) -> dict[str, Any]:
    """The packet as it is given to somebody who is not to see the recommendation."""
    return {name: value for name, value in packet.items() if name != "recommendation"}


def shown_to(review: Review, user: Any) -> Recommendation | None:
    """What the page may show of it now."""
    found = recommendation_of(review)
    if not found or not is_shown(review, user):
        return None
    reveal = reveal_of(review, user)
    agreed = agreement(found["step"], found["verdict"])
    return Recommendation(found["verdict"], found["why"], found["step"], agreed, reveal.first_choice if reveal else "")


def agreement(step: str, verdict: str) -> Frequency:
    """How many of the newest answers people gave, where this was recommended, were the same."""
    judged = (*SIGNED, ESCALATE)  # a question or a hand-over is no answer yet
    answers = Approval.objects.filter(recommended_by=step, recommended=verdict, verdict__in=judged)
    newest = answers.order_by("-at").annotate(same=Q(verdict=F("recommended")))[:NEWEST]
    found = newest.aggregate(cases=Count("pk"), agreed=Count("pk", filter=Q(same=True)))
    return Frequency(found["agreed"], found["cases"])


def kept_back(user: Any, run: Run) -> set[str]:
    """While a person may not see the recommendation of a case, no page of its run tells it (settings.KEPT_BACK)."""
    live = run.reviews.live().select_related("queue__policy")
    return {"recommendation"} if any(recommendation_of(r) and not is_shown(r, user) for r in live) else set()


def how_seen(review: Review, user: Any, verdict: str, first_choice: str | None) -> dict[str, Any]:
    """For the record of an answer: whether the recommendation was seen, when, and whether it changed what was chosen
    first (None: it was never revealed)."""
    if not recommendation_of(review):
        return {}
    if review.queue.policy.recommendation == Mode.ALWAYS and is_shown(review, user):
        return {"shown": "always"}
    if first_choice is None:
        return {"shown": "never"}
    if not first_choice:
        return {"shown": "before"}
    return {"shown": "after", "first_choice": first_choice, "changed": first_choice != verdict}
