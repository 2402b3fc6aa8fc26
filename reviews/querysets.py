"""Which reviews are whose: who may take one now, and in what order they stand. The models are made with it, so it names
those it asks by their names."""

from collections.abc import Collection
from typing import Any, Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat, Now, StrIndex
from django.db.models.lookups import Exact

from orchestrator.models import Task

from .policies import SIGNED

LISTED = Q(band__isnull=False)  # the live ones, by the column the lists are indexed on
URGENCY = ("band", "rank", "due_at", "id")


def for_team_of(user: Any) -> Q:
    """What whoever may decide in a queue finds there: not asked about elsewhere, not handed to somebody else."""
    return Q(asked=None) & (Q(delegated_to=None) | Q(delegated_to=user))


def signed_by(user: Any, **where: Any) -> Exists:
    """Whether this person signed an answer to such a review."""
    approvals = apps.get_model("reviews", "Approval").objects
    return Exists(approvals.filter(reviewer=user, verdict__in=SIGNED, **where))


def had_a_part(task: Any, user: Any) -> Q:
    """Whether this person handed in the case of the task, or signed an answer to it."""
    return Q(Exists(Task.objects.filter(pk=task, run__started_by=user)) | signed_by(user, review__task=task))


def in_list(user: Any) -> Concat:
    """How a person's key, or the place of one, stands in `barred`."""
    key = user if hasattr(user, "resolve_expression") else Value(getattr(user, "pk", user))
    return Concat(Value(" "), Cast(key, models.CharField()), Value(" "))


class ReviewQuerySet(models.QuerySet[Any]):
    def live(self) -> Self:
        return self.filter(status__in=self.model.LIVE)

    def counted(self) -> Self:
        """Those that figures are made of. A control case looks like any other until it is over."""
        return self.filter(Q(control=None) | LISTED)

    def listed(self) -> Self:
        """The same, by the column the lists are indexed on."""
        return self.filter(LISTED)

    def inbox_for(self, user: Any, queues: Collection[Any] | models.QuerySet[Any]) -> Self:
        """Live reviews this person may take: of `queues`, in which they may decide, and not handed to others, or put to
        them; not held by others, not snoozed, never of a run they started, nor signed by them already, nor to reverse
        an answer they had a part in."""
        return self.free_for(user).filter(Q(queue__in=queues) & for_team_of(user) | Q(asked=user))

    def free_for(self, user: Any) -> Self:
        """Of those the person may decide, which they could take now. `user` may be the place of their key."""
        free = Q(claimed_by=None) | Q(claimed_by=user) | Q(claimed_until__lt=Now())
        awake = Q(snoozed_until=None) | Q(snoozed_until__lte=Now())
        own = self.listed().filter(free & awake).exclude(requester=user).exclude(signed_by(user, review=OuterRef("pk")))
        return own.filter(Q(barred=None) | Q(Exact(StrIndex("barred", in_list(user)), 0)))

    def by_urgency(self) -> Self:
        """Due band (overdue, two hours, a day, later), then exposure, then what is due first."""
        return self.order_by(*URGENCY)
