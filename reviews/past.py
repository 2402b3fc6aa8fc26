"""Cases like this one that people have decided: of the same vendor, or stopped by the same rules."""

from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext

from .inbox import Sight
from .models import Review
from .policies import REASONS

MOST = 5
WORDS = {code: words for codes in REASONS.values() for code, words in codes}


@dataclass(frozen=True, slots=True)
class Past:
    """A decided case and what it has in common with this one."""

    review: Review
    same_vendor: bool
    same_rules: bool

    @property
    def why(self) -> str:
        """What the person gave as reason, in words; "" for none."""
        answer = self.review.answer
        words = WORDS.get(answer.get("reason", ""), "")
        return answer.get("comment") or (gettext(words) if words else "")

    @property
    def corrected(self) -> int:
        return len(self.review.answer.get("corrected", ()))


def similar(sight: Sight, review: Review) -> list[Past]:
    """The newest settled cases of this workflow with the same vendor or the same rules, those with both first; in the
    queues the person may see. One statement, along two indexes."""
    settled = Review.objects.filter(
        control=None, settled_at__isnull=False, queue__in=sight.queues, workflow=review.workflow
    ).exclude(task_id=review.task_id)
    settled = settled.exclude(status=Review.Status.RECALLED).order_by("-settled_at")
    vendors = settled.filter(vendor=review.vendor).values("pk")[:MOST] if review.vendor else Review.objects.none()
    rules = settled.filter(rules=review.rules).values("pk")[:MOST] if review.rules else Review.objects.none()
    either = Q(pk__in=vendors) | Q(pk__in=rules)
    rows = Review.objects.filter(either).defer("packet").order_by("-settled_at")
    found = [
        Past(row, bool(review.vendor) and row.vendor == review.vendor, bool(review.rules) and row.rules == review.rules)
        for row in rows
    ]
    return sorted(found, key=lambda past: not (past.same_vendor and past.same_rules))[:MOST]
