"""Undo, sending back, changed cases, early reviews, questions and hand-overs: how one round follows another."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from audit.log import database_now
from audit.models import Event
from orchestrator.agents import registry
from orchestrator.models import Decision, Effect, LedgerEntry, Task
from reviews import services
from reviews.errors import Invalid, NotAllowed, Stale, TooLate
from reviews.models import Preference, Review

from .cast import (
    GivenInput,
    answer,
    bill,
    cast,
    inbox_of,
    kinds_since,
    mark,
    open_review_of,
    read,
    second_admin,
    waiting_bill,
    work,
)

pytestmark = pytest.mark.django_db


def end_the_undo_window():
    Task.objects.filter(status="ready").update(ready_at=Now())
    work()


def test_within_the_undo_window_nothing_moves_and_the_answer_can_be_taken_back():
    everybody = cast(undo_seconds=10)
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk)
    work()
    assert (LedgerEntry.objects.count(), Effect.objects.get().state) == (0, "authorised")
    before = mark()
    undone = services.undo(decision_id=told["decision"], actor=everybody.clerk)
    assert kinds_since(before) == ["effect.voided", "review.recalled", "review.opened"]
    assert (undone["review_status"], Effect.objects.get().state) == ("recalled", "void")
    again = open_review_of(review.run)
    assert (again.round, str(again.pk), again.approvals.count()) == (2, undone["review"], 0)
    assert again.packet_digest != review.packet_digest
    answer(again, everybody.clerk, "reject")
    end_the_undo_window()
    review.run.refresh_from_db()
    assert (review.run.status, LedgerEntry.objects.count()) == ("rejected", 0)


def test_a_rejection_can_be_taken_back_and_the_bill_then_paid_once():
    everybody = cast(undo_seconds=10)
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk, "reject")
    services.undo(decision_id=told["decision"], actor=everybody.clerk)
    answer(open_review_of(review.run), everybody.clerk)
    end_the_undo_window()
    assert (LedgerEntry.objects.count(), Effect.objects.get().state) == (1, "confirmed")


def test_after_the_window_it_is_too_late_and_nothing_changes():
    everybody = cast(undo_seconds=0)
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk)
    before = mark()
    with pytest.raises(TooLate) as refused:
        services.undo(decision_id=told["decision"], actor=everybody.clerk)
    assert (refused.value.status, mark()) == (409, before)


def test_undoing_twice_takes_back_once():
    everybody = cast(undo_seconds=10)
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk)
    services.undo(decision_id=told["decision"], actor=everybody.clerk)
    with pytest.raises(TooLate):
        services.undo(decision_id=told["decision"], actor=everybody.clerk)
    assert review.run.reviews.count() == 2


def test_only_those_who_signed_may_take_it_back():
    everybody = cast(undo_seconds=10)
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk)
    before = mark()
    for actor in (everybody.second, everybody.requester, everybody.admin):
        with pytest.raises(NotAllowed):
            services.undo(decision_id=told["decision"], actor=actor)
    assert kinds_since(before) == ["decide.refused"] * 3
    assert Review.objects.get(pk=review.pk).status == "approved"


def test_the_longer_of_the_policys_and_the_persons_window_counts():
    everybody = cast(undo_seconds=10)
    Preference.objects.create(user=everybody.clerk, undo_seconds=60)
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    review.refresh_from_db()
    assert review.undo_until - review.settled_at == timedelta(seconds=60)


def test_sent_back_to_a_step_it_runs_again_with_the_corrections():
    everybody = cast()
    review, before = waiting_bill(everybody), mark()
    corrections = {"/read/invoice/payable": "900.00"}
    answer(review, everybody.clerk, "reroute", target="step:vendor", corrections=corrections)
    assert kinds_since(before) == ["review.rerouted"]
    work()
    again = open_review_of(review.run)
    assert (again.round, again.packet["effects"][0]["payload"]["amount"]) == (2, "900.00")
    assert Decision.objects.filter(run=review.run, step="vendor", actor_kind="agent").count() == 2
    assert Decision.objects.filter(run=review.run, step="read", actor_kind="agent").count() == 1
    answer(again, everybody.clerk)
    work()
    assert LedgerEntry.objects.get().payload["amount"] == "900.00"


def test_a_case_is_sent_elsewhere_only_as_often_as_the_policy_says():
    everybody = cast()
    type(everybody.policy).objects.update(max_rounds=2)
    review = waiting_bill(everybody)
    for _ in range(2):
        answer(review, everybody.clerk, "reroute", target="step:read")
        work()
        review = open_review_of(review.run)
    with pytest.raises(Invalid, match="as often as it may be"):
        answer(review, everybody.clerk, "reroute", target="step:read")


def test_another_team_gets_the_case_as_a_new_round_at_once():
    everybody = cast(undo_seconds=10)
    review, before = waiting_bill(everybody), mark()
    told = answer(review, everybody.clerk, "reroute", target="queue:seniors")
    assert told["review_status"] == "rerouted"
    assert kinds_since(before) == ["review.rerouted", "review.opened"]
    again = open_review_of(review.run)
    assert (again.queue.name, again.round) == ("seniors", 2)
    with pytest.raises(NotAllowed):
        answer(again, everybody.clerk)
    answer(again, everybody.manager)
    end_the_undo_window()
    assert LedgerEntry.objects.count() == 1


def test_another_workflow_takes_over_and_this_run_ends():
    from orchestrator.models import Run
    from orchestrator.services import save_workflow

    from .cast import WORKFLOW

    everybody = cast()
    save_workflow(source=WORKFLOW.replace("pay-bills", "other-bills"), actor=everybody.admin, second=second_admin())
    review = waiting_bill(everybody)
    answer(review, everybody.clerk, "reroute", target="workflow:other-bills")
    work()
    review.run.refresh_from_db()
    assert (review.run.status, review.run.outcome) == ("rejected", "Sent to other-bills.")
    other = Run.objects.exclude(pk=review.run_id).get()
    assert (other.version.workflow.name, other.input, other.started_by) == (
        "other-bills",
        review.run.input,
        everybody.requester,
    )
    assert open_review_of(other).status == "open"


@pytest.mark.breaks_invariants
def test_a_case_that_changed_is_stale_says_what_changed_and_opens_anew():
    everybody = cast()
    review = waiting_bill(everybody)
    arrived = Decision.objects.filter(run=review.run, step="check", actor_kind="agent").get()
    Decision.objects.create(
        run=review.run,
        task=arrived.task,
        step="check",
        actor_kind="agent",
        actor="cast.check",
        verdict="continue",
        output={"ok": False},
        based_on="",
        made_at=database_now(),
    )
    before = mark()
    with pytest.raises(Stale) as refused:
        answer(review, everybody.clerk)
    assert kinds_since(before) == ["review.made_stale", "review.opened"]
    changed = [item["path"] for item in refused.value.difference]
    assert "/decisions" in changed
    assert "/data_digest" in changed
    again = open_review_of(review.run)
    assert (str(again.pk), again.round) == (refused.value.review, 2)
    assert answer(again, everybody.clerk)["review_status"] == "approved"


def test_a_pause_is_answered_early_by_the_seniors_and_the_run_then_goes_on():
    everybody = cast()
    run = bill(everybody, flagged=True)
    review = open_review_of(run)
    assert (run.status, review.queue.name, review.packet["case"]["early"]) == ("suspended", "seniors", True)
    assert run.tasks.filter(step="check").count() == 0
    answer(review, everybody.manager)
    assert Effect.objects.count() == 0
    work()
    run.refresh_from_db()
    assert (run.status, run.tasks.get(step="approve").status) == ("succeeded", "skipped")
    assert LedgerEntry.objects.count() == 1


def test_what_fires_after_an_early_answer_is_asked_in_its_turn():
    everybody = cast()
    run = bill(everybody, flagged=True, amount="30000.00")
    answer(open_review_of(run), everybody.manager)
    work()
    review = open_review_of(run)
    assert ([reason["rule"] for reason in review.reasons], review.queue.name) == (["over-20-000"], "clerks")
    answer(review, everybody.clerk)
    work()
    assert LedgerEntry.objects.count() == 1


def test_an_early_rejection_ends_the_run():
    everybody = cast()
    run = bill(everybody, flagged=True)
    answer(open_review_of(run), everybody.manager, "reject")
    work()
    run.refresh_from_db()
    assert (run.status, LedgerEntry.objects.count()) == ("rejected", 0)


def test_an_early_case_can_be_sent_back_and_the_run_goes_on_from_there():
    everybody = cast()
    run = bill(everybody, flagged=True)
    answer(open_review_of(run), everybody.manager, "reroute", target="step:read")
    work()
    again = open_review_of(run)
    assert (again.round, again.queue.name) == (2, "seniors")


def test_an_approval_says_nothing_about_a_step_that_ran_again_since():
    everybody = cast()
    run = bill(everybody, flagged=True, amount="30000.00")
    answer(open_review_of(run), everybody.manager)
    work()
    answer(open_review_of(run), everybody.clerk, "reroute", target="step:vendor")
    work()
    assert open_review_of(run).reasons[0]["rule"] == "flagged"


def test_a_question_stops_the_clock_and_its_answer_brings_the_case_back():
    everybody = cast()
    review, before = waiting_bill(everybody), mark()
    answer(review, everybody.clerk, "ask", target="user:requester", comment="Did you order this?")
    late = review.due_at + timedelta(hours=1)
    assert services.sweep_overdue(now=late) == 0
    with pytest.raises(NotAllowed):
        services.answer(review_id=review.pk, actor=everybody.second, text="yes")
    services.answer(review_id=review.pk, actor=everybody.requester, text="Yes, in May.")
    assert kinds_since(before) == ["review.asked", "decide.refused", "review.answered"]
    due = review.due_at
    review.refresh_from_db()
    assert (review.asked, review.delegated_to, review.status) == (None, everybody.clerk, "open")
    assert review.due_at >= due
    assert [row.comment for row in review.approvals.all()] == ["Did you order this?", "Yes, in May."]
    assert answer(review, everybody.clerk)["review_status"] == "approved"


def test_a_question_needs_words_and_somebody_else():
    everybody = cast()
    review = waiting_bill(everybody)
    with pytest.raises(Invalid, match="write the question"):
        answer(review, everybody.clerk, "ask", target="user:requester")
    with pytest.raises(Invalid, match="ask yourself"):
        answer(review, everybody.clerk, "ask", target="user:clerk", comment="?")


def test_a_hand_over_goes_to_somebody_who_could_decide_and_no_further():
    everybody = cast()
    review, before = waiting_bill(everybody), mark()
    answer(review, everybody.clerk, "delegate", target="user:second")
    assert kinds_since(before) == ["review.delegated"]
    assert list(inbox_of(everybody.second)) == [review]
    with pytest.raises(Invalid, match="handed over once"):
        answer(review, everybody.second, "delegate", target="user:clerk")
    for name in ("outsider", "auditor", "admin"):
        with pytest.raises(Invalid, match="cannot take this case"):
            answer(review, everybody.clerk, "delegate", target=f"user:{name}")


@pytest.mark.parametrize(
    ("verdict", "given", "kind"),
    [
        ("ask", {"target": "user:requester", "comment": "Is 900 right?"}, "review.asked"),
        ("delegate", {"target": "user:second"}, "review.delegated"),
        ("escalate", {}, "review.escalated"),
    ],
)
def test_corrections_ride_on_an_answer_that_leaves_the_case_open(verdict, given, kind):
    everybody = cast()
    review, before = waiting_bill(everybody), mark()
    given = given | {"corrections": {"/read/invoice/payable": "900.00"}, "nonce": "n1"}
    told = answer(review, everybody.clerk, verdict, **given)
    assert kinds_since(before) == ["decision.recorded", "review.made_stale", "review.opened", kind]
    again = open_review_of(review.run)
    assert (again.round, again.packet["effects"][0]["payload"]["amount"]) == (2, "900.00")
    assert answer(review, everybody.clerk, verdict, **given) == told
    if verdict == "ask":
        services.answer(review_id=again.pk, actor=everybody.requester, text="Yes.")
    assert answer(again, everybody.manager)["review_status"] == "approved"
    work()
    assert LedgerEntry.objects.get().payload["amount"] == "900.00"


def test_going_up_keeps_the_round_and_its_signatures():
    everybody = cast(quorum=2)
    review, before = waiting_bill(everybody), mark()
    answer(review, everybody.clerk)
    answer(review, everybody.second, "escalate")
    assert kinds_since(before) == ["review.signed", "review.escalated"]
    review.refresh_from_db()
    assert (review.status, review.queue.name, review.round) == ("escalated", "seniors", 1)
    with pytest.raises(Invalid, match="nobody above"):
        answer(review, everybody.manager, "escalate")
    assert answer(review, everybody.manager)["review_status"] == "approved"


def test_an_overdue_case_goes_up_once_and_a_lapsed_claim_is_given_back():
    everybody = cast()
    review, held = waiting_bill(everybody), waiting_bill(everybody)
    services.claim(review_id=held.pk, actor=everybody.clerk)
    before, late = mark(), review.due_at + timedelta(minutes=1)
    Review.objects.filter(pk=held.pk).update(due_at=late + timedelta(days=1))
    assert services.sweep_overdue(now=late) == 2
    assert sorted(kinds_since(before)) == ["review.escalated", "review.overdue", "review.released"]
    assert services.sweep_overdue(now=late) == 0
    review.refresh_from_db()
    assert (review.status, review.queue.name) == ("escalated", "seniors")


def test_the_inbox_has_what_a_person_may_take_by_urgency():
    everybody = cast()
    small, large = waiting_bill(everybody, amount="10.00"), waiting_bill(everybody, amount="9000.00")
    assert list(inbox_of(everybody.clerk).by_urgency()) == [large, small]
    assert (
        list(inbox_of(everybody.requester))
        == list(inbox_of(everybody.outsider))
        == list(inbox_of(everybody.admin))
        == []
    )
    services.claim(review_id=large.pk, actor=everybody.clerk)
    assert list(inbox_of(everybody.second)) == [small]


def test_l16_what_another_version_of_an_agent_says_is_a_round_of_its_own_and_named_in_the_trail(monkeypatch):
    everybody = cast()
    review = waiting_bill(everybody)
    before = review.packet_digest
    newer = replace(registry.get("cast.read"), version="2", run=lambda case, ctx: read(misread(case), ctx))
    monkeypatch.setitem(registry._agents, "cast.read", newer)
    answer(review, everybody.clerk, "reroute", target="step:read")
    work()
    again = open_review_of(review.run)
    assert (again.round, again.packet_digest != before) == (2, True)
    decided = Decision.objects.filter(run=review.run, actor="cast.read").order_by("made_at")
    assert [decision.actor_version for decision in decided] == ["1", "2"]
    told = Event.objects.filter(kind="task.succeeded", actor_id="cast.read").oldest_first()
    assert [event.data["version"] for event in told] == ["1", "2"]
    with pytest.raises(Stale):
        answer(again, everybody.clerk, digest=before)


def misread(case: GivenInput) -> GivenInput:
    return GivenInput(input=case.input | {"amount": "7.00"})
