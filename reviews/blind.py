"""Answers given without sight of each other, where the review policy asks for it.

Whoever signs after the first is shown the case as it was: no answer, name, reason, note, correction or time of those
before, and no recommendation. The same answer is final; where two differ, a third person sees both and settles it.
"""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext

from . import policies, settling
from .errors import Conflict
from .models import Approval, Review
from .opening import told
from .packet import Built, answers_of, approvals_of, build_packet
from .policies import Vote
from .transitions import move_reviews

if TYPE_CHECKING:
    from .deciding import Act


def is_blind(review: Review) -> bool:
    return any(level.get("blind") for level in review.levels)


def is_settling(review: Review) -> bool:
    """Two have answered differently; the third sees both."""
    return bool(review.levels and review.levels[review.level].get("settles"))


def hides_answers(review: Review) -> bool:
    """Whether answers given in this round are still to be kept from those who have not answered."""
    return review.is_live and is_blind(review) and not is_settling(review)


def votes_of(review: Review) -> list[Approval]:
    """What was signed in this round so far, as it counts for the next answer."""
    return answers_of(review.pk) if is_blind(review) else approvals_of(review.pk)


def shown_votes(review: Review, votes: Sequence[Approval]) -> list[Approval]:
    """Those whose corrections are part of the case that is put before the next person."""
    return [] if is_blind(review) else list(votes)


def build(review: Review, votes: Sequence[Approval]) -> Built:
    """The packet as it is put before whoever answers next."""
    answers = votes if is_settling(review) else ()
    shown = shown_votes(review, votes)
    return build_packet(review.run, review.task, round_=review.round, level=review.level, votes=shown, answers=answers)


def answered_blindly(act: "Act") -> bool:
    """Sending a case elsewhere moves nothing for good: the first person may; the second thereby answers differently."""
    verdict = act.answer.verdict
    if act.review.control:
        return False  # it ends with the first answer
    return is_blind(act.review) and (verdict in policies.VOTES or (verdict == policies.REROUTE and bool(act.votes)))


def sign(act: "Act") -> dict[str, Any]:
    """One answer among several that are compared."""
    before, act.votes = act.votes, []  # from here on only this answer's own corrections count
    if act.answer.verdict == policies.APPROVE:
        settling.approvable(act)
    if is_settling(act.review):
        return final(act)
    if before and not same(before[-1], act.vote):
        return differ(act, before)
    review, votes = act.review, [*before, act.vote]
    review.levels = policies.extended(review.levels, settling.levels_after(act))
    level = policies.open_level(review.levels, [Vote(vote.reviewer_id, vote.level) for vote in votes])
    return final(act) if level is None else settling.go_on_signing(act, level, shown=())


def same(one: Approval, other: Approval) -> bool:
    return (one.verdict, one.corrections, one.target) == (other.verdict, other.corrections, other.target)


def final(act: "Act") -> dict[str, Any]:
    if act.answer.verdict == policies.APPROVE:
        return settling.settle_approved(act, act.corrected_case(), settling.approvable(act))
    return settling.reject(act) if act.answer.verdict == policies.REJECT else settling.reroute(act)


def differ(act: "Act", before: Sequence[Approval]) -> dict[str, Any]:
    """Neither answer holds. Whoever settles it belongs to the highest group that was to sign."""
    review = act.review
    review.levels = [*review.levels, policies.differing(review.levels[-1]["group"])]
    review.level = len(review.levels) - 1
    built = build(review, [*before, act.vote])
    values = {"level": review.level, "levels": review.levels, "packet": built.packet, "packet_digest": built.digest}
    values |= {"signed_at": act.now, "delegated_to": None}
    status = settling.back_to(review)
    if not move_reviews([review.pk], [review.status], status, **values):
        raise Conflict(gettext("Somebody else answered first; nothing was recorded."))
    told(review, "review.signed", act.actor, **act.said())
    review.status, review.packet_digest = status, built.digest
    told(review, "review.differed", act.actor, level=review.level, digest=built.digest)
    return settling.signed(act)


def signers(review: Review) -> set[int]:
    return set(
        Approval.objects.filter(review=review, verdict__in=policies.SIGNED).values_list("reviewer_id", flat=True)
    )


def kept_from(user: Any, review: Review) -> Collection[int]:
    """Whose presence and words this person is not to see yet."""
    if not hides_answers(review):
        return set()
    found = signers(review)
    return set() if user.pk in found else found


def hidden_rounds(user: Any) -> set[str]:
    """Rounds in which others have answered and this person has not: no part of the trail for them until they end."""
    signed = Approval.objects.filter(verdict__in=policies.SIGNED)
    rows = Review.objects.listed().filter(levels__0__blind=True, signed_at__isnull=False)
    rows = rows.exclude(pk__in=signed.filter(reviewer=user).values("review")).only("levels", "level", "status")
    return {str(review.pk) for review in rows if hides_answers(review)}
