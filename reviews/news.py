"""Whether anything new waits in a list that somebody has open: asked every few seconds by every open page, so in one
statement. The list itself is not moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from orchestrator.permissions import AUDITORS

from .inbox import DONE, MOST, Sight, Wanted, counted, narrowed, rows_of
from .models import Queue, Review, ReviewQuerySet
from .permissions import SEES, held_queues
from .wanted import Unknown

LATE = timedelta(seconds=5)  # a case is new as of when its transaction began, and seen when that was committed
MOST_NEWS = 99
STILL = (DONE, "drafts", "snoozed")  # nothing new comes to these by itself


def glance_of(user: object) -> Sight:
    """What inbox.sight_of reads in two statements, as parts of the one that asks."""
    auditing = Exists(user.groups.filter(name=AUDITORS))  # type: ignore[attr-defined]
    seen = Queue.objects.filter(Q(pk__in=held_queues(user, SEES)) | auditing)
    return Sight(user, seen, Review.objects.inbox_for(user, held_queues(user, ["decide"])))


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


def fresh(sight: Sight, wanted: Wanted, at: datetime, now: datetime) -> ReviewQuerySet:
    """The rows of a list that came, or came back, after `at`."""
    if wanted.view in STILL or wanted.like:
        return Review.objects.none()
    came = Q(opened_at__gt=at) | Q(snoozed_until__gt=at, snoozed_until__lte=now)
    return narrowed(rows_of(sight, wanted.view, now), wanted, sight.user, ahead=False).filter(came)


def news_for(user: object, wanted: Wanted, since: Since) -> tuple[int, int]:
    """(how many are new in this list, how many wait for the person)."""
    sight = glance_of(user)
    rows = fresh(sight, wanted, since.at, timezone.now())
    new, waiting = counted([(rows, MOST_NEWS + since.known), (sight.inbox, MOST)])
    return max(0, new - since.known), waiting
