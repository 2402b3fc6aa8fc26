"""The decision, in one transaction and in this order: lock the run; the same nonce again gets the same answer; the
person as they are now, permitted on this queue, with separation of duties as facts; the case still what was shown;
then the answer. Whatever loses a race is told what happened."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from audit.ids import uuid7
from audit.log import Actor, database_now, person
from audit.models import Event
from orchestrator.case import Case
from orchestrator.models import Run

from . import asking, blind, policies, recommending, settling
from .claiming import current_account, held_by_other, locked, permit, refusals_recorded
from .corrections import checked
from .errors import AlreadyDecided, Invalid, NonceTaken, OutOfTime, ReviewError, Stale
from .models import Approval, Draft, Review
from .opening import make_stale
from .packet import Built, difference, merged_corrections, name_of

LONGEST = {"nonce": 80, "reason": 60, "target": 120, "comment": 4000, "digest": 64}
REQUIRED = ("digest", "nonce")
LONGEST_HAND_OVER = 24 * 30
NEEDS_TARGET = (policies.REROUTE, policies.ASK, policies.DELEGATE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person posted."""

    verdict: str
    digest: str
    nonce: str
    reason: str = ""
    comment: str = ""
    corrections: Mapping[str, Any] = field(default_factory=dict)
    target: str = ""
    hours: int | None = None  # how long a hand-over lasts
    seconds_open: int | None = None
    opened: Sequence[str] = ()  # parts of the case that were looked into

    def objections(self) -> list[tuple[str, str]]:
        """What is wrong with it, whatever the case."""
        found = []
        if self.verdict not in policies.VERDICTS:
            found.append(("verdict", f"verdict: {self.verdict!r}; expected one of {', '.join(policies.VERDICTS)}"))
        for name, most in LONGEST.items():
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > most or "\0" in value:
                found.append((name, f"{name}: expected text of at most {most} characters"))
            elif name in REQUIRED and not value:
                found.append((name, f"{name}: is missing"))
        if self.verdict in policies.EXPLAINED and not self.reason:
            words = policies.unexplained(self.verdict, reason="", recommended="", routes=())
            found.append(("reason", f"reason: is missing; {words}"))
        if self.hours is not None and not 1 <= self.hours <= LONGEST_HAND_OVER:
            found.append(("hours", f"hours: {self.hours}; expected 1 to {LONGEST_HAND_OVER}"))
        if self.verdict in NEEDS_TARGET and not self.target:
            found.append(("target", "target: is missing; name where or whom it goes to"))
        return found


@dataclass(slots=True)
class Act:
    """One answer on its way through the transaction."""

    review: Review
    user: Any
    answer: Answer
    now: datetime
    votes: list[Approval]
    changes: list[dict[str, Any]]  # corrections with their old values
    vote: Approval
    built: Built

    @property
    def run(self) -> Run:
        return self.review.run

    @property
    def actor(self) -> Actor:
        return person(self.user)

    @property
    def corrections(self) -> dict[str, Any]:
        """Of everybody who signed this round, this answer's included."""
        return merged_corrections([*self.votes, self.vote])

    def corrected_case(self) -> Case:
        case = self.built.case.copy()
        case.correct(self.vote.corrections)
        return case

    def said(self) -> dict[str, Any]:
        """What the event of any answer tells."""
        answer = self.answer
        said = {"verdict": answer.verdict, "reason": answer.reason, "comment": answer.comment, "level": self.vote.level}
        extra = {"target": answer.target, "corrections": self.changes, "seconds_open": answer.seconds_open}
        extra |= {"opened": list(answer.opened), "recommendation": self.vote.seen.get("shown", "")}
        return (
            said
            | {name: value for name, value in extra.items() if value not in ("", [], None)}
            | {"digest": self.review.packet_digest}
        )


Handler = Callable[[Act], dict[str, Any]]
HANDLERS: dict[str, Handler] = {
    policies.APPROVE: settling.approve,
    policies.REJECT: settling.reject,
    policies.REROUTE: settling.reroute,
    policies.ASK: asking.ask,
    policies.DELEGATE: asking.delegate,
    policies.ESCALATE: asking.escalate,
}


def decide(
    *,
    review_id: UUID,
    actor: Any,
    verdict: str,
    digest: str,
    nonce: str,
    reason: str = "",
    comment: str = "",
    corrections: Mapping[str, Any] | None = None,
    target: str = "",
    hours: int | None = None,
    seconds_open: int | None = None,
    opened: Sequence[str] = (),
) -> dict[str, Any]:
    """Records a person's answer: {"decision", "review_status", "run_status", "undo_until"}. The same nonce by the same
    person gets the same answer. NotAllowed, Stale, AlreadyDecided, Held, OutOfTime, NonceTaken, Invalid."""
    answer = Answer(verdict, digest, nonce, reason, comment, corrections or {}, target, hours, seconds_open, opened)
    if objections := answer.objections():
        raise Invalid(objections)
    with refusals_recorded(review_id, actor, str(verdict)):
        outcome = _decide(review_id, actor, answer)
    if isinstance(outcome, ReviewError):  # what it wrote is kept: the next round is open
        raise outcome
    return outcome


def _decide(review_id: UUID, actor: Any, answer: Answer) -> dict[str, Any] | ReviewError:
    review = locked(review_id)
    if (earlier := Approval.objects.filter(nonce=answer.nonce).select_related("review").first()) is not None:
        return _repeated(earlier, review, actor)
    user, now = current_account(actor), database_now()
    permit(user, review, answer.verdict)
    if not review.is_live:
        return _too_late(review, answer)
    held_by_other(review, user, now)
    _still_valid(review, user, now)
    votes = blind.votes_of(review)
    built = blind.build(review, votes)
    if built.digest != review.packet_digest:
        changed = difference(review.packet, built.packet)
        return Stale(changed, str(make_stale(review, changed, now=now).pk))
    if answer.digest != review.packet_digest:
        return Stale(_difference_since(review, answer.digest), str(review.pk))
    act = _act(review, user, answer, now, votes, built)
    _explained(act)
    handle = blind.sign if blind.answered_blindly(act) else HANDLERS[answer.verdict]
    act.vote.response = handle(act)
    _insert(act.vote)
    Draft.objects.filter(task=review.task_id, user=user).update(recorded_at=now)
    return act.vote.response


def _act(review: Review, user: Any, answer: Answer, now: datetime, votes: list[Approval], built: Built) -> Act:
    changes = checked(built.case, answer.corrections)
    advice = recommending.recommendation_of(review)
    seen = {"seconds": answer.seconds_open, "opened": list(answer.opened)}
    vote = Approval(
        id=uuid7(),
        review=review,
        round=review.round,
        level=review.level,
        reviewer=user,
        verdict=answer.verdict,
        reason=answer.reason,
        comment=answer.comment,
        corrections=dict(answer.corrections),
        target=answer.target,
        nonce=answer.nonce,
        packet_digest=review.packet_digest,
        seen=seen | recommending.how_seen(review, user, answer.verdict),
        recommended=advice.get("verdict"),
        recommended_by=advice.get("step"),
        at=now,
    )
    return Act(review, user, answer, now, votes, changes, vote, built)


def _explained(act: Act) -> None:
    """An answer against the recommendation or a rule says why; some policies want it in words as well."""
    answer, review = act.answer, act.review
    advice = recommending.recommendation_of(review).get("verdict", "")
    spoken_of = recommending.mode_for(review, act.user) != recommending.Mode.NEVER
    routes = {reason["route"] for reason in review.reasons}
    words = policies.unexplained(
        answer.verdict, reason=answer.reason, recommended=advice if spoken_of else "", routes=routes
    )
    errors = [("reason", f"reason: is missing; {words}")] if words else []
    if answer.reason and review.queue.policy.wants_words and not answer.comment.strip():
        errors.append(("comment", "comment: is missing; this queue wants the reason in words as well"))
    if errors:
        raise Invalid(errors)


def _insert(vote: Approval) -> None:
    """A run's lock does not cover the nonces of other runs: there the constraint decides, and nothing of this answer
    is kept."""
    try:
        vote.save(force_insert=True)
    except IntegrityError:
        if Approval.objects.filter(nonce=vote.nonce).exists():
            raise NonceTaken from None
        raise


def _repeated(earlier: Approval, review: Review, actor: Any) -> dict[str, Any] | ReviewError:
    same = earlier.reviewer_id == actor.pk and earlier.review.task_id == review.task_id
    return earlier.response if same else NonceTaken()


def _too_late(review: Review, answer: Answer) -> ReviewError:
    """Somebody answered it; or the round ended without an answer, and the next one waits."""
    following = review.task.reviews.live().first()
    if following is not None and review.status != Review.Status.REROUTED:
        return Stale(difference(review.packet, following.packet), str(following.pk))
    return AlreadyDecided(outcome_of(review))


def outcome_of(review: Review) -> dict[str, Any]:
    """How a round ended: {"status", "verdict", "by", "at", "comment"}."""
    last = review.approvals.filter(verdict=review.answer.get("verdict", "")).select_related("reviewer").last()
    return {
        "status": review.get_status_display(),
        "verdict": review.answer.get("verdict", ""),
        "by": name_of(last.reviewer) if last else "",
        "author": last.reviewer.get_username() if last else "",
        "reason": last.reason if last else "",
        "corrections": len(last.corrections) if last else 0,
        "decision": review.answer.get("decision", ""),
        "at": review.settled_at.isoformat() if review.settled_at else None,
        "comment": last.comment if last else "",
    }


def _still_valid(review: Review, user: Any, now: datetime) -> None:
    """A page opened too long ago cannot decide. Who never opened one is held to when the round was opened."""
    hours = review.queue.policy.validity_hours
    looked = Event.objects.filter(kind="review.viewed", subject_id=str(review.pk), actor_id=str(user.pk))
    seen = looked.order_by("-at").values_list("at", flat=True).first() or review.opened_at
    if now - seen > timedelta(hours=hours):
        raise OutOfTime(hours)


def _difference_since(review: Review, seen: str) -> list[dict[str, Any]]:
    """What changed since the packet with this digest, as far as it is still known."""
    before = review.task.reviews.filter(packet_digest=seen).first()
    if before is not None:
        return difference(before.packet, review.packet)
    return [{"path": "/approvals", "before": None, "after": review.packet["approvals"]}]
