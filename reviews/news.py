"""Whether anything new waits in a list that somebody has open: asked every few seconds by every open page, so in one
statement. The list itself is not moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from .counts import news_of
from .inbox import Wanted
from .wanted import Unknown

LATE = timedelta(seconds=5)  # a case is new as of when its transaction began, and seen when that was committed


@dataclass(frozen=True, slots=True)
class Since:
    """What a page knew when it was made: the time, and how many cases were already newer than `at`."""

    at: datetime
    known: int = 0

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Since":
        try:
            at, known = parse_datetime(query.get("since", "")), int(query.get("known", "0"))
        except ValueError:
            at, known = None, 0
        if at is None or at.tzinfo is None:
            raise Unknown("since", query.get("since", ""), gettext("a time such as 2026-11-20T14:03:00+00:00"))
        return cls(at, known)


def news_for(user: object, wanted: Wanted, since: Since) -> tuple[int, int]:
    """(how many are new in this list, how many wait for the person)."""
    new, waiting = news_of(user, wanted, since.at)
    return max(0, new - since.known), waiting
