"""Several cases at once: each is answered on its own, by the same service with the same checks, and has its own record.
What they share is the name of the batch, in the nonces of its answers, by which they can be taken back together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils.translation import gettext

from . import policies
from .deciding import decide
from .errors import Invalid, ReviewError
from .feedback import Feedback
from .inbox import newest_review
from .models import Approval, Recallable, Review
from .snoozing import kept_as, snooze
from .undoing import undo

MOST = 20
SNOOZE = "snooze"
ACTS = (policies.APPROVE, policies.REROUTE, policies.DELEGATE, policies.ASK, SNOOZE)


@dataclass(frozen=True, slots=True)
class Pick:
    """A case as it was selected: with the digest of what was shown."""

    task: UUID
    digest: str
    review: Review | None = None

    @property
    def name(self) -> str:
        return (
            self.review.number or self.review.title if self.review else gettext("Case %(task)s") % {"task": self.task}
        )


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be done with all of them."""

    act: str
    reason: str = ""
    comment: str = ""
    target: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case: `refused` says why nothing did; `feedback` is there where it was a control case."""

    name: str
    refused: str = ""
    undo_until: str | None = None
    feedback: Feedback | None = None


def picked(actor: Any, marks: Sequence[str]) -> list[Pick]:
    """From `task.digest`, each once. One the person may not see is there without its review. Invalid."""
    if not 1 <= len(set(marks)) <= MOST:
        raise Invalid(
            [
                (
                    "case",
                    gettext("case: %(n)s are selected; expected 1 to %(most)s") % {"n": len(set(marks)), "most": MOST},
                )
            ]
        )
    return [_pick(actor, mark) for mark in dict.fromkeys(marks)]


def _pick(actor: Any, mark: str) -> Pick:
    task, _, digest = mark.partition(".")
    try:
        key = UUID(task)
    except ValueError:
        raise Invalid(
            [("case", gettext("case: %(value)r; expected the id of a case") % {"value": mark[:40]})]
        ) from None
    try:
        return Pick(key, digest, newest_review(actor, key))
    except Http404:
        return Pick(key, digest)


def obstacles(picks: Sequence[Pick]) -> list[str]:
    """Why these cannot be approved together; empty where they can."""
    found = []
    for pick in picks:
        if pick.review and pick.review.packet["differences"]:
            found.append(gettext("%(pick_name)s has differences: look at it by itself.") % {"pick_name": pick.name})
        elif pick.review and not pick.review.queue.policy.bulk_approve:
            found.append(
                gettext("%(pick_name)s: cases of %(queue)s are approved one by one.")
                % {"pick_name": pick.name, "queue": pick.review.queue}
            )
    return found


def act_on(*, picks: Sequence[Pick], actor: Any, batch: UUID, given: Given) -> list[Outcome]:
    """Does it to each; what is refused for one is done for the others. Sending the same batch again does nothing twice.
    Invalid, before anything is done, where they cannot be approved together or nothing of the kind can be done."""
    if given.act not in ACTS:
        raise Invalid(
            [("act", gettext("act: %(act)r; expected one of %(acts)s") % {"act": given.act, "acts": ", ".join(ACTS)})]
        )
    if given.act == policies.APPROVE and (why := obstacles(picks)):
        raise Invalid([("case", words) for words in why])
    return [_outcome(pick, lambda pick=pick: _do(pick, actor, batch, given)) for pick in picks]  # type: ignore[misc]


def _outcome(pick: Pick, do: Callable[[], dict[str, Any]]) -> Outcome:
    if pick.review is None:
        return Outcome(pick.name, gettext("There is no such case, or it is not yours."))
    try:
        found = do()
        feedback = Feedback.of(found["feedback"]) if "feedback" in found else None
        return Outcome(pick.name, undo_until=found.get("undo_until"), feedback=feedback)
    except ReviewError as error:
        return Outcome(pick.name, str(error))


def _do(pick: Pick, actor: Any, batch: UUID, given: Given) -> dict[str, Any]:
    review = pick.review
    assert review is not None
    nonce = f"{prefix_of(batch)}{review.task_id.hex}"
    if given.act == SNOOZE:
        assert given.until is not None
        snooze(review_id=review.pk, actor=actor, until=given.until, nonce=nonce)
        kept = kept_as(nonce)
        return {"undo_until": kept.until.isoformat() if kept else None}
    return decide(
        review_id=review.pk,
        actor=actor,
        verdict=given.act,
        digest=pick.digest,
        nonce=nonce,
        reason=given.reason,
        comment=given.comment,
        target=given.target,
    )


def prefix_of(batch: UUID) -> str:
    """What the nonces of a batch begin with."""
    return f"bulk:{batch.hex}:"


def undo_all(*, actor: Any, batch: UUID) -> list[Outcome]:
    """Takes back what of a batch can still be taken back, each act with its own record."""
    mine = {"nonce__startswith": prefix_of(batch)}
    votes = Approval.objects.filter(reviewer=actor, **mine).select_related("review").order_by("at", "id")
    kept = Recallable.objects.filter(person=actor, **mine).select_related("review").order_by("id")
    acts = [(vote.review, vote.response["decision"]) for vote in votes if vote.response.get("undo_until")]
    acts += [(act.review, act.pk) for act in kept]
    return [
        _outcome(Pick(review.task_id, "", review), lambda key=key: undo(decision_id=key, actor=actor))  # type: ignore[misc]
        for review, key in acts
    ]
