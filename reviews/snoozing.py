"""Putting a case aside until a time. It comes back by the clock alone: nobody has to wake it."""

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.formats import date_format
from django.utils.translation import gettext

from audit.log import database_now, person
from audit.models import Event

from . import policies
from .claiming import current_account, held_by_other, locked, permit, refusals_recorded, wake_up
from .errors import Conflict, Invalid, NonceTaken
from .keeping import keep, state_of
from .models import Preference, Recallable, Review, band_of
from .opening import reload, told
from .permissions import allowed
from .settling import undo_until
from .transitions import move_reviews

LONGEST = timedelta(days=90)


def snooze(*, review_id: UUID, actor: User, until: datetime, nonce: str = "") -> Review:
    """Puts a live review aside until `until`, for everybody; whoever held it gives it back. Its clock runs on, so it
    comes back at the latest when it is due; where the queue's policy stops the clock, it is due so much later. Again:
    the new time holds; with the same `nonce`, nothing happens. NotAllowed, Held, Conflict, Invalid, NonceTaken."""
    with refusals_recorded(review_id, actor, "snooze"):
        review, user, now = locked(review_id), current_account(actor), database_now()
        if kept := kept_as(nonce):
            return _repeated(kept, review, user)
        if not review.is_live:
            raise Conflict(
                gettext("This case is %(status)s; it can no longer be snoozed.")
                % {"status": review.get_status_display()}
            )
        if not allowed(user, review):
            permit(user, review, policies.APPROVE)
        held_by_other(review, user, now)
        if not now < until <= now + LONGEST:
            words = gettext("until: %(until)s; expected a time in the next %(days)s days") % {
                "until": f"{date_format(until, 'DATETIME_FORMAT')} {until:%Z}",
                "days": LONGEST.days,
            }
            raise Invalid([("until", words)])
        before = state_of(review)
        wake_up(review, now)
        event = _put_aside(review, user, until, now)
        keep(review, user, event, before, _undo_until(review, user, now), nonce=nonce or None)
        return reload(review.pk, review.run)


def kept_as(nonce: str) -> Recallable | None:
    """What is kept of the snooze of this nonce, to take it back."""
    return Recallable.objects.filter(nonce=nonce).first() if nonce else None


def _repeated(kept: Recallable, review: Review, user: User) -> Review:
    if (kept.review_id, kept.person_id) != (review.pk, user.pk):
        raise NonceTaken
    return review


def _undo_until(review: Review, user: User, now: datetime) -> datetime:
    liked = Preference.objects.filter(user=user).values_list("undo_seconds", flat=True).first()
    return undo_until(review, liked, now)


def _put_aside(review: Review, user: User, until: datetime, now: datetime) -> Event:
    due, stops = review.due_at, review.queue.policy.snooze_stops_clock and review.asked_id is None
    if stops:
        due += until - now
    elif due > now:
        until = min(until, due)
    if review.status == Review.Status.CLAIMED:
        move_reviews([review.pk], [Review.Status.CLAIMED], Review.Status.OPEN)
    Review.objects.filter(pk=review.pk).update(
        snoozed_until=until, snoozed_by=user, snooze_moved_due=stops, due_at=due, band=band_of(due, now)
    )
    return told(review, "review.snoozed", person(user), until=until)


def wake(*, review_id: UUID, actor: User) -> Review:
    """Takes a snoozed review back before its time; nothing happens to one that is not snoozed. NotAllowed, Conflict."""
    with refusals_recorded(review_id, actor, "wake"):
        review, user, now = locked(review_id), current_account(actor), database_now()
        if not review.is_live:
            raise Conflict(
                gettext("This case is %(status)s; it is not snoozed any more.")
                % {"status": review.get_status_display()}
            )
        if not allowed(user, review):
            permit(user, review, policies.APPROVE)
        if wake_up(review, now):
            told(review, "review.woken", person(user))
        return reload(review.pk, review.run)
