"""Asking for a reversal of an answer that can no longer be taken back by whoever gave it."""

from typing import Any
from uuid import UUID

from django.http import Http404

from audit.ids import uuid7
from audit.log import database_now, person
from orchestrator import permissions
from orchestrator.models import Decision

from .claiming import current_account, locked, refusals_recorded
from .errors import Conflict, Invalid, NotAllowed
from .models import Comment, Review
from .notices import notify
from .opening import told
from .packet import name_of
from .undoing import SETTLED

ASKED = "Asked for a reversal"
LONGEST = 2_000
MOST = 50  # people told


def answered_by(decision_id: UUID) -> tuple[Decision, Review]:
    """A person's answer and the round it settled; Http404 where it settled none."""
    decision = Decision.objects.filter(pk=decision_id, actor_kind=Decision.ActorKind.PERSON).first()
    review = Review.objects.filter(pk=decision.output.get("review")).first() if decision else None
    if decision is None or review is None or review.answer.get("decision") != str(decision.pk):
        raise Http404(f"no answer {decision_id}")
    return decision, review


def ask_for_reversal(*, decision_id: UUID, actor: Any, why: str) -> Comment:
    """Puts the answer, and why it was wrong, before those who may decide in the queue above. What has been done outside
    is taken back by the engine alone, when the run is cancelled. NotAllowed, Conflict while it can still be undone."""
    if not why.strip() or len(why) > LONGEST:
        raise Invalid([("why", f"why: expected a reason of at most {LONGEST} characters")])
    decision, review = answered_by(decision_id)
    with refusals_recorded(review.pk, actor, "reverse"):
        review, user, now = locked(review.pk), current_account(actor), database_now()
        if permissions.is_agent(user) or not permissions.holds(user, "decide", review.queue):
            raise NotAllowed("queue", "Only those who decide cases of this queue may ask for a reversal.")
        if review.status not in SETTLED:
            raise Conflict(f"This answer does not stand any more: the case is {review.get_status_display()}.")
        if review.undo_until is not None and now < review.undo_until:
            raise Conflict("It can still be undone; whoever gave the answer takes it back.")
        if review.comments.filter(text__startswith=ASKED, author=user).exists():
            raise Conflict("You have asked for a reversal of this answer already.")
        given = f"{name_of(decision.person)}: {decision.verdict}"
        row = Comment.objects.create(
            id=uuid7(), task=review.task, review=review, author=user, text=f"{ASKED} ({given}). {why.strip()}", at=now
        )
        told(review, "review.reversal_asked", person(user), decision=str(decision.pk), why=why.strip())
        for senior in permissions.holders("decide", review.queue.escalates_to or review.queue)[:MOST]:
            notify(senior, "review.reversal_asked", review.task, user)
        return row
