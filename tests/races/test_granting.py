"""The point of no return against whoever wants to stop it: either nothing is sent, or it is said that it was too late
and what was sent is taken back."""

from collections import Counter

import pytest

from audit.models import Event
from orchestrator import effects, engine, services
from orchestrator.errors import Conflict
from orchestrator.models import Effect, LedgerEntry
from reviews import services as reviews
from reviews.errors import TooLate

from ..cast import WORKFLOW, answer, cast, second_admin, waiting_bill, work
from ..invariants import assert_invariants
from .meeting import LOCKED, ROUNDS, meeting_at, together

pytestmark = pytest.mark.django_db(transaction=True)
GRANTING = (effects, "_may_go_out", "after")


TAKEN_BACK = WORKFLOW.replace("needs: [approve]}", "needs: [approve], compensate: erp.reverse_payment}")


def kinds_paid(run) -> list[str]:
    rows = LedgerEntry.objects.filter(key__in=run.effects.values("key"))
    return [kind.removeprefix("erp.") for kind in rows.order_by("pk").values_list("kind", flat=True)]


def about_to_pay(review, actor):
    """The approved case's payment, in the hands of a worker that has not passed the point of no return."""
    answer(review, actor)
    engine.record([(one, engine.execute(one)) for one in engine.claim()])
    [held] = engine.claim("effects")
    return held


def carry_out(held):
    return lambda: engine.record([(held, engine.execute(held))])


def test_a_run_that_is_cancelled_while_its_payment_is_granted_is_not_paid_or_paid_back(monkeypatch):
    everybody, ways = cast(), Counter()
    services.save_workflow(source=TAKEN_BACK, actor=everybody.admin, second=second_admin())
    for number in range(ROUNDS):
        review = waiting_bill(everybody)
        held = about_to_pay(review, everybody.clerk)
        cancel = lambda run=review.run: services.cancel_run(run_id=run.pk, actor=everybody.admin, reason="no")  # noqa: E731
        acts = (cancel, carry_out(held)) if number % 2 else (carry_out(held), cancel)
        with meeting_at(monkeypatch, 2, *LOCKED, GRANTING) as meeting:
            found = together(meeting, *acts)
        work()
        review.run.refresh_from_db()
        late = any(isinstance(one, Conflict) for one in found)
        kinds = kinds_paid(review.run)
        ways[tuple(kinds)] += 1
        if late:
            assert (review.run.status, kinds) == ("succeeded", ["pay_invoice"])
        else:
            assert review.run.status == "cancelled"
            assert kinds in ([], ["pay_invoice", "reverse_payment"])
    assert sum(ways.values()) == ROUNDS
    assert_invariants()


def test_an_answer_that_is_taken_back_while_a_worker_takes_it_up_is_recalled_or_too_late(monkeypatch):
    everybody = cast(undo_seconds=600)
    for _ in range(ROUNDS):
        review = waiting_bill(everybody)
        told = answer(review, everybody.clerk)
        review.run.tasks.filter(status="ready").update(ready_at=review.opened_at)
        with meeting_at(monkeypatch, 2, *LOCKED, (engine, "claim", "before")) as meeting:
            found = together(
                meeting,
                lambda told=told: reviews.undo(decision_id=told["decision"], actor=everybody.clerk),
                lambda: engine.drain(budget=5),
            )
        work()
        too_late = isinstance(found[0], TooLate)
        assert too_late or found[0]["review_status"] == "recalled"
        assert kinds_paid(review.run) == (["pay_invoice"] if too_late else [])
    assert_invariants()


def granted_after(everybody, monkeypatch) -> bool:
    """A hold comes while a worker has seen none. Whether the payment was granted when the hold was in force."""
    review = waiting_bill(everybody)
    held = about_to_pay(review, everybody.clerk)
    pull = lambda: services.pull_hold(scope="all", value="", reason="stop", actor=everybody.admin)  # noqa: E731
    with meeting_at(monkeypatch, 2, (effects, "hold_on", "after"), (services, "pull_hold", "after")) as meeting:
        hold, _ = together(meeting, lambda: meeting.second() and pull(), carry_out(held))
    pulled = Event.objects.get(kind="hold.pulled", subject_id=str(hold.pk)).at
    sent = Event.objects.filter(kind="effect.sent", run=str(review.run.pk)).first()
    if sent is None:
        assert (review.run.effects.get().state, kinds_paid(review.run)) == (Effect.State.AUTHORISED, [])
    services.release_hold(hold_id=hold.pk, actor=everybody.cfo)
    work()
    assert kinds_paid(review.run) == ["pay_invoice"]
    return sent is not None and sent.at > pulled


def test_nothing_is_granted_once_a_hold_is_in_force(monkeypatch):
    """The hold waits for the grant, or the grant for the hold."""
    everybody = cast()
    assert not any(granted_after(everybody, monkeypatch) for _ in range(ROUNDS))
    assert_invariants()


def test_without_standing_still_for_a_hold_payments_would_be_granted_under_it(monkeypatch):
    """The mutant of this race. Times are whole milliseconds, which the two may share."""
    everybody = cast()
    monkeypatch.setattr(effects, "stand_still", lambda alone: None)
    assert any(granted_after(everybody, monkeypatch) for _ in range(ROUNDS))
