"""What lies around a case: the ones before and behind it in the list it was opened from."""

from typing import Any

from django.db.models import BooleanField, Exists, ExpressionWrapper, Q, QuerySet, Subquery
from django.utils import timezone

from orchestrator.permissions import AUDITORS, granted_each

from .inbox import Moment, Sight, Wanted, beyond, key_of, narrowed
from .models import Queue, Review
from .permissions import SEES


def look_around(user: Any) -> tuple[Sight, list[Queue]]:
    """What the person sees of the queues, and every queue there is (a case may be sent to any): in two statements."""
    held = granted_each(user, Queue, SEES)
    auditing = Exists(user.groups.filter(name=AUDITORS))
    queues: list[Any] = list(Queue.objects.annotate(auditing=auditing))
    keys = set().union(*held.values())
    seen = [queue for queue in queues if queue.auditing or str(queue.pk) in keys]
    inbox = Review.objects.inbox_for(user, held["decide"])
    return Sight(user, seen, inbox, Moment.of(timezone.now())), queues


def neighbours(sight: Sight, wanted: Wanted, review: Review) -> tuple[Review | None, Review | None]:
    """(before, after) of the list, in one statement; they need not be the reader's to decide."""
    key = key_of(review, wanted.order, sight.at.now)
    rows = narrowed(sight, wanted).exclude(task_id=review.task_id)
    first, second = (Subquery(beyond(rows, wanted, key, backwards=back).values("pk")[:1]) for back in (False, True))
    behind_it = ExpressionWrapper(Q(pk=first), BooleanField())  # NULL where nothing is behind
    found: QuerySet[Any] = Review.objects.filter(Q(pk=first) | Q(pk=second)).annotate(behind=behind_it)
    by_side = {bool(row.behind): row for row in found.only("task_id", "title")}
    return by_side.get(False), by_side.get(True)
