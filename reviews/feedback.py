"""What whoever has answered a control case is told: what was expected, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from orchestrator import permissions

from . import control
from .choices import VERDICTS
from .models import Review
from .models_control import ControlCase

TOLD = "control"  # the tag of a message that is one


@dataclass(frozen=True, slots=True)
class Feedback:
    """`expected` and `given` in words, `corrections` as (place, value)."""

    caught: bool
    expected: str
    corrections: Sequence[tuple[str, Any]]
    given: str
    why: str

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Feedback":
        """As control.answered() has it."""
        expected = told["expected"]
        words = gettext(" or ").join(words_for(verdict) for verdict in expected["verdicts"])
        corrections = [(pointer.strip("/").replace("/", ", "), new) for pointer, new in expected["corrections"].items()]
        return cls(told["caught"], words, corrections, words_for(told["given"]["verdict"]), told["why"])

    @property
    def title(self) -> str:
        if self.caught:
            return gettext("This was a control case, and the answer was as expected.")
        return gettext("This was a control case, and another answer was expected.")

    @property
    def comparison(self) -> str:
        values = ", ".join(f"{place}: {value}" for place, value in self.corrections)
        expected = gettext("%(verdict)s, with %(values)s") % {"verdict": self.expected, "values": values}
        return gettext("Expected: %(expected)s. Given: %(given)s.") % {
            "expected": expected if values else self.expected,
            "given": self.given,
        }

    @property
    def meaning(self) -> str:
        return gettext("It was planted for practice; nothing was done outside.")

    @property
    def html(self) -> SafeString:
        return format_html("<b>{}</b> {} {} {}", self.title, self.comparison, self.why, self.meaning)


def words_for(verdict: str) -> str:
    return str(VERDICTS[verdict][3])


def feedback_on(review: Review, user: Any) -> Feedback | None:
    """How a control case was answered; None for those who may not see it."""
    case = control.planted(review.run).select_related("approval").first()
    if case is None or case.approval is None or not may_see_answer(user, case):
        return None
    return Feedback.of(case.approval.response["feedback"])


def may_see_answer(user: Any, case: ControlCase) -> bool:
    """Of a person, as of all their answers: themselves, whoever leads the queue, and auditors."""
    of_person = case.person_id == user.pk or permissions.is_auditor(user)
    return of_person or (case.review is not None and permissions.holds(user, "lead", case.review.queue))
