"""What stands around the choice on a case: the recommendation once it may be seen, whether others have answered, and
what is said about it."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from . import blind, recommending
from .models import Review, ReviewPolicy
from .recommending import Recommendation
from .talk import Said, said_about


@dataclass
class DecisionPanel:
    review: Review
    user: Any
    allowed: Collection[str]

    @cached_property
    def signed_by(self) -> set[int]:
        return blind.signers(self.review) if self.review.is_live and not self.allowed else set()

    @cached_property
    def recommendation(self) -> Recommendation | None:
        return recommending.shown_to(self.review, self.user)

    @property
    def may_ask_for_it(self) -> bool:
        """Whether there is a recommendation that is shown on request, before a choice."""
        if not self.allowed or self.recommendation or not recommending.recommendation_of(self.review):
            return False
        return recommending.mode_for(self.review, self.user) == ReviewPolicy.Recommendation.ON_REQUEST

    @cached_property
    def is_second(self) -> bool:
        """Somebody has answered before, and nothing of it may be seen."""
        return bool(self.allowed) and blind.hides_answers(self.review) and bool(blind.kept_from(self.user, self.review))

    @property
    def is_third(self) -> bool:
        return self.review.is_live and blind.is_settling(self.review)

    @cached_property
    def talk(self) -> list[Said]:
        return said_about(self.review, self.user)
