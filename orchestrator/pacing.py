"""How fast one account may go. What it did in the last minute is counted in the trail: there is no counter of its own
that processes would have to share, and none to lose."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from audit.log import database_now
from audit.models import Event

WINDOW = timedelta(minutes=1)
RETRY_SECONDS = 10


def is_too_fast(user: Any, kinds: Collection[str], most: int) -> bool:
    """Whether this account has done as much of this within a minute as it may. `most` 0: it may do any amount."""
    if not most:
        return False
    done = Event.objects.filter(actor_id=str(user.pk), at__gte=database_now() - WINDOW, kind__in=kinds)
    return done.order_by()[:most].count() >= most
