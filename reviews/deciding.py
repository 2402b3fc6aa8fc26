"""The decision, in one transaction and in this order: lock the run; the same nonce again gets the same answer; the
person as they are now, permitted on this queue, with separation of duties as facts; the case still what was shown;
then the answer. Whatever loses a race is told what happened."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError
from django.http import Http404
from django.utils.translation import gettext

from audit.ids import uuid7
from audit.log import Actor, one_moment, person
from audit.rows import insert_rows
from orchestrator.case import Case
from orchestrator.models import Run

from . import asking, blind, policies, reasons, recommending, settling
from .acting import Signing, signing
from .claiming import held_by_other, locked, refusals_recorded
from .corrections import checked
from .errors import AlreadyDecided, Invalid, Missing, NonceTaken, OutOfTime, ReviewError, Stale, TooFast
from .models import Approval, Draft, Review
from .opening import make_stale
from .packet import Built, difference, merged_corrections, name_of, still_holds
from .permissions import sees

LONGEST = {"nonce": 80, "reason": 60, "target": 120, "comment": 4000, "digest": 64}
REQUIRED = ("digest", "nonce")
LONGEST_HAND_OVER = 24 * 30
NEEDS_TARGET = (policies.REROUTE, policies.ASK, policies.DELEGATE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person posted. `corrections` may be worked out of the packet, once it has been read."""

    verdict: str
    digest: str
    nonce: str
    reason: str = ""
    comment: str = ""
    corrections: Mapping[str, Any] | Callable[[Mapping[str, Any]], Mapping[str, Any]] = field(default_factory=dict)
    target: str = ""
    hours: int | None = None  # how long a hand-over lasts
    seconds_open: int | None = None
    opened: Sequence[str] = ()  # parts of the case that were looked into

    def objections(self) -> list[tuple[str, str]]:
        """What is wrong with it, whatever the case."""
        found = []
        if self.verdict not in policies.VERDICTS:
            found.append(
                (
                    "verdict",
                    gettext("verdict: %(value)r; expected one of %(known)s")
                    % {"value": self.verdict, "known": ", ".join(policies.VERDICTS)},
                )
            )
        for name, most in LONGEST.items():
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > most or "\0" in value:
                found.append(
                    (
                        name,
                        gettext("%(name)s: expected text of at most %(most)s characters")
                        % {"name": name, "most": most},
                    )
                )
            elif name in REQUIRED and not value:
                found.append((name, Missing(gettext("%(name)s: is missing") % {"name": name})))
        if self.verdict in policies.EXPLAINED and not self.reason:
            words = policies.unexplained(self.verdict, reason="", recommended="", routes=())
            found.append(("reason", Missing(gettext("reason: is missing; %(why)s") % {"why": gettext(words)})))
        if self.hours is not None and not 1 <= self.hours <= LONGEST_HAND_OVER:
            found.append(
                (
                    "hours",
                    gettext("hours: %(hours)s; expected 1 to %(most)s")
                    % {"hours": self.hours, "most": LONGEST_HAND_OVER},
                )
            )
        if self.verdict in NEEDS_TARGET and not self.target:
            found.append(("target", Missing(gettext("target: is missing; name where or whom it goes to"))))
        return found


@dataclass(slots=True)
class Act:
    """One answer on its way through the transaction."""

    review: Review
    who: Signing
    answer: Answer
    votes: list[Approval]
    changes: list[dict[str, Any]]  # corrections with their old values
    vote: Approval
    built: Built

    @property
    def user(self) -> Any:
        return self.who.user

    @property
    def now(self) -> datetime:
        return self.who.now

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


@dataclass(frozen=True, slots=True)
class Taken:
    """An answer that was taken: by whom, about what, and what they were told."""

    review: Review
    who: Signing
    outcome: dict[str, Any]


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
    """Records a person's answer: {"decision", "review_status", "run_status", "undo_until"}, of a control case also
    "feedback". The same nonce by the same person gets the same answer. NotAllowed, Stale, AlreadyDecided, Held,
    OutOfTime, NonceTaken, Invalid."""
    answer = Answer(verdict, digest, nonce, reason, comment, corrections or {}, target, hours, seconds_open, opened)
    return _taken(review_id, actor, answer).outcome


def decide_from_outside(*, review_id: UUID, actor: Any, answer: Answer, case: UUID | None = None) -> Taken:
    """The same for pages and the API, with what was read under the lock: at a person's pace (TooFast; whoever
    calls from inside has no hands to be quick with), and what they may not see, or is no round of `case`, does not
    exist (Http404)."""
    return _taken(review_id, actor, answer, Door(case))


@dataclass(frozen=True, slots=True)
class Door:
    """What is asked of those who come from outside."""

    case: UUID | None

    def let_in(self, review: Review, who: Signing) -> None:
        if self.case not in (None, review.task_id) or not sees(who.user, who.standing, review):
            raise Http404(f"no review {review.pk}")


def _taken(review_id: UUID, actor: Any, answer: Answer, door: Door | None = None) -> Taken:
    if objections := answer.objections():
        raise Invalid(objections)
    try:
        with refusals_recorded(review_id, actor, str(answer.verdict)):
            review, who, outcome = _decide(review_id, actor, answer, door)
    except IntegrityError:
        # A run's lock does not cover the nonces of other runs: there the constraint decides, and nothing was kept.
        if Approval.objects.filter(nonce=answer.nonce).exists():
            raise NonceTaken from None
        raise
    if isinstance(outcome, ReviewError):  # what it wrote is kept: the next round is open
        raise outcome
    return Taken(review, who, outcome)


def _decide(
    review_id: UUID, actor: Any, answer: Answer, door: Door | None
) -> tuple[Review, Signing, dict[str, Any] | ReviewError]:
    review = _locked(review_id, door)
    who = signing(actor, review, nonce=answer.nonce, most=settings.DECISIONS_PER_MINUTE if door else 0)
    if door:
        door.let_in(review, who)
    if who.earlier:
        return review, who, _repeated(who.earlier, review, actor)
    if who.hurried:
        raise TooFast(settings.DECISIONS_PER_MINUTE)
    who.permit(answer.verdict, review)
    with one_moment(who.now):
        return review, who, _answered(review, who, answer)


def _locked(review_id: UUID, door: Door | None) -> Review:
    try:
        return locked(review_id)
    except Review.DoesNotExist as error:
        if door:
            raise Http404(str(error)) from error
        raise


def _answered(review: Review, who: Signing, answer: Answer) -> dict[str, Any] | ReviewError:
    if not review.is_live:
        return _too_late(review, answer)
    held_by_other(review, who.user, who.now)
    _still_valid(review, who)
    votes = blind.votes_of(review) if who.signed else []
    built = blind.build(review, votes)
    if built.digest != review.packet_digest and not still_holds(review.packet, built.packet):
        changed = difference(review.packet, built.packet)
        return Stale(changed, str(make_stale(review, changed, now=who.now).pk))
    if answer.digest != review.packet_digest:
        return Stale(_difference_since(review, answer.digest), str(review.pk))
    act = _act(review, who, answer, votes, built)
    _explained(act)
    handle = blind.sign if blind.answered_blindly(act) else HANDLERS[answer.verdict]
    act.vote.response = handle(act)
    insert_rows([act.vote])
    if who.drafted:
        Draft.objects.filter(task=review.task_id, user=who.user).update(recorded_at=who.now)
    return act.vote.response


def _act(review: Review, who: Signing, answer: Answer, votes: list[Approval], built: Built) -> Act:
    given = answer.corrections
    corrections = dict(given(review.packet) if callable(given) else given)
    changes = checked(built.case, corrections)
    advice = recommending.recommendation_of(review)
    seen = {"seconds": answer.seconds_open, "opened": list(answer.opened)}
    vote = Approval(
        id=uuid7(),
        review=review,
        round=review.round,
        level=review.level,
        reviewer=who.user,
        verdict=answer.verdict,
        reason=answer.reason,
        comment=answer.comment,
        corrections=corrections,
        target=answer.target,
        nonce=answer.nonce,
        packet_digest=review.packet_digest,
        seen=seen | recommending.how_seen(review, who.user, answer.verdict, who.first_choice),
        # How often people agree is counted from answers that had something to decide.
        recommended=None if review.control else advice.get("verdict"),
        recommended_by=None if review.control else advice.get("step"),
        at=who.now,
    )
    return Act(review, who, answer, votes, changes, vote, built)


def _explained(act: Act) -> None:
    """An answer against the recommendation or a rule says why; some policies want it in words as well."""
    answer, review = act.answer, act.review
    advice = recommending.recommendation_of(review).get("verdict", "")
    spoken_of = recommending.mode_for(review, act.user) != recommending.Mode.NEVER
    routes = {reason["route"] for reason in review.reasons}
    words = policies.unexplained(
        answer.verdict, reason=answer.reason, recommended=advice if spoken_of else "", routes=routes
    )
    errors: list[tuple[str, str]] = []
    if words:
        errors.append(("reason", Missing(gettext("reason: is missing; %(why)s") % {"why": gettext(words)})))
    if wrong := reasons.unknown(review.queue.policy, answer.verdict, answer.reason):
        errors.append(("reason", f"reason: {wrong}"))
    if answer.reason and review.queue.policy.wants_words and not answer.comment.strip():
        wanted = gettext("comment: is missing; this queue wants the reason in words as well")
        errors.append(("comment", Missing(wanted)))
    if errors:
        raise Invalid(errors)


def _repeated(key: UUID, review: Review, actor: Any) -> dict[str, Any] | ReviewError:
    earlier = Approval.objects.select_related("review").get(pk=key)
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


def _still_valid(review: Review, who: Signing) -> None:
    """A page opened too long ago cannot decide. Who never opened one is held to when the round was opened."""
    hours = review.queue.policy.validity_hours
    if who.now - (who.seen_at or review.opened_at) > timedelta(hours=hours):
        raise OutOfTime(hours)


def _difference_since(review: Review, seen: str) -> list[dict[str, Any]]:
    """What changed since the packet with this digest, as far as it is still known."""
    before = review.task.reviews.filter(packet_digest=seen).first()
    if before is not None:
        return difference(before.packet, review.packet)
    return [{"path": "/approvals", "before": None, "after": review.packet["approvals"]}]
