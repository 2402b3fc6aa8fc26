"""Reversing an answer after the undo window: a case of its own, decided by somebody who had no part in the answer."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from audit.models import Event
from orchestrator import services as runs
from orchestrator.models import DataSource, Incident, LedgerEntry, Run, SourceRow, Task
from orchestrator.sources import standing_of
from reviews import services
from reviews.errors import Conflict, Invalid, NotAllowed
from reviews.models import Approval, Notice, Review

from .cast import (
    TAKEN_BACK,
    WORKFLOW,
    answer,
    cast,
    inbox_of,
    kinds_since,
    mark,
    open_review_of,
    paid_bill,
    reversals,
    second_admin,
    waiting_bill,
    work,
)
from .desk import case_url, decide, signed_in, text_of
from .guards import guards_lifted

pytestmark = pytest.mark.django_db

MORE = "  pay_more: {effect: erp.pay_invoice, needs: [approve, pay], compensate: erp.reverse_payment}"


@pytest.fixture
def everybody():
    found = cast()
    reversals(found)
    return found


@pytest.fixture
def paid(everybody):
    return paid_bill(everybody)


def ask(review: Review, actor, why: str = "The goods never came.") -> Run:
    """Asks for the reversal of the round's answer, and lets the new run come before people."""
    run = services.ask_for_reversal(decision_id=review.answer["decision"], actor=actor, why=why)
    work()
    run.refresh_from_db()
    return run


def reverse_it(review: Review, by, actor) -> Run:
    run = ask(review, actor)
    answer(open_review_of(run), by)
    work()
    run.refresh_from_db()
    review.run.refresh_from_db()
    return run


def test_an_approved_reversal_takes_the_payment_back_and_leaves_the_first_run_as_it_ended(everybody, paid):
    run = reverse_it(paid, everybody.manager, everybody.clerk)
    assert (run.status, paid.run.status) == ("succeeded", "succeeded")
    booked = LedgerEntry.objects.order_by("booked_at")
    assert list(booked.values_list("kind", "business_key")) == [
        ("erp.pay_invoice", "V1/KB1"),
        ("erp.reverse_payment", "V1/KB1"),
    ]
    assert booked.last().payload["reverses"] == booked.first().ref
    assert run.effects.get().business_key == paid.run.effects.get().business_key
    told = Event.objects.get(kind="run.reversed")
    assert (told.run, told.data["by"]) == (str(paid.run_id), str(run.pk))


def test_the_case_asks_what_would_be_done_and_holds_both_records(everybody, paid):
    review = open_review_of(ask(paid, everybody.second))
    assert review.queue.name == "reversals"
    assert review.packet["question"] == "Reverse the payment of invoice KB-1 to Kestrel Bearings?"
    assert review.packet["amount"]["amount"] == "1000.00"
    said = {item["label"]: item["value"] for item in review.packet["said"]}
    assert said["Why"] == "The goods never came."
    assert (said["Decided by"], said["Answer"], said["Asked by"]) == ("Clerk", "approve", "Second")
    assert "Decision" not in said
    german = signed_in(everybody.manager).get(case_url(review), headers={"accept-language": "de"})
    assert "<dt>Antwort</dt><dd>freigegeben</dd>" in text_of(german)
    assert re.search(r"<dt>Entschieden am</dt><dd>\d+\. \w+\.? \d{4}, \d\d:\d\d</dd>", text_of(german))
    page = text_of(signed_in(everybody.manager).get(case_url(review)))
    assert case_url(paid) in page
    assert "You would take back" in page
    assert "You would pay" not in page
    assert "Nothing could be read" not in page
    assert f'href="{reverse("run", args=[review.run_id])}"' in text_of(signed_in(everybody.clerk).get(case_url(paid)))


def test_what_is_stored_of_a_reversal_is_in_one_language_whoever_asks(everybody):
    review = waiting_bill(everybody)
    answer(review, everybody.clerk, reason="terms_agreed")
    work()
    review.refresh_from_db()
    with translation.override("de"):
        run = services.ask_for_reversal(decision_id=review.answer["decision"], actor=everybody.second, why="Falsch.")
    assert run.input["reason"] == "Agreed in a contract or by e-mail"


def test_who_had_a_part_in_the_answer_does_not_decide_its_reversal(everybody):
    review = waiting_bill(everybody)
    answer(review, everybody.manager)
    work()
    review.refresh_from_db()
    again = open_review_of(ask(review, everybody.cfo))
    for actor, rule in ((everybody.cfo, "requester"), (everybody.manager, "four_eyes"), (everybody.clerk, "queue")):
        with pytest.raises(NotAllowed) as refused:
            answer(again, actor)
        assert refused.value.rule == rule
    assert list(inbox_of(everybody.manager)) == []
    assert not Notice.objects.filter(person=everybody.manager, task=again.task).exists()
    page = text_of(signed_in(everybody.manager).get(case_url(again)))
    assert "You had a part in the decision" in page
    assert 'name="verdict"' not in page


def test_whoever_handed_the_case_in_does_not_decide_its_reversal(everybody, paid):
    everybody.requester.groups.set(everybody.manager.groups.all())
    review = open_review_of(ask(paid, everybody.clerk))
    assert not inbox_of(everybody.requester).filter(pk=review.pk).exists()
    assert list(inbox_of(everybody.manager)) == [review]
    with pytest.raises(NotAllowed) as refused:
        answer(review, everybody.requester)
    assert refused.value.rule == "four_eyes"


def test_a_rejected_reversal_changes_nothing(everybody, paid):
    run = ask(paid, everybody.clerk)
    answer(open_review_of(run), everybody.manager, "reject")
    work()
    run.refresh_from_db()
    assert run.status == "rejected"
    assert LedgerEntry.objects.count() == 1
    assert ask(paid, everybody.clerk, "Now with the delivery note.").status == "waiting"


def test_several_effects_are_taken_back_the_last_first(everybody):
    without_key = "\n".join(line for line in TAKEN_BACK.splitlines() if not line.startswith("business_key"))
    runs.save_workflow(source=f"{without_key}\n{MORE}", actor=everybody.admin, second=second_admin())
    review = waiting_bill(everybody)
    run = review.run
    answer(review, everybody.clerk)
    work()
    review.refresh_from_db()
    assert review.run.effects.filter(state="confirmed").count() == 2
    undone = reverse_it(review, everybody.manager, everybody.clerk)
    assert undone.status == "succeeded"
    taken = undone.effects.order_by("sent_at")
    assert [effect.step for effect in taken] == ["take_back:pay_more", "take_back:pay"]
    first, last = run.effects.order_by("ended_at")
    assert [effect.payload["reverses"] for effect in taken] == [last.ref, first.ref]


def test_a_run_that_is_still_under_way_is_stopped_and_takes_itself_back(everybody):
    review = waiting_bill(everybody, amount="60000.00")
    answer(review, everybody.clerk, "reroute", target="step:read")
    work()
    review.refresh_from_db()
    assert review.run.status == "waiting"
    run = ask(review, everybody.second)
    again = open_review_of(run)
    assert again.packet["question"] == "Stop Kestrel Bearings KB-1, and take back what it has done?"
    answer(again, everybody.manager)
    work()
    review.run.refresh_from_db()
    run.refresh_from_db()
    assert (run.status, review.run.status) == ("succeeded", "cancelled")
    cancelled = Event.objects.get(kind="run.cancelled")
    assert (cancelled.run, cancelled.data["outcome"]) == (str(review.run_id), "reversed")


def test_what_was_rejected_is_started_once_more(everybody):
    review = waiting_bill(everybody)
    answer(review, everybody.clerk, "reject")
    work()
    review.refresh_from_db()
    run = reverse_it(review, everybody.manager, everybody.second)
    assert review.run.status == "rejected"
    work()
    again = Run.objects.get(key=f"again:{run.pk}")
    assert (again.input, again.started_by, again.status) == (review.run.input, everybody.requester, "waiting")


def test_an_end_that_came_after_the_approval_is_put_before_people_again(everybody):
    review = waiting_bill(everybody, amount="60000.00")
    answer(review, everybody.clerk, "reroute", target="step:read")
    work()
    review.refresh_from_db()
    run = ask(review, everybody.second)
    first = open_review_of(run)
    everybody.policy.undo_seconds = 30
    everybody.policy.save()
    answer(first, everybody.manager)
    everybody.policy.undo_seconds = 0
    everybody.policy.save()
    paid = open_review_of(review.run)
    for signer in (everybody.clerk, everybody.cfo):
        answer(paid, signer)
    work()
    Task.objects.filter(run=run, step="approve").update(ready_at=timezone.now() - timedelta(seconds=1))
    work()
    run.refresh_from_db()
    review.run.refresh_from_db()
    assert (run.status, review.run.status) == ("rejected", "succeeded")
    assert LedgerEntry.objects.get().kind == "erp.pay_invoice"
    assert "Ask again" in run.outcome


def test_a_case_that_changed_while_it_was_read_is_shown_again(everybody):
    review = waiting_bill(everybody, amount="60000.00")
    answer(review, everybody.clerk, "reroute", target="step:read")
    work()
    review.refresh_from_db()
    again = open_review_of(ask(review, everybody.second))
    runs.cancel_run(run_id=review.run_id, actor=everybody.requester, reason="not wanted")
    with pytest.raises(Conflict):
        answer(again, everybody.manager)
    assert "Nothing of the decision" in open_review_of(again.run).packet["question"]


def test_what_nothing_takes_back_cannot_be_approved(everybody):
    runs.save_workflow(source=WORKFLOW, actor=everybody.admin, second=second_admin())
    review = open_review_of(ask(paid_bill(everybody), everybody.clerk))
    refused = decide(signed_in(everybody.manager), review, "approve", reason__approve="other", comment__approve="yes")
    assert refused.status_code == 422
    assert "nothing is named that does it" in text_of(refused)


def test_a_taking_back_of_unknown_outcome_is_cleared_up_by_a_person_and_the_rest_follows(everybody, paid, settings):
    run = ask(paid, everybody.clerk)
    answer(open_review_of(run), everybody.manager)
    settings.ERP_BASE_URL = "http://127.0.0.1:9"  # nobody answers there
    work()
    settings.ERP_BASE_URL = ""
    incident = Incident.objects.get(run=run)
    runs.resolve_incident(
        incident_id=incident.pk, resolution="confirmed", reason="seen in the bank", ref="R-9", actor=everybody.manager
    )
    work()
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert run.effects.get().ref == "R-9"
    assert paid.run.effects.get().taken_back_at is not None


def test_what_was_reversed_can_be_paid_anew_and_reversed_anew(everybody, paid):
    reverse_it(paid, everybody.manager, everybody.clerk)
    again = hand_in_again(everybody, paid, amount="900.00")
    answer(again, everybody.clerk)
    work()
    again.refresh_from_db()
    again.run.refresh_from_db()
    assert again.run.status == "succeeded"
    run = reverse_it(again, everybody.manager, everybody.clerk)
    assert run.status == "succeeded"
    booked = LedgerEntry.objects.order_by("booked_at")
    assert [(entry.kind, entry.payload["amount"]) for entry in booked] == [
        ("erp.pay_invoice", "1000.00"),
        ("erp.reverse_payment", "1000.00"),
        ("erp.pay_invoice", "900.00"),
        ("erp.reverse_payment", "900.00"),
    ]


def hand_in_again(everybody, paid: Review, **changed) -> Review:
    run, _ = runs.start_run(workflow="pay-bills", input=paid.run.input | changed, actor=everybody.requester)
    work()
    return open_review_of(run)


def test_a_payment_stands_until_the_reversal_was_done_and_not_only_approved(everybody, paid):
    everybody.policy.undo_seconds = 600
    everybody.policy.save()
    answer(open_review_of(ask(paid, everybody.clerk)), everybody.manager)
    again = hand_in_again(everybody, paid)
    with pytest.raises(Invalid, match="already under way or done"):
        answer(again, everybody.clerk)


def test_the_payment_history_says_that_it_was_reversed(everybody):
    source = DataSource.objects.create(name="payment-history", title="Payments", key_field="payment_id")
    paid = waiting_bill(everybody, amount="25000.00", differences=0)
    answer(paid, everybody.clerk)
    work()
    paid.refresh_from_db()
    row = SourceRow.objects.get(source=source)
    assert row.data["status"] == "paid"
    reverse_it(paid, everybody.manager, everybody.clerk)
    row.refresh_from_db()
    assert row.data["status"] == "reversed"


def test_a_register_says_that_what_a_run_did_was_reversed(everybody, paid):
    run = str(paid.run_id)
    assert standing_of([run, "brought in"]) == {run: "succeeded"}
    reverse_it(paid, everybody.manager, everybody.clerk)
    assert standing_of([run]) == {run: "reversed"}


def test_the_trail_of_a_reversal_in_order(everybody, paid):
    before = mark()
    run = ask(paid, everybody.clerk)
    kinds = kinds_since(before)
    assert kinds[:2] == ["run.started", "review.reversal_asked"]
    asked = Event.objects.get(kind="review.reversal_asked")
    assert asked.data["run"] == str(run.pk)
    told = Notice.objects.select_related("task", "person")
    assert {notice.person for notice in told} == {everybody.manager, everybody.cfo}
    assert {notice.task.run_id for notice in told} == {run.pk}
    page = text_of(signed_in(everybody.manager).get(reverse("notices")))
    assert f"Clerk asks for a decision to be reversed: {paid.title}" in page
    assert f'href="{case_url(open_review_of(run))}"' in page


def test_a_reversal_is_asked_for_once_and_by_deciders_alone(everybody, paid):
    with pytest.raises(NotAllowed):
        ask(paid, everybody.outsider)
    run = ask(paid, everybody.clerk)
    for actor in (everybody.clerk, everybody.second):
        with pytest.raises(Conflict, match="asked for already"):
            ask(paid, actor)
    review = open_review_of(run)
    answer(review, everybody.manager)
    work()
    review.refresh_from_db()
    with pytest.raises(Conflict, match="not reversed"):
        ask(review, everybody.cfo)


def test_where_no_reversal_is_published_asking_says_so():
    everybody = cast()
    paid = paid_bill(everybody)
    with pytest.raises(Conflict, match="the workflow “reversal” is not in force"):
        ask(paid, everybody.clerk)
    assert not Notice.objects.exists()


@pytest.mark.breaks_invariants
def test_a_reversal_signed_by_the_first_decider_is_found(everybody, paid):
    from orchestrator.invariants import check

    review = open_review_of(ask(paid, everybody.second))
    answer(review, everybody.manager)
    assert not [found for found in check() if found.invariant == "I06"]
    with guards_lifted():
        Approval.objects.filter(review=review).update(reviewer=everybody.clerk)
    assert "reverses" in str(next(found for found in check() if found.invariant == "I06"))
