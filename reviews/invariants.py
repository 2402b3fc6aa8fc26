"""What must be true of reviews at any moment (settings.INVARIANTS); the form is orchestrator/invariants.py's."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q

from audit.models import Event
from orchestrator.invariants import Found, invariant
from orchestrator.lateness import is_attended
from orchestrator.models import Decision, Effect, Run, Task
from orchestrator.pinned import definition_of

from . import reversing
from .entitlement import History
from .models import Approval, ControlCase, Queue, Review
from .permissions import had_a_part
from .policies import APPROVE, REJECT, VERDICTS, VOTES

ANSWERED = "answer"  # a question put to somebody
ANSWERS = (
    "decision.recorded",
    "review.approved",
    "review.rejected",
    "review.rerouted",
    "review.signed",
    "review.recalled",
)
TELLING = (*ANSWERS, "effect.confirmed")  # the last where a person declared it


@invariant("I04", "what a rejected round would have set free is void and was never tried")
def rejected_is_void(now: datetime) -> Found:
    rejected = Review.objects.filter(status=Review.Status.REJECTED)
    for effect in Effect.objects.exclude(state=Effect.State.VOID, attempts=0):
        if rejected.filter(run=effect.run_id, packet_digest=effect.packet_digest).exists():
            yield f"effect {effect.pk}", f"is {effect.state}, and the case it belongs to was rejected"


@invariant("I05", "no effect without the signatures its case needs, or without a policy that asked for none")
def effects_are_signed(now: datetime) -> Found:
    for effect in Effect.objects.exclude(state=Effect.State.VOID).select_related("run").iterator():
        if definition_of(effect.run.version_id).step(effect.step).undoes:
            continue  # taking back is asked of nobody: whoever stopped the run did
        rounds = Review.objects.filter(run=effect.run_id, packet_digest=effect.packet_digest)
        signed = rounds.filter(status=Review.Status.APPROVED).first()
        missing = missing_signatures(signed, effect) if signed else unasked_people(effect)
        if missing:
            yield f"effect {effect.pk}", missing


def missing_signatures(review: Review, effect: Effect) -> str:
    """Which level lacks whose signature at the time the effect was authorised; empty where none does."""
    votes = review.approvals.filter(verdict=APPROVE, round=review.round, at__lte=effect.authorised_at)
    people = Counter(level for level, _ in set(votes.values_list("level", "reviewer")))
    for index, level in enumerate(review.levels):
        if people[index] < level["quorum"]:
            return f"level {index} ({level['group'] or 'queue'}): {people[index]} of {level['quorum']} signatures"
    if not votes.filter(packet_digest=effect.packet_digest).exists():
        return "nobody signed the case it was authorised for"
    return ""


def unasked_people(effect: Effect) -> str:
    """Where nobody approved, every review step before it must have been skipped by the policies."""
    before = definition_of(effect.run.version_id).ancestors(effect.step)
    asked = Task.objects.filter(run=effect.run_id, kind="review", step__in=before)
    waiting = asked.exclude(status=Task.Status.SKIPPED).first()
    return f"nobody approved it, and the review step {waiting.step} was not skipped" if waiting else ""


@invariant("I06", "neither who asked for it nor an agent decides")
def deciders_are_others(now: datetime) -> Found:
    own = Q(reviewer=F("review__run__started_by")) | Q(reviewer__agent_account__isnull=False)
    for vote in Approval.objects.filter(own, verdict__in=VOTES):
        yield f"approval {vote.pk}", f"{vote.verdict} by the requester or an agent"
    for vote in Approval.objects.filter(review__workflow=reversing.WORKFLOW, verdict__in=VOTES):
        if had_a_part(vote.reviewer, vote.review):
            yield f"approval {vote.pk}", f"{vote.verdict} by one who had a part in what it reverses"
    mine = Q(person=F("run__started_by")) | Q(person__agent_account__isnull=False)
    for decision in Decision.objects.filter(mine, actor_kind=Decision.ActorKind.PERSON, verdict__in=VOTES):
        yield f"decision {decision.pk}", f"{decision.verdict} by the requester or an agent"


@invariant("I07", "a review step that is done was done by a person")
def people_decided(now: datetime) -> Found:
    people = Decision.objects.filter(actor_kind=Decision.ActorKind.PERSON).exclude(person=None).values("task")
    done = Task.objects.filter(kind="review", status__in=(Task.Status.SUCCEEDED, Task.Status.REJECTED))
    for task in done.exclude(pk__in=people):
        yield f"task {task.pk}", f"is {task.status}, and no person's decision stands for it"


@invariant("I08", "one vote for each person and round, one record for each nonce")
def votes_count_once(now: datetime) -> Found:
    votes = Approval.objects.filter(verdict__in=VOTES).order_by().values("review", "reviewer")
    for found in votes.annotate(count=Count("pk")).filter(count__gt=1):
        yield f"review {found['review']}", f"{found['count']} votes of account {found['reviewer']}"
    for found in Approval.objects.order_by().values("nonce").annotate(count=Count("pk")).filter(count__gt=1):
        yield f"nonce {found['nonce']}", f"{found['count']} answers"


@invariant("I09", "an answer is about the round and the packet that were shown")
def answers_fit_what_was_shown(now: datetime) -> Found:
    for vote in Approval.objects.exclude(round=F("review__round")):
        yield f"approval {vote.pk}", "was given in another round than its review's"
    settled = Review.objects.filter(status__in=(Review.Status.APPROVED, Review.Status.REJECTED))
    shown = Q(approvals__packet_digest=F("packet_digest"), approvals__verdict__in=VOTES)
    for review in settled.exclude(pk__in=Review.objects.filter(shown).values("pk")):
        yield f"review {review.pk}", f"is {review.status}, and nobody's vote is about the packet it holds"


@invariant("I10", "whoever voted held the permission to decide in that queue at that moment, by the history of grants")
def voters_were_allowed(now: datetime) -> Found:
    history = History()
    votes = Approval.objects.filter(verdict__in=VOTES).select_related("review")
    for vote in votes.order_by("pk").iterator():
        if not any(history.held("decide", queue, vote.reviewer_id, vote.at) for queue in queues_of(vote)):
            yield f"approval {vote.pk}", f"account {vote.reviewer_id} was not allowed to {vote.verdict} at {vote.at}"


def queues_of(vote: Approval) -> list[Any]:
    """The review's queue; for a vote cast before the review went up, those below it as well."""
    rows = Event.objects.filter(kind="review.escalated", subject_id=str(vote.review_id), at__gte=vote.at)
    below = Queue.objects.filter(escalates_to=vote.review.queue_id).values_list("pk", flat=True)
    return [vote.review.queue_id, *(below if rows.exists() else ())]


@invariant("I12", "an answer says what it means, and a refusal why")
def answers_have_a_meaning(now: datetime) -> Found:
    """That who answered had signed in is kept by the pages and tokens; there is no second sign-in for an answer."""
    for answer in Approval.objects.exclude(verdict__in=(*VERDICTS, ANSWERED)):
        yield f"approval {answer.pk}", f"means {answer.verdict!r}, which is no verdict"
    for answer in Approval.objects.filter(verdict=REJECT, reason=""):
        yield f"approval {answer.pk}", "rejects and does not say why"


@invariant("I17", "a step that waits for people has a live review, and a live review such a step")
def waiting_has_a_review(now: datetime) -> Found:
    live = Review.objects.live()
    for task in Task.objects.filter(kind="review", status=Task.Status.WAITING).exclude(pk__in=live.values("task")):
        yield f"task {task.pk}", "waits for a person, and no review is open"
    for review in live.exclude(task__status=Task.Status.WAITING):
        yield f"review {review.pk}", f"is {review.status}, and its step does not wait for it"


@invariant("I18", "a run that has ended asks nobody")
def ended_runs_ask_nobody(now: datetime) -> Found:
    for review in Review.objects.live().filter(run__status__in=Run.ENDED):
        yield f"review {review.pk}", f"is {review.status}, and its run has ended"


LATE = timedelta(minutes=15)


@invariant("I19", "a review past its time goes up, or is told to be late, within fifteen minutes")
def lateness_is_told(now: datetime) -> Found:
    if is_attended(now):
        for review in Review.objects.live().filter(due_at__lt=now - LATE, overdue_at=None, asked=None):
            yield f"review {review.pk}", f"was due at {review.due_at}, and nobody was told"


@invariant("I22", "every decision of a person has exactly one event")
def answers_are_told_once(now: datetime) -> Found:
    events = Event.objects.filter(kind__in=TELLING).only("body").order_by()
    told = Counter(event.data.get("decision") for event in events.iterator())
    rows = Decision.objects.filter(actor_kind=Decision.ActorKind.PERSON).order_by("pk").values_list("pk", flat=True)
    for pk in rows.iterator():
        if told[str(pk)] != 1:
            yield f"decision {pk}", f"{told[str(pk)]} events tell of it"


@invariant("I26", "a control case is one in each of its rounds, and is over with its answer")
def control_cases_end(now: datetime) -> Found:
    for review in Review.objects.filter(Q(control=None) ^ Q(run__control=None)):
        yield f"review {review.pk}", "is of a control case and does not say so, or the other way round"
    answered = ControlCase.objects.filter(answered_at__isnull=False)
    for case in answered.filter(review__run__ended_at=None):
        yield f"control case {case.pk}", f"was answered at {case.answered_at}, and its run goes on"


INVARIANTS = (
    rejected_is_void,
    effects_are_signed,
    deciders_are_others,
    people_decided,
    votes_count_once,
    answers_fit_what_was_shown,
    voters_were_allowed,
    answers_have_a_meaning,
    waiting_has_a_review,
    ended_runs_ask_nobody,
    lateness_is_told,
    answers_are_told_once,
    control_cases_end,
)
