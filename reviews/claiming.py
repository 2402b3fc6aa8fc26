"""Holding a case while working on it, looking at it, keeping what was typed. A claim reserves; it permits nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from audit.log import SYSTEM, database_now, one_moment, person
from orchestrator import permissions
from orchestrator.models import Run
from orchestrator.statements import Slot, look_up

from . import policies, recommending
from .acting import acting
from .errors import Conflict, Held, Invalid, NotAllowed
from .models import BAND_LIMITS, Draft, Review, band_of
from .notices import notify
from .opening import reload, told
from .packet import name_of
from .permissions import level_of, sees, standing_of, verdicts_of
from .transitions import AWAKE, LIVE, move_reviews

CLAIM = timedelta(minutes=15)
BATCH = 100
MOST_REGROUPED = 5_000


def locked(review_id: UUID) -> Review:
    """The review with its run, both locked, in that order. Inside the caller's transaction."""
    runs = look_up(_locked_run, review=review_id)
    if not runs:
        raise Review.DoesNotExist(gettext("review %(review_id)s does not exist") % {"review_id": review_id})
    return reload(review_id, runs[0])


def _locked_run(*, review: Slot) -> QuerySet:
    runs = Run.objects.filter(reviews__pk=review).select_related("version", "policy_version__policy")
    return runs.select_for_update(of=("self",), no_key=True)


def current_account(actor: Any) -> Any:
    """The person as the database knows them now; NotAllowed for an account that is gone."""
    user = permissions.fresh(actor)
    if user is None:
        raise NotAllowed("active", gettext("This account does not exist any more."))
    return user


def permit(user: Any, review: Review, verdict: str) -> None:
    """NotAllowed, with the rule, unless this person may give this verdict on this review now."""
    if objection := policies.refusal(standing_of(user, review), verdict, level_of(review)):
        raise NotAllowed(*objection, level_of(review))


@contextmanager
def refusals_recorded(review_id: UUID, actor: Any, act: str) -> Iterator[None]:
    """A refusal is recorded in a transaction of its own: the one it happened in is rolled back."""
    try:
        with transaction.atomic():
            yield
    except NotAllowed as refused:
        with transaction.atomic():
            record_refusal(review_id, actor, act, refused.rule)
        raise


def record_refusal(review_id: UUID, actor: Any, act: str, rule: str) -> None:
    review = Review.objects.select_related("run", "queue").get(pk=review_id)
    told(review, "decide.refused", person(actor), act=act, rule=rule)


def held_by_other(review: Review, user: Any, now: datetime) -> None:
    """Held when somebody else's claim is still good."""
    other = review.claimed_by_id not in (None, user.pk)
    if review.status == Review.Status.CLAIMED and other and review.claimed_until > now:
        raise Held(name_of(review.claimed_by), review.claimed_until)


def claim(*, review_id: UUID, actor: Any) -> Review:
    """Reserves a live review for 15 minutes; again, by the same person, for 15 more. NotAllowed, Held, Conflict."""
    with refusals_recorded(review_id, actor, "claim"):
        review = locked(review_id)
        who = acting(actor, review)
        permit_any(who.standing, review)
        held_by_other(review, who.user, who.now)
        again = review.claimed_by_id == who.user.pk
        wake_up(review, who.now)
        reserved = {"claimed_by": who.user, "claimed_until": who.now + CLAIM, "wanted_by": None}
        move_reviews([review.pk], [review.status], Review.Status.CLAIMED, **reserved)
        if not again:
            with one_moment(who.now):
                told(review, "review.claimed", person(who.user))
        for name, value in {"status": Review.Status.CLAIMED, **reserved}.items():
            setattr(review, name, value)
        return review


def wake_up(review: Review, now: datetime) -> bool:
    """Ends a snooze before its time, and gives back what of it has put off the due time. False: it was awake."""
    if review.snoozed_until is None or review.snoozed_until <= now:
        return False
    if review.snooze_moved_due:
        review.due_at -= review.snoozed_until - now
    Review.objects.filter(pk=review.pk).update(**AWAKE, due_at=review.due_at, band=band_of(review.due_at, now))
    review.snoozed_until, review.band = None, band_of(review.due_at, now)
    return True


def release(*, review_id: UUID, actor: Any) -> Review:
    """Gives a claimed review back to its queue; nothing happens where the claim is not this person's."""
    with transaction.atomic():
        review = locked(review_id)
        if review.claimed_by_id == actor.pk and move_reviews([review.pk], [Review.Status.CLAIMED], Review.Status.OPEN):
            told(review, "review.released", person(actor))
        return reload(review.pk, review.run)


def ask_to_take_over(*, review_id: UUID, actor: Any) -> Review:
    """Asks whoever holds the case to hand it over; takes it where nobody does any more. NotAllowed, Conflict."""
    review = Review.objects.get(pk=review_id)
    if review.status != Review.Status.CLAIMED or review.claimed_until <= database_now():
        return claim(review_id=review_id, actor=actor)
    with refusals_recorded(review_id, actor, "claim"):
        review, user = locked(review_id), current_account(actor)
        permit_any(standing_of(user, review), review)
        if review.claimed_by_id not in (None, user.pk) and review.wanted_by_id != user.pk:
            Review.objects.filter(pk=review.pk).update(wanted_by=user)
            told(review, "review.takeover_asked", person(user), holder=str(review.claimed_by_id))
            notify(review.claimed_by, "review.takeover_asked", review.task, user)
        return reload(review.pk, review.run)


def permit_any(standing: policies.Standing, review: Review) -> None:
    """NotAllowed unless somebody of this standing may give some answer on the review; Conflict once it has ended."""
    if not review.is_live:
        raise Conflict(
            gettext("This case is %(status)s; it can no longer be claimed.") % {"status": review.get_status_display()}
        )
    if not verdicts_of(standing, review) and (why := policies.refusal(standing, policies.APPROVE, level_of(review))):
        raise NotAllowed(*why, level_of(review))


def hand_over(*, review_id: UUID, actor: Any) -> Review:
    """The holder lets whoever asked for it have the case."""
    with transaction.atomic():
        review, user, now = locked(review_id), current_account(actor), database_now()
        to = review.wanted_by
        if review.claimed_by_id != user.pk or to is None:
            raise Conflict(gettext("Nobody asks for this case any more."))
        permit_any(standing_of(to, review), review)
        values = {"claimed_by": to, "claimed_until": now + CLAIM, "wanted_by": None}
        move_reviews([review.pk], [Review.Status.CLAIMED], Review.Status.CLAIMED, **values)
        told(review, "review.released", person(user), to=str(to.pk))
        told(review, "review.claimed", person(to))
        notify(to, "review.claimed", review.task, user)
        return reload(review.pk, review.run)


def reassign(*, review_id: UUID, actor: Any, to: Any) -> Review:
    """Hands a live review to somebody who may decide it; whoever held it, holds it no longer. By those who hold
    `reroute` on the queue."""
    with refusals_recorded(review_id, actor, "reassign"):
        review, user = locked(review_id), current_account(actor)
        if not review.is_live:
            raise Conflict(
                gettext("This case is %(status)s; it can no longer be handed over.")
                % {"status": review.get_status_display()}
            )
        if not permissions.may(user, "reassign", review):
            raise NotAllowed("queue", gettext("You may not hand out cases of this queue."))
        hand_to(review, to)
        told(review, "review.delegated", person(user), to=str(to.pk))
        notify(to, "review.delegated", review.task, user)
        return reload(review.pk, review.run)


def hand_to(review: Review, to: Any, until: datetime | None = None) -> None:
    """To `to`, until then or until it is answered. Invalid unless `to` could decide this review; that somebody may know
    the answer to a control case is told to nobody else."""
    standing = replace(standing_of(to, review), knows=False)
    objection = policies.refusal(standing, policies.ASK, level_of(review))
    if objection:
        raise Invalid(
            [
                (
                    "target",
                    gettext("user:%(username)s cannot take this case: %(value)s")
                    % {"username": to.get_username(), "value": gettext(objection[1]) % level_of(review)},
                )
            ]
        )
    move_reviews([review.pk], LIVE, Review.Status.OPEN, delegated_to=to, delegated_until=until)


def view(*, review: Review, actor: Any, ahead: bool = False) -> dict[str, Any]:
    """The case packet with `digest`, `round` and the verdicts this person may give; the look is recorded. `ahead`: the
    page only loads it, to be shown later. `review` as just read: who may see it and what they may do is asked of the
    database here."""
    standing = standing_of(actor, review)
    if not sees(actor, standing, review):
        raise NotAllowed("queue", gettext("You may not see cases of this queue."))
    with transaction.atomic():
        kind = "review.loaded_ahead" if ahead else "review.viewed"
        told(review, kind, person(actor), digest=review.packet_digest)
    shown = recommending.is_shown(review, actor)
    return {
        "id": str(review.pk),
        "status": review.status,
        "queue": review.queue.name,
        "digest": review.packet_digest,
        "round": review.round,
        "level": review.level,
        "levels": review.levels,
        "allowed": verdicts_of(standing, review),
        "due_at": review.due_at,
        "claimed_by": name_of(review.claimed_by) if review.claimed_by else None,
        "claimed_until": review.claimed_until,
        "undo_until": review.undo_until,
        "packet": review.packet if shown else recommending.without(review.packet),
    }


def save_draft(*, task_id: UUID, actor: Any, data: Mapping[str, Any]) -> Draft:
    """Keeps what a person has typed on a case. It is theirs: nobody else's act clears it."""
    kept = {"data": dict(data), "saved_at": database_now(), "recorded_at": None}
    return Draft.objects.update_or_create(task_id=task_id, user=actor, defaults=kept)[0]


def sweep_overdue(*, now: datetime) -> int:
    """Reviews past their time go up to the queue theirs escalates to, or are noted as overdue where there is none;
    claims and hand-overs that ran out are given back. The clock stands still while a question is open. Returns how
    many changed."""
    late = Review.objects.listed().filter(due_at__lte=now, overdue_at=None, asked=None).values_list("pk", flat=True)
    lapsed = Review.objects.filter(status=Review.Status.CLAIMED, claimed_until__lt=now).values_list("pk", flat=True)
    ended = Review.objects.live().filter(delegated_until__lte=now).values_list("pk", flat=True)
    found = [(pk, _lapse) for pk in lapsed[:BATCH]] + [(pk, _overdue) for pk in late[:BATCH]]
    found += [(pk, _hand_over_ended) for pk in ended[:BATCH]]
    return sum(_in_its_own_transaction(pk, change, now) for pk, change in found)


def regroup(*, now: datetime) -> int:
    """Reviews that have come nearer to their time move to their due band. Rows somebody works on wait for the next
    pass; the farthest first, since a review may have passed several."""
    return sum(_regrouped(band, now) for band in reversed(range(len(BAND_LIMITS))))


@transaction.atomic
def _regrouped(band: int, now: datetime) -> int:
    nearer = Review.objects.filter(band=band + 1, due_at__lte=now + BAND_LIMITS[band]).order_by("due_at")
    found = nearer.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)
    return Review.objects.filter(pk__in=list(found[:MOST_REGROUPED]), band=band + 1).update(band=band)


@transaction.atomic
def _in_its_own_transaction(review_id: UUID, change: Any, now: datetime) -> int:
    return int(change(locked(review_id), now))


def _lapse(review: Review, now: datetime) -> bool:
    if review.status != Review.Status.CLAIMED or review.claimed_until >= now:
        return False
    move_reviews([review.pk], [Review.Status.CLAIMED], Review.Status.OPEN)
    told(review, "review.released", SYSTEM, why="the claim ran out")
    return True


def _hand_over_ended(review: Review, now: datetime) -> bool:
    """What was handed over for a time goes back to the team."""
    if not review.is_live or review.delegated_until is None or review.delegated_until > now:
        return False
    notify(review.delegated_to, "review.released", review.task)
    Review.objects.filter(pk=review.pk).update(delegated_to=None, delegated_until=None)
    told(review, "review.released", SYSTEM, why="the hand-over ran out")
    return True


def _overdue(review: Review, now: datetime) -> bool:
    if not review.is_live or review.overdue_at or review.asked_id or review.due_at > now:
        return False
    Review.objects.filter(pk=review.pk).update(overdue_at=now)
    told(review, "review.overdue", SYSTEM, due=review.due_at)
    if review.queue.escalates_to:
        move_up(review, now)
        told(review, "review.escalated", SYSTEM, why="overdue")
    return True


def move_up(review: Review, now: datetime) -> None:
    """The same round goes on in the queue above; signatures stay. It is due by that queue's time, and no later than it
    was: going up, or having been put aside, puts nothing off."""
    wake_up(review, now)
    above = review.queue.escalates_to
    due = now + timedelta(minutes=above.policy.sla_minutes)
    due = min(due, review.due_at) if review.due_at > now else due
    nobody: dict[str, Any] = {"delegated_to": None, "delegated_until": None}
    values = {"queue": above, "due_at": due, "band": band_of(due, now), **nobody}
    move_reviews([review.pk], LIVE, Review.Status.ESCALATED, **values)
    review.status, review.queue, review.due_at = Review.Status.ESCALATED, above, due
