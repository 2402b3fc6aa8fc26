"""A person's day so far, for themselves alone: how long an answer typically took, and how many others changed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .inbox import Sight
from .models import Approval
from .policies import SIGNED

MOST = 200  # of the day's answers are looked at, the newest: more say the same
ANSWERED, BLIND = ("verdict", "target"), "review__levels__0__blind"


@dataclass(frozen=True, slots=True)
class Day:
    """`typical`: the median of the seconds a case was open before its answer; None where no page said."""

    typical: float | None
    changed: int


def day_of(sight: Sight) -> Day:
    """In one statement, whose cost is that of the day's answers."""
    mine = Approval.objects.filter(reviewer=sight.user, at__gte=sight.at.today, verdict__in=SIGNED)
    rounds = mine.order_by("-at").values("review")[:MOST]
    votes = Approval.objects.filter(review__in=rounds, verdict__in=SIGNED).order_by("at", "id")
    by_round = defaultdict(list)
    for vote in votes.values(
        "review", "reviewer", "verdict", "corrections", "target", "seen", "review__levels__0__blind"
    ):
        by_round[vote["review"]].append(vote)
    took = [seconds for votes in by_round.values() for vote in votes if (seconds := _seconds(vote, sight.user))]
    return Day(median(took) if took else None, sum(_is_changed(votes, sight.user) for votes in by_round.values()))


def _seconds(vote: Mapping[str, Any], user: Any) -> int | None:
    return (vote["seen"] or {}).get("seconds") if vote["reviewer"] == user.pk else None


def _is_changed(votes: Sequence[Mapping[str, Any]], user: Any) -> bool:
    """Whether somebody after this person answered otherwise, or corrected what they had left."""
    own = next(index for index, vote in enumerate(votes) if vote["reviewer"] == user.pk)
    return any(_differs(votes[own], later) for later in votes[own + 1 :])


def _differs(first: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    if any(first[part] != later[part] for part in ANSWERED):
        return True
    # Where they saw nothing of the first answer, the same corrections are agreement.
    return bool(later["corrections"] != first["corrections"] if later[BLIND] else later["corrections"])
