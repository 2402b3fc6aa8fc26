"""Who has a case open, and what they should hear of while they read: that it changed, that their time runs out, that
somebody asks for it. The page asks every half minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from audit.log import database_now, person
from orchestrator.words import later as _

from . import blind
from .claiming import CLAIM
from .models import Presence, Review
from .notices import mark_read
from .opening import told
from .packet import difference, name_of

GONE = timedelta(seconds=75)  # two beats and a half
ACTIVE = 60  # seconds without key, pointer or scroll after which nobody is working on a case
WARNED = timedelta(minutes=2)  # before a claim runs out


@dataclass(frozen=True, slots=True)
class Beat:
    """What a page says of itself: the case it shows, whether it thought it held it, how long nobody has moved."""

    digest: str = ""
    idle: int = 0
    held: bool = False
    ahead: bool = False  # it was loaded before it was wanted, and is shown now

    @classmethod
    def of(cls, post: Mapping[str, str]) -> "Beat":
        idle = post.get("idle", "")
        seconds = int(idle) if idle.isdecimal() and len(idle) < 7 else 0
        return cls(post.get("digest", "")[:64], seconds, post.get("held") == "1", post.get("ahead") == "1")


@dataclass(frozen=True, slots=True)
class Heard:
    """What the reader is told."""

    others: list[str]
    changed: list[str]
    lapses_at: datetime | None = None
    lapsed: bool = False
    held_by: str = ""
    wanted_by: str = ""
    ended: str = ""


def beat(*, review: Review, actor: Any, said: Beat) -> Heard:
    """Notes that the person is there; whoever works on a case they hold, holds it for longer. `review`: the newest
    round, which the caller has found they may see."""
    now = database_now()
    Presence.objects.update_or_create(task_id=review.task_id, user=actor, defaults={"at": now})
    mark_read(actor=actor, task=review.task_id)
    if said.ahead:
        with transaction.atomic():
            told(review, "review.viewed", person(actor), digest=review.packet_digest)
    mine = review.status == Review.Status.CLAIMED and review.claimed_by_id == actor.pk and review.claimed_until > now
    if mine and said.idle < ACTIVE:
        held = Review.objects.filter(pk=review.pk, status=Review.Status.CLAIMED, claimed_by=actor)
        held.update(claimed_until=now + CLAIM)
        review.claimed_until = now + CLAIM
    warned = mine and review.claimed_until - now <= WARNED
    other = review.claimed_by if review.claimed_by_id not in (None, actor.pk) and review.claimed_until > now else None
    return Heard(
        others=others_at(review, actor, now),
        changed=changes(review, said.digest),
        lapses_at=review.claimed_until if warned else None,
        lapsed=said.held and not mine and review.is_live,
        held_by=name_of(other) if other else "",
        wanted_by=name_of(review.wanted_by) if mine and review.wanted_by else "",
        ended="" if review.is_live else ending_of(review),
    )


def others_at(review: Review, actor: Any, now: datetime) -> list[str]:
    """Who else reads it now; nobody whom this person is not to know of."""
    rows = Presence.objects.filter(task_id=review.task_id, at__gt=now - GONE).exclude(user=actor)
    rows = rows.exclude(user__in=blind.kept_from(actor, review)).select_related("user").order_by("pk")
    return [name_of(row.user) for row in rows[:5]]


def changes(review: Review, digest: str) -> list[str]:
    """What is new since the page was made, in words; empty where it shows the case as it is."""
    if not review.is_live or not digest or digest == review.packet_digest:
        return []
    before = review.task.reviews.filter(packet_digest=digest).first()
    if before is None:
        return [gettext("An answer was added.")]
    return in_words(before.packet, review.packet)


def in_words(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """New documents by name, and the parts of the case that are not as they were."""
    known = {item["id"] for item in before["documents"]}
    found = [
        gettext("%(name)s was added.") % {"name": item["name"]}
        for item in after["documents"]
        if item["id"] not in known
    ]
    parts = dict.fromkeys(item["path"].split("/")[1] for item in difference(before, after))
    named = [PARTS[part] for part in parts if part in PARTS]
    return [
        *found,
        *([gettext("%(parts)s changed.") % {"parts": ", ".join(named).capitalize()}] if named else []),
    ] or [gettext("The case was looked at anew.")]


PARTS = {
    "differences": "differences",
    "values": "values",
    "lines": "lines",
    "reasons": _("why it stopped"),
    "effects": _("what would follow"),
    "amount": _("the amount"),
    "approvals": _("the answers so far"),
}


def ending_of(review: Review) -> str:
    """Why nothing can be recorded on a round any more."""
    if review.status == Review.Status.WITHDRAWN:
        why = f": {review.run.outcome}" if review.run.outcome and review.run.outcome != "done" else ""
        return gettext("This case was withdrawn%(why)s.") % {"why": why}
    return gettext("This case is %(status)s by now.") % {"status": review.get_status_display()}
