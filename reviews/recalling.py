"""Taking back what left a case open: a question, a hand-over, a step up, a time aside, or giving it to another team.
The case stands again as it did before, as long as nothing else has happened to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import ForeignKey
from django.utils.translation import gettext

from audit.log import person
from audit.models import Event

from . import blind, notices
from .errors import TooLate
from .models import Recallable, Review, band_of
from .opening import end_round, told
from .transitions import LIVE, move_reviews

# What such an act may change; its status besides.
STATE = (
    "queue",
    "asked",
    "delegated_to",
    "delegated_until",
    "due_at",
    "snoozed_until",
    "snoozed_by",
    "snooze_moved_due",
)
IDLE = (  # what people do with a case that leaves it as it is
    "review.viewed",
    "review.loaded_ahead",
    "review.commented",
    "review.revealed",
    "review.takeover_asked",
    "decide.refused",
)
HEARD = {"review.asked": "asked", "review.delegated": "delegated_to"}  # who was told of it


def state_of(review: Review) -> dict[str, Any]:
    """How the case stands, for JSON. A claim ends with the act and is not given back: whoever goes on claims anew."""
    kept = str(review.status) if review.status == Review.Status.ESCALATED else str(Review.Status.OPEN)
    return {"status": kept, **{name: _plain(review, name) for name in STATE}}


def _plain(review: Review, name: str) -> Any:
    value = getattr(review, Review._meta.get_field(name).attname)  # type: ignore[union-attr]
    value = value.isoformat() if isinstance(value, datetime) else value
    return str(value) if isinstance(value, UUID) else value


def keep(
    review: Review, user: Any, told_of: Event, before: Mapping[str, Any], until: datetime, **named: Any
) -> datetime | None:
    """What is needed to take the act back; until when it can be, None where it never can. `named`: `pk`, of an answer,
    or `nonce`."""
    if until <= told_of.at:
        return None
    Recallable.objects.create(review=review, person=user, event=told_of.pk, before=before, until=until, **named)
    return until


def take_back(kept: Recallable, review: Review, user: Any, now: datetime) -> datetime:
    """Under the run's lock; TooLate where it cannot be. Returns when the act was."""
    own = Event.objects.get(pk=kept.event)
    if kept.recalled_at is not None:
        raise TooLate(gettext("It was taken back already."))
    if now >= kept.until:
        raise TooLate
    untouched(review, own, user)
    heard = getattr(review, HEARD[own.kind]) if own.kind in HEARD else None
    _restore(review, kept.before, now)
    Recallable.objects.filter(pk=kept.pk).update(recalled_at=now)
    told(review, "review.recalled", person(user), recalls=str(kept.pk))
    if heard is not None:
        notices.take_back(heard, own, review.task, user)
    return own.at


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
