"""Two at once: whoever loses is told, and nothing is recorded twice. Real threads, each with its own connection."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

from orchestrator import engine
from orchestrator.models import Decision, Effect, LedgerEntry, Task
from reviews import services
from reviews.errors import Conflict, ReviewError
from reviews.models import Approval, Review

from .cast import answer, cast, waiting_bill, work
from .control import case_of, mailbox, planted

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 5


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act returned, or the ReviewError it raised. They start together."""
    found: list[Any] = [None] * len(acts)
    start = threading.Barrier(len(acts))

    def run(index: int, act: Callable[[], Any]) -> None:
        try:
            start.wait()
            found[index] = act()
        except ReviewError as error:
            found[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def decided(review, actor, verdict="approve", nonce=None):
    given = {"digest": review.packet_digest, "nonce": nonce or f"{actor}-{verdict}-{review.pk}", "reason": "other"}
    return lambda: services.decide(review_id=review.pk, actor=actor, verdict=verdict, **given)


def test_two_people_deciding_at_once_make_one_decision_and_one_conflict():
    everybody = cast()
    for _ in range(ROUNDS):
        review = waiting_bill(everybody)
        found = at_once(decided(review, everybody.clerk), decided(review, everybody.second))
        assert sorted(isinstance(one, Conflict) for one in found) == [False, True], found
        assert Approval.objects.filter(review=review).count() == 1
        assert review.run.effects.count() == 1


def test_approving_and_rejecting_at_once_never_pays_what_was_rejected():
    everybody = cast()
    for _ in range(ROUNDS):
        review = waiting_bill(everybody)
        found = at_once(decided(review, everybody.clerk), decided(review, everybody.second, "reject"))
        assert sorted(isinstance(one, Conflict) for one in found) == [False, True], found
        work()
        status = Review.objects.get(pk=review.pk).status
        paid = LedgerEntry.objects.filter(key__in=review.run.effects.values("key")).count()
        assert (status, paid) in (("approved", 1), ("rejected", 0))


def test_the_same_answer_posted_many_times_at_once_is_recorded_once():
    everybody = cast()
    review = waiting_bill(everybody)
    found = at_once(*[decided(review, everybody.clerk, nonce="once")] * 8)
    assert all(one == found[0] for one in found), found
    assert (Approval.objects.count(), Decision.objects.filter(actor_kind="person").count()) == (1, 1)


def test_two_signers_of_a_quorum_of_two_at_once_authorise_once():
    everybody = cast(quorum=2)
    for _ in range(ROUNDS):
        review = waiting_bill(everybody)
        found = at_once(decided(review, everybody.clerk), decided(review, everybody.second))
        assert not any(isinstance(one, Exception) for one in found), found
        assert sorted(one["review_status"] for one in found) == ["approved", "open"]
        assert Effect.objects.filter(run=review.run).count() == 1


def test_an_undo_and_the_worker_that_takes_the_answer_up_never_both_win():
    everybody = cast(undo_seconds=60)
    for _ in range(ROUNDS):
        review = waiting_bill(everybody)
        told = answer(review, everybody.clerk)
        Task.objects.filter(pk=review.task_id).update(ready_at=review.opened_at)
        undone, _ = at_once(
            lambda told=told: services.undo(decision_id=told["decision"], actor=everybody.clerk),
            lambda: engine.drain(budget=5),
        )
        work()
        paid = LedgerEntry.objects.filter(key__in=review.run.effects.values("key")).count()
        assert paid == (1 if isinstance(undone, Conflict) else 0)


def test_an_undo_and_a_second_undo_recall_once():
    everybody = cast(undo_seconds=60)
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk)
    undo = lambda: services.undo(decision_id=told["decision"], actor=everybody.clerk)  # noqa: E731
    found = at_once(undo, undo)
    assert sorted(isinstance(one, Conflict) for one in found) == [False, True], found
    assert review.run.reviews.count() == 2


def test_two_people_claiming_at_once_leave_one_holder():
    everybody = cast()
    for _ in range(ROUNDS):
        review = waiting_bill(everybody)
        found = at_once(
            lambda review=review: services.claim(review_id=review.pk, actor=everybody.clerk),
            lambda review=review: services.claim(review_id=review.pk, actor=everybody.second),
        )
        assert sorted(isinstance(one, Conflict) for one in found) == [False, True], found


def test_two_people_answering_a_control_case_at_once_make_one_answer():
    everybody = cast()
    box = mailbox()
    for _ in range(ROUNDS):
        review = planted(everybody, box)
        found = at_once(decided(review, everybody.clerk), decided(review, everybody.second, "reject"))
        assert sorted(isinstance(one, Conflict) for one in found) == [False, True], found
        [told] = [one for one in found if isinstance(one, dict)]
        vote = Approval.objects.get(review=review)
        assert (case_of(review).approval, case_of(review).caught) == (vote, told["feedback"]["caught"])
