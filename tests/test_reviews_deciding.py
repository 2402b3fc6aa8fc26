"""What an answer does, what it leaves in the trail, and that it is taken once."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from audit.log import database_now
from audit.models import Event
from orchestrator import endings, engine
from orchestrator.digests import digest
from orchestrator.models import Decision, Effect, LedgerEntry, Task
from reviews import services
from reviews.errors import AlreadyDecided, Invalid, NonceTaken, Stale
from reviews.models import Approval, Queue, Review, ReviewPolicy

from .cast import answer, bill, cast, kinds_since, mark, open_review_of, waiting_bill, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody():
    return cast()


def test_a_bill_nobody_asked_about_is_paid_without_a_person(everybody):
    run = bill(everybody)
    assert (run.status, run.reviews.count()) == ("succeeded", 0)
    assert run.tasks.get(step="approve").status == "skipped"
    assert LedgerEntry.objects.count() == 1


def test_a_bill_that_differs_waits_for_a_person_and_holds_no_worker(everybody):
    run = bill(everybody, differences=1)
    review = open_review_of(run)
    assert (run.status, review.status, review.queue.name) == ("waiting", "open", "clerks")
    assert review.task.status == "waiting"
    assert [reason["rule"] for reason in review.reasons] == ["differs"]
    assert not Task.objects.exclude(lease_until=None).exists()


def test_the_packet_says_what_stopped_it_what_differs_and_what_would_be_done(everybody):
    packet = waiting_bill(everybody, amount="1234.50").packet
    assert packet["question"] == "Pay Kestrel Bearings 1,234.50 EUR for invoice KB-1?"
    assert (packet["title"], packet["number"], packet["vendor"]) == (
        "Kestrel Bearings KB-1",
        "KB-1",
        "Kestrel Bearings",
    )
    assert packet["amount"] == {"amount": "1234.50", "currency": "EUR", "base": 123450}
    assert packet["reasons"][0]["text"] == "1 differences"
    assert packet["differences"][0]["pointer"] == "/read/invoice/lines/0/unit_price"
    payable = next(value for value in packet["values"] if value["name"] == "payable")
    assert (payable["pointer"], payable["confidence"], payable["label"]) == ("/read/invoice/payable", "0.98", "Payable")
    assert [source["source"] for source in packet["sources"]] == ["vendors"]
    assert packet["effects"][0]["payload"]["amount"] == "1234.50"


def test_approving_pays_once_and_leaves_its_events_in_order(everybody):
    review, before = waiting_bill(everybody), mark()
    told = answer(review, everybody.clerk)
    assert kinds_since(before) == ["review.approved", "effect.authorised", "task.succeeded", "run.resumed"]
    assert (told["review_status"], told["run_status"]) == ("approved", "running")
    before = mark()
    work()
    assert kinds_since(before) == [
        "effect.sent",
        "task.succeeded",
        "effect.confirmed",
        "run.succeeded",
    ]
    assert LedgerEntry.objects.get().payload["amount"] == "1000.00"


def test_an_answer_that_can_be_taken_back_leaves_the_step_to_a_worker(everybody):
    everybody.policy.undo_seconds = 1
    everybody.policy.save()
    review, before = waiting_bill(everybody), mark()
    told = answer(review, everybody.clerk)
    assert kinds_since(before) == ["review.approved", "effect.authorised"]
    assert told["run_status"] == "waiting"
    assert review.run.tasks.get(step="approve").status == "ready"


def test_an_answer_nobody_can_take_back_ends_its_step_with_it(everybody):
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    approve, pay = review.run.tasks.get(step="approve"), review.run.tasks.get(step="pay")
    assert (approve.status, pay.status) == ("succeeded", "ready")
    assert approve.ended_at == pay.ready_at
    [told] = Event.objects.filter(kind="task.succeeded", subject_id=str(approve.pk))
    assert told.at == Event.objects.get(kind="review.approved").at


def test_an_answer_in_a_run_that_is_held_waits_with_it(everybody):
    review = waiting_bill(everybody)
    with transaction.atomic():
        [run] = engine.lock_runs([review.run_id])
        endings.suspend(run, why="looked into", now=database_now())
    told = answer(review, everybody.clerk)
    assert told["run_status"] == "suspended"
    assert not review.run.tasks.filter(step="pay").exists()


def test_the_decision_and_the_effect_are_bound_to_the_packet(everybody):
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk, comment="agreed by phone")
    decision = Decision.objects.get(pk=told["decision"])
    assert (decision.person, decision.verdict, decision.rationale) == (everybody.clerk, "approve", "agreed by phone")
    assert decision.based_on == Effect.objects.get().packet_digest == review.packet_digest
    assert Effect.objects.get().policy_digest == review.run.policy_version.digest


def test_rejecting_needs_a_reason_ends_the_run_and_pays_nothing(everybody):
    review, before = waiting_bill(everybody), mark()
    with pytest.raises(Invalid, match="a rejection says why"):
        answer(review, everybody.clerk, "reject", reason="")
    answer(review, everybody.clerk, "reject", reason="duplicate", comment="paid in May")
    assert kinds_since(before) == ["review.rejected"]
    work()
    review.run.refresh_from_db()
    assert (review.run.status, review.run.outcome) == ("rejected", "paid in May")
    assert (Effect.objects.count(), LedgerEntry.objects.count()) == (0, 0)


def test_the_same_nonce_gets_the_same_answer_and_one_record(everybody):
    review = waiting_bill(everybody)
    first = answer(review, everybody.clerk, nonce="n1")
    assert answer(review, everybody.clerk, nonce="n1") == first
    work()
    assert answer(review, everybody.clerk, "reject", nonce="n1") == first
    assert (Approval.objects.count(), Decision.objects.filter(actor_kind="person").count()) == (1, 1)


def test_a_nonce_of_somebody_else_is_a_conflict_that_tells_nothing(everybody):
    review, other = waiting_bill(everybody), waiting_bill(everybody)
    answer(review, everybody.clerk, nonce="n1", comment="secret")
    for target, actor in ((review, everybody.second), (other, everybody.second), (other, everybody.clerk)):
        with pytest.raises(NonceTaken) as refused:
            answer(target, actor, nonce="n1")
        assert "secret" not in str(refused.value.as_json())


def test_who_comes_second_is_told_what_happened(everybody):
    review = waiting_bill(everybody)
    answer(review, everybody.clerk, "reject", reason="duplicate", comment="paid in May")
    with pytest.raises(AlreadyDecided) as refused:
        answer(review, everybody.second)
    assert refused.value.status == 409
    outcome = refused.value.as_json()["outcome"]
    assert (outcome["verdict"], outcome["by"], outcome["comment"]) == ("reject", "Clerk", "paid in May")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"verdict": "accept"}, "verdict"),
        ({"digest": ""}, "digest"),
        ({"nonce": ""}, "nonce"),
        ({"nonce": "n" * 81}, "nonce"),
        ({"comment": "c" * 4001}, "comment"),
        ({"verdict": "reroute"}, "target"),
        ({"verdict": "ask"}, "target"),
        ({"verdict": "reroute", "target": "step:pay"}, "target"),
        ({"verdict": "reroute", "target": "step:approve"}, "target"),
        ({"verdict": "reroute", "target": "queue:nowhere"}, "target"),
        ({"verdict": "reroute", "target": "workflow:nothing"}, "target"),
        ({"verdict": "reroute", "target": "moon:base"}, "target"),
        ({"verdict": "delegate", "target": "user:nobody"}, "target"),
    ],
)
def test_an_answer_that_cannot_be_understood_names_the_field_and_records_nothing(everybody, given, field):
    review, before = waiting_bill(everybody), mark()
    with pytest.raises(Invalid) as refused:
        answer(review, everybody.clerk, **({"verdict": "approve"} | given))
    assert field in [name for name, _ in refused.value.errors]
    assert (mark(), Approval.objects.count()) == (before, 0)


def test_a_difference_that_stops_the_case_is_settled_by_a_value_or_a_reason(everybody):
    review = waiting_bill(everybody, differences=2)
    with pytest.raises(Invalid) as refused:
        answer(review, everybody.clerk, reason="", corrections={"/read/invoice/lines/0/unit_price": "90.00"})
    assert [name for name, _ in refused.value.errors] == ["differences.d2"]
    answer(review, everybody.clerk, reason="", comment="we agreed on 100.00")
    assert Review.objects.get(pk=review.pk).status == "approved"


def test_an_effect_that_the_case_cannot_fill_blocks_the_approval_by_name(everybody):
    review = waiting_bill(everybody)
    with pytest.raises(Invalid) as refused:
        answer(review, everybody.clerk, corrections={"/read/invoice/invoice_number": ""})
    assert refused.value.errors == [("effects.pay", "Pay the invoice needs invoice number")]


def test_the_same_bill_is_not_authorised_twice(everybody):
    first = waiting_bill(everybody, number="KB-77")
    second = waiting_bill(everybody, number="kb 77")
    answer(first, everybody.clerk)
    with pytest.raises(Invalid, match="already under way or done in another run"):
        answer(second, everybody.clerk)
    assert Review.objects.get(pk=second.pk).status == "open"


def test_a_cancelled_run_withdraws_its_review(everybody):
    from orchestrator.services import cancel_run

    review, before = waiting_bill(everybody), mark()
    cancel_run(run_id=review.run_id, actor=everybody.requester, reason="entered by mistake")
    review.refresh_from_db()
    assert review.status == "withdrawn"
    assert "review.withdrawn" in kinds_since(before)
    with pytest.raises(AlreadyDecided, match="withdrawn"):
        answer(review, everybody.clerk)


def test_looking_at_a_case_is_recorded_with_what_was_shown(everybody):
    review = waiting_bill(everybody)
    shown = services.view(review=review, actor=everybody.clerk)
    assert (shown["digest"], shown["round"]) == (review.packet_digest, 1)
    assert shown["allowed"] == ["approve", "reject", "reroute", "ask", "delegate", "escalate"]
    event = Event.objects.get(kind="review.viewed")
    assert (event.queue, event.actor_id, event.run) == ("clerks", str(everybody.clerk.pk), str(review.run_id))


def test_a_round_that_was_opened_before_an_upgrade_is_not_stale_for_what_the_upgrade_added(everybody):
    review = waiting_bill(everybody)
    older = {name: part for name, part in review.packet.items() if name not in ("format", "refused")}
    Review.objects.filter(pk=review.pk).update(packet=older, packet_digest=digest(older))
    assert answer(review, everybody.clerk)["review_status"] == "approved"


def test_a_round_that_was_opened_before_an_upgrade_is_stale_where_the_case_has_changed(everybody):
    review = waiting_bill(everybody)
    older = {name: part for name, part in review.packet.items() if name != "format"}
    older["amount"] = {**older["amount"], "amount": "1.00"}
    Review.objects.filter(pk=review.pk).update(packet=older, packet_digest=digest(older))
    with pytest.raises(Stale):
        answer(review, everybody.clerk)


def test_going_up_puts_nothing_off_and_a_snooze_counts_no_more(everybody):
    review = waiting_bill(everybody)
    above = ReviewPolicy.objects.create(name="slow", sla_minutes=10_000)
    Queue.objects.filter(pk=everybody.seniors.pk).update(policy=above)
    ReviewPolicy.objects.filter(pk=everybody.policy.pk).update(snooze_stops_clock=True)
    review.refresh_from_db()
    due = review.due_at
    services.snooze(review_id=review.pk, actor=everybody.clerk, until=timezone.now() + timedelta(days=3))
    answer(review, everybody.clerk, "escalate")
    review.refresh_from_db()
    assert (review.queue, review.snoozed_until) == (everybody.seniors, None)
    assert abs(review.due_at - due) < timedelta(seconds=5)
