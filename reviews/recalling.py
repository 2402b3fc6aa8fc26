"""Taking back what left a case open: a question, a hand-over, a step up, a time aside, or giving it to another team.
The case stands again as it did before, as long as nothing else has happened to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import ForeignKey
from django.utils.translation import gettext

from audit.log import person
from audit.models import Event

from . import blind, notices
from .errors import TooLate
from .judgements import judge_as
from .keeping import STATE
from .models import Queue, Recallable, Review, band_of
from .opening import end_round, open_again, told
from .transitions import LIVE, move_reviews

IDLE = (  # what people do with a case that leaves it as it is
    "review.opened",
    "review.viewed",
    "review.loaded_ahead",
    "review.commented",
    "review.revealed",
    "review.takeover_asked",
    "decide.refused",
)
HEARD = {"review.asked": "asked", "review.delegated": "delegated_to"}  # who was told of it


def take_back(kept: Recallable, review: Review, user: Any, now: datetime) -> tuple[datetime, Review]:
    """Under the run's lock; TooLate where it cannot be. Returns when the act was, and the round that is open now."""
    own = Event.objects.get(pk=kept.event)
    if kept.recalled_at is not None:
        raise TooLate(gettext("It was taken back already."))
    if now >= kept.until:
        raise TooLate
    untouched(review, own, user)
    heard = getattr(review, HEARD[own.kind]) if own.kind in HEARD else None
    Recallable.objects.filter(pk=kept.pk).update(recalled_at=now)
    if kept.corrected_id is None:
        standing = review
        told(review, "review.recalled", person(user), recalls=str(kept.pk))
    else:
        standing = _as_it_was(kept, review, user, now)
    _restore(standing, kept.before, now)
    if heard is not None:
        notices.take_back(heard, own, review.task, user)
    return own.at, standing


def _as_it_was(kept: Recallable, review: Review, user: Any, now: datetime) -> Review:
    """What was put right with the act no longer holds: the round about the corrected case is over, and one about the
    case before it opens. Signatures that the corrections had ended are not given again."""
    output = {"recalls": str(kept.corrected_id), "review": str(review.pk)}
    recall = judge_as(user, review, verdict="recall", output=output, at=now)
    if not move_reviews([review.pk], LIVE, Review.Status.STALE):
        raise TooLate(gettext("Somebody else was first."))
    review.status = Review.Status.STALE
    told(review, "review.recalled", person(user), recalls=str(kept.pk), decision=str(recall.pk))
    queue = Queue.objects.select_related("policy").get(pk=kept.before["queue"])
    return open_again(review, now=now, queue=queue)


def _restore(review: Review, before: Mapping[str, Any], now: datetime) -> None:
    values = {name: _read(name, before[name]) for name in STATE}
    values["band"] = band_of(values["due_at"], now)
    if not move_reviews([review.pk], LIVE, before["status"], **values):
        raise TooLate(gettext("Somebody else was first."))
    review.refresh_from_db(fields=["status", *STATE])


def _read(name: str, value: Any) -> Any:
    field: Any = Review._meta.get_field(name)
    field = field.target_field if isinstance(field, ForeignKey) else field
    return field.to_python(value)


def fetch_back(review: Review, user: Any) -> None:
    """Ends the round in which another team has a case, so that a new one opens with those who gave it away. TooLate
    once they have begun with it."""
    there = review.task.reviews.live().select_related("queue").first()
    if there is None:
        raise TooLate(gettext("The other team has answered it already."))
    there.run = review.run
    untouched(there, Event.objects.get(kind="review.opened", subject_id=str(there.pk)), user)
    end_round(there, Review.Status.STALE, "review.made_stale", actor=person(user), paths=[])


def untouched(review: Review, own: Event, user: Any) -> None:
    """TooLate, naming it, where anything has happened to the round since its event `own`, reading and talking aside."""
    if not review.is_live:
        raise TooLate(gettext("The case is %(status)s by now.") % {"status": review.get_status_display()})
    rows = Event.objects.filter(subject_id=str(review.pk), at__gte=own.at).exclude(pk=own.pk)
    event = rows.exclude(kind__in=IDLE).oldest_first().first()
    if event is None:
        return
    hidden = event.actor_id in map(str, blind.kept_from(user, review))
    words = gettext("Since then: %(what)s.") if hidden else gettext("Since then: %(what)s (%(who)s).")
    raise TooLate(words % {"what": event.title, "who": event.actor_label})
