"""Opening rounds: the first one of a waiting task, and the one that follows when a round is over without an answer.
Callers hold the run's lock."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef, QuerySet

from audit.log import SYSTEM, Actor, record
from audit.models import Event
from orchestrator import effects, taking_back
from orchestrator.clock import Clock
from orchestrator.definitions import Step
from orchestrator.models import Run, Task
from orchestrator.pinned import definition_of
from orchestrator.policies.money import digits_of, to_minor
from orchestrator.statements import Slot, look_up

from . import control as known_answers
from . import policies
from .models import Queue, Review, ReviewLevel, ReviewPolicy, band_of
from .packet import Built, build_packet
from .querysets import had_a_part
from .remembered import Reason
from .searching import remember_words
from .transitions import LIVE, move_reviews

STRAIGHT_TO = ("pause", "escalate", "reroute")


def told(review: Review, kind: str, actor: Actor, **data: Any) -> Event:
    """The event of a review's change, in the scope of its queue."""
    run = review.run
    return record(
        kind,
        subject=("review", str(review.pk)),
        actor=actor,
        run=str(run.pk),
        workflow=definition_of(run.version_id).name,
        queue=review.queue.name,
        data={"task": str(review.task_id), "round": review.round, **data},
    )


def open_review(*, task: Task, queue: Queue, built: Built, now: datetime) -> Review:
    """Opens the next round of a task in `queue`, with the packet as it was built."""
    packet, reverses, control = built.packet, taking_back.case_reversed(task.run), task.run.control
    amount, due = packet["amount"], due_at(task.run, queue, now)
    review = Review(
        task=task,
        run=task.run,
        reverses_id=reverses,
        barred=known_answers.barred(task.run) if control else barred_from(reverses) if reverses else None,
        control=control,
        queue=queue,
        requester_id=task.run.started_by_id,
        workflow=packet["case"]["workflow"],
        round=packet["case"]["round"],
        levels=levels_of(queue.policy, built),
        title=packet["title"],
        number=packet["number"],
        vendor=packet["vendor"],
        amount_base=built.exposure,
        amount=f"{amount['amount']} {amount['currency']}"[:40] if amount else "",
        reasons=packet["reasons"],
        rules=rules_of(packet["reasons"]),
        packet=packet,
        packet_digest=built.digest,
        policy_digest=effects.policy_digest_of(task.run),
        opened_at=now,
        due_at=due,
        band=band_of(due, now),
    )
    review.save(force_insert=True)
    remember_words(task_id=task.pk, run=task.run, packet=packet)
    rules = [reason["rule"] for reason in review.reasons]
    told(review, "review.opened", SYSTEM, digest=built.digest, rules=rules, levels=[v["group"] for v in review.levels])
    return review


def barred_from(case: UUID) -> str:
    """Those who had a part in this case, as `Review.barred` has them."""
    people = get_user_model().objects.filter(had_a_part(case, OuterRef("pk"))).order_by("pk")
    return f" {' '.join(str(pk) for pk in people.values_list('pk', flat=True))} "


def rules_of(reasons: Iterable[Mapping[str, Any]]) -> str:
    """The rules that stopped a case, as one word: cases with the same are alike."""
    return " ".join(sorted({reason["rule"] for reason in reasons}))[:300]


def due_at(run: Run, queue: Queue, now: datetime) -> datetime:
    """By the queue's time, or earlier where whoever started the run wants it decided sooner."""
    by_queue = now + timedelta(minutes=queue.policy.sla_minutes)
    return min(by_queue, run.deadline) if run.deadline else by_queue


def next_round(task: Task) -> int:
    return task.reviews.count() + 1


def open_again(review: Review, *, now: datetime, queue: Queue | None = None) -> Review:
    """The round after one that ended without an answer that holds: the case as it is now, in the same queue or
    another. Nobody's signature is carried over."""
    built = build_packet(review.run, review.task, round_=next_round(review.task))
    return open_review(task=review.task, queue=queue or review.queue, built=built, now=now)


def levels_of(policy: ReviewPolicy, built: Built, *, further: bool = True) -> list[dict[str, Any]]:
    """Who must sign this case, in order. `further` False: the policy has no further groups, as was just read."""
    digits = digits_of(settings.BASE_CURRENCY)
    rows = policy.levels.select_related("group").order_by("position", "pk") if further else ()
    found = policies.levels_for(
        quorum=policy.quorum,
        ladder=[(row.group.name, to_minor(row.above, digits)) for row in rows],
        asked=[(reason.level, reason.text) for reason in built.reasons if reason.level],
        exposure=built.exposure,
        has_amount=built.packet["amount"] is not None,
    )
    return [{**level, "blind": True} for level in found] if policy.blind else found


def queue_for(step: Step, reasons: Iterable[Reason]) -> Queue | None:
    """Where the case goes: the step's queue; for rules that go straight up, the queue they name, or the one the
    step's queue escalates to. None: the step's queue does not exist."""
    queues = Queue.objects.select_related("policy", "escalates_to__policy")
    own = queues.filter(name=step.queue).first()
    straight = [reason for reason in reasons if reason.route in STRAIGHT_TO]
    for reason in straight:
        kind, _, name = reason.target.partition(":")
        if kind == "queue" and (named := queues.filter(name=name).first()):
            return named
    return own.escalates_to or own if own and straight else own


def end_round(review: Review, status: str, kind: str, *, actor: Actor, **data: Any) -> bool:
    """Ends a live round without an answer to its question. False: it had ended before."""
    if not move_reviews([review.pk], LIVE, status):
        return False
    review.status = status
    told(review, kind, actor, **data)
    return True


def make_stale(review: Review, difference: Collection[Mapping[str, Any]], *, now: datetime) -> Review:
    """The case is no longer what people were shown: the round ends, its signatures with it, and the next one opens.
    Whoever held it, holds it still."""
    held = {"claimed_by": review.claimed_by, "claimed_until": review.claimed_until}
    was_claimed = review.status == Review.Status.CLAIMED
    paths = [item["path"] for item in difference]
    end_round(review, Review.Status.STALE, "review.made_stale", actor=SYSTEM, paths=paths)
    again = open_again(review, now=now)
    if was_claimed:
        move_reviews([again.pk], [Review.Status.OPEN], Review.Status.CLAIMED, **held)
    return again


def withdraw(task_ids: Collection[UUID], now: datetime) -> None:
    """Nobody needs to look any more: the run ended, or goes another way."""
    for review in Review.objects.live().filter(task__in=task_ids).select_related("run", "queue").order_by("pk"):
        end_round(review, Review.Status.WITHDRAWN, "review.withdrawn", actor=SYSTEM)


def reload(review_id: UUID, run: Run) -> Review:
    """The review under lock, bound to the run that the caller has locked; `locked_at` is when, in whole milliseconds,
    and `has_levels` whether its policy asks for further groups."""
    [review] = look_up(_locked_review, review=review_id)
    review.run = review.task.run = run
    review.locked_at = review.locked_at.replace(microsecond=review.locked_at.microsecond // 1000 * 1000)
    return review


def _locked_review(*, review: Slot) -> QuerySet:
    rows = Review.objects.select_related("queue__policy", "queue__escalates_to__policy", "task")
    further = Exists(ReviewLevel.objects.filter(policy=OuterRef("queue__policy")))
    rows = rows.annotate(has_levels=further, locked_at=Clock())
    return rows.filter(pk=review).select_for_update(of=("self",), no_key=True)
