"""The person who is about to act on a case, as the database knows them now, under the lock and in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, Exists, F, Max, Q, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.utils.translation import gettext

from audit.models import Event
from orchestrator.clock import Clock
from orchestrator.pacing import WINDOW
from orchestrator.statements import Slot, look_up

from . import policies
from .errors import NotAllowed
from .models import Approval, Draft, Reveal, Review
from .permissions import kind_of_queues, level_of, standing_in, with_standing


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts, what they may do here, and when: the clock was read before the permissions were, so that what was
    taken away by then counts."""

    user: Any
    standing: policies.Standing
    now: datetime

    def permit(self, verdict: str, review: Review) -> None:
        """NotAllowed, with the rule, unless this person may give this verdict on this review."""
        if objection := policies.refusal(self.standing, verdict, level_of(review)):
            raise NotAllowed(*objection, level_of(review))


@dataclass(frozen=True, slots=True)
class Signing(Acting):
    """With what an answer rests on besides. `earlier`: the answer that has this nonce already; `hurried`: when the
    first of as many answers as a minute takes was given, None where there are fewer; `undo_seconds`, `auto_next`: what
    the person likes, None where they never said; `signed`: somebody has answered in this round; `first_choice`: what
    was chosen when the recommendation was shown, None where it was not; `drafted`: something was filled in before."""

    earlier: UUID | None
    hurried: datetime | None
    seen_at: datetime | None
    undo_seconds: int | None
    auto_next: bool | None
    signed: bool
    first_choice: str | None
    drafted: bool


def acting(actor: Any, review: Review) -> Acting:
    """NotAllowed for an account that is gone."""
    rows = look_up(_acting, kind_of_queues(), user=actor.pk, review=review.pk, queue=str(review.queue_id))
    return Acting(*_who(rows, review))


def signing(actor: Any, review: Review, *, nonce: str, most: int) -> Signing:
    """The same for an answer with this nonce, of which at most `most` are taken within a minute (0: any number)."""
    keys = {"user": actor.pk, "review": review.pk, "task": review.task_id, "nonce": nonce}
    texts = {"queue": str(review.queue_id), "actor": str(actor.pk), "subject": str(review.pk)}
    rows = look_up(_signing, kind_of_queues(), most, **keys, **texts)
    who = _who(rows, review)
    return Signing(*who, *(getattr(rows[0], name) for name in Signing.__slots__))


def _who(rows: Sequence[Any], review: Review) -> tuple[Any, policies.Standing, datetime]:
    if not rows:
        raise NotAllowed("active", gettext("This account does not exist any more."))
    return rows[0], standing_in(rows, review), review.locked_at  # type: ignore[attr-defined]


def _acting(_kind: int, *, user: Slot, review: Slot, queue: Slot) -> QuerySet:
    return with_standing(user=user, review=review, queue=queue)


def _signing(_kind: int, most: int, *, user: Slot, review: Slot, queue: Slot, **keys: Slot) -> QuerySet:
    given = Approval.objects.filter(review__pk=review, verdict__in=policies.SIGNED)
    shown = Reveal.objects.filter(review__pk=review, user__pk=user)
    # By the case alone and then whose it was: what a person did in all is many times what was done on one case.
    looked = Event.objects.filter(subject_id=keys["subject"]).order_by().values("subject_id")
    theirs = Max("at", filter=Q(kind="review.viewed", actor_id=keys["actor"]))
    return with_standing(user=user, review=review, queue=queue).annotate(
        earlier=Subquery(Approval.objects.filter(nonce=keys["nonce"]).order_by().values("pk")),
        hurried=_hurried(user, most),
        seen_at=Subquery(looked.annotate(last=theirs).values("last")),
        undo_seconds=F("preference__undo_seconds"),
        auto_next=F("preference__auto_next"),
        signed=Exists(given),
        first_choice=Subquery(shown.values("first_choice")[:1]),
        drafted=Exists(Draft.objects.filter(task__pk=keys["task"], user__pk=user)),
    )


def _hurried(user: Slot, most: int) -> Combinable:
    """The answer of theirs that stands `most` deep in the last minute. Walking back along their answers, no more are
    looked at than may be given."""
    if not most:
        return Value(None, DateTimeField())
    given = Approval.objects.filter(reviewer__pk=user, at__gte=Clock() - WINDOW).order_by("-at")
    return Subquery(given.values("at")[most - 1 : most])
