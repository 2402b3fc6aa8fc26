"""Taking back what left a case open: it stands as before, as long as nothing else has happened to it meanwhile."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from audit.log import database_now
from orchestrator.case import load_cases
from reviews import services as reviews
from reviews.errors import NotAllowed, TooLate
from reviews.models import Approval, Notice, Recallable, Review

from .cast import answer, cast, kinds_since, mark, open_review_of, waiting_bill, work
from .desk import case_url, decide, signed_in, text_of
from .test_pages_queue_lists import do

pytestmark = pytest.mark.django_db
ACTS = {
    "reroute": {"queue": "seniors", "reason": "wrong_team"},
    "ask": {"person": "requester", "comment": "Which order?"},
    "delegate": {"person": "second"},
    "snooze": {"until": "hour"},
}
PRICE, LESS = {"/read/invoice/lines/0/unit_price": "90.00"}, {"/read/invoice/payable": "900.00"}


@pytest.fixture
def everybody():
    return cast(undo_seconds=30)


def stands(review):
    """How the case of this round stands, whatever round it is in now."""
    now = Review.objects.live().get(task=review.task_id)
    return now.queue, now.status, now.asked, now.delegated_to, now.snoozed_until, now.due_at.replace(microsecond=0)


def corrections(review):
    """What of the run's case is corrected."""
    return load_cases({review.run_id: review.run.input})[review.run_id].corrections


def undo_shown(client):
    [address] = re.findall(r'action="(/queue/bulk/[^"]+/undo/)"', text_of(client.get("/queue/")))
    return address


@pytest.mark.parametrize("act", ACTS)
def test_a_batch_that_left_its_cases_open_is_taken_back_with_one_act(everybody, act):
    cases = [waiting_bill(everybody) for _ in range(2)]
    client, before, past = signed_in(everybody.clerk), [stands(review) for review in cases], mark()
    assert do(client, act, *cases, **ACTS[act]).status_code == 302
    assert [stands(review) for review in cases] != before
    done = kinds_since(past)
    client.post(undo_shown(client))
    if act == "reroute":  # those who gave it away have it in a new round
        assert [stands(review)[:-1] for review in cases] == [one[:-1] for one in before]
    else:
        assert [stands(review) for review in cases] == before
    assert kinds_since(past + len(done)).count("review.recalled") == 2
    assert "2 cases taken back." in text_of(client.get("/queue/"))
    answer(open_review_of(cases[0].run), everybody.second, "reject")


@pytest.mark.parametrize("act", ACTS)
def test_what_has_changed_meanwhile_is_left_as_it_is_and_named_with_the_reason(everybody, act):
    first, second = (waiting_bill(everybody) for _ in range(2))
    client = signed_in(everybody.clerk)
    do(client, act, first, second, **ACTS[act])
    reviews.claim(review_id=open_review_of(first.run).pk, actor=everybody.manager)
    left = stands(first)
    said = client.post(undo_shown(client))
    assert "1 of 2 not done" in text_of(said)
    assert f"<b>{first.number}</b>" in text_of(said)
    assert "Since then: Review claimed (Manager)." in text_of(said)
    assert stands(first) == left
    assert stands(second)[0] == everybody.clerks
    assert stands(second)[2:5] == (None, None, None)


def test_reading_and_talking_about_a_case_leave_it_as_it_is(everybody):
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk, "delegate", target="user:second")
    reviews.view(review=review, actor=everybody.second)
    reviews.comment(review_id=review.pk, actor=everybody.second, text="Why me?")
    assert reviews.undo(decision_id=told["decision"], actor=everybody.clerk)["review"] == str(review.pk)
    assert stands(review)[3] is None


def test_it_is_taken_back_once_in_its_time_and_by_whoever_did_it(everybody):
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk, "ask", target="user:requester", comment="Which order?")
    with pytest.raises(NotAllowed):
        reviews.undo(decision_id=told["decision"], actor=everybody.second)
    reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    with pytest.raises(TooLate, match="taken back already"):
        reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    late = answer(review, everybody.clerk, "escalate")
    Recallable.objects.update(until=database_now() - timedelta(seconds=1))
    with pytest.raises(TooLate, match="time to take this back is over"):
        reviews.undo(decision_id=late["decision"], actor=everybody.clerk)
    page = signed_in(everybody.clerk).post(reverse("undo", args=[late["decision"]]))
    assert page.status_code == 409
    assert "The time to take this back is over." in text_of(page)


def test_an_escalated_case_comes_back_with_its_own_time_and_one_that_had_been_escalated_stays_so(everybody):
    review = waiting_bill(everybody)
    before = stands(review)
    told = answer(review, everybody.clerk, "escalate")
    assert stands(review)[:2] == (everybody.seniors, "escalated")
    assert reviews.undo(decision_id=told["decision"], actor=everybody.clerk)["review_status"] == "open"
    assert stands(review) == before
    answer(review, everybody.clerk, "escalate")
    handed = answer(review, everybody.manager, "delegate", target="user:cfo")
    reviews.undo(decision_id=handed["decision"], actor=everybody.manager)
    assert stands(review)[:4] == (everybody.seniors, "escalated", None, None)


def test_a_case_another_team_has_answered_is_not_fetched_back(everybody):
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk, "reroute", target="queue:seniors")
    answer(open_review_of(review.run), everybody.manager, "reject")
    with pytest.raises(TooLate, match="The other team has answered it already"):
        reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    assert Review.objects.get(pk=review.pk).status == "rerouted"


def test_a_case_fetched_back_is_decided_and_paid_as_if_it_had_stayed(everybody):
    review = waiting_bill(everybody)
    told = answer(review, everybody.clerk, "reroute", target="queue:seniors")
    again = reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    assert again["review_status"] == "recalled"
    statuses = list(Review.objects.order_by("round").values_list("status", "queue__name"))
    assert statuses == [("recalled", "clerks"), ("stale", "seniors"), ("open", "clerks")]
    type(everybody.policy).objects.update(undo_seconds=0)
    answer(open_review_of(review.run), everybody.second)
    work()
    review.run.refresh_from_db()
    assert review.run.status == "succeeded"


def test_nobody_hears_of_what_was_taken_back_before_they_read_of_it(everybody):
    everybody.second.email = "second@example.org"
    everybody.second.save()
    first, second = waiting_bill(everybody), waiting_bill(everybody)
    told = answer(first, everybody.clerk, "delegate", target="user:second")
    assert Notice.objects.get().mail_at > database_now()
    reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    assert not Notice.objects.exists()
    told = answer(second, everybody.clerk, "delegate", target="user:second")
    signed_in(everybody.second).post(reverse("notices-read"))
    reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    assert list(Notice.objects.order_by("at").values_list("event", flat=True)) == [
        "review.delegated",
        "review.recalled",
    ]


def test_a_question_that_was_taken_back_is_told_as_that_and_not_counted_among_those_allowed(everybody):
    type(everybody.policy).objects.update(max_rounds=1)
    review = waiting_bill(everybody)
    for _ in range(2):
        told = answer(review, everybody.clerk, "ask", target="user:requester", comment="Which order?")
        reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    page = text_of(signed_in(everybody.clerk).get(case_url(review)))
    assert page.count("said, and took back what was done with it") == 2
    assert Approval.objects.filter(verdict="ask").count() == 2


@pytest.mark.parametrize(
    ("act", "given"),
    [
        ("ask", {"target": "user:requester", "comment": "Which order?"}),
        ("delegate", {"target": "user:second"}),
        ("escalate", {}),
    ],
)
def test_what_carried_corrections_is_taken_back_with_them(everybody, act, given):
    review = waiting_bill(everybody, differences=1)
    before = stands(review)
    told = answer(review, everybody.clerk, act, corrections=LESS, **given)
    assert told["undo_until"]
    corrected = open_review_of(review.run)
    assert corrections(review) == LESS
    assert stands(review)[:4] != before[:4]
    past = mark()
    back = reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    again = open_review_of(review.run)
    assert back["review"] == str(again.pk) != str(corrected.pk)
    assert stands(review) == before
    assert (again.round, corrections(review)) == (corrected.round + 1, {})
    assert (corrected.amount, again.amount) == ("900.00 EUR", review.amount)
    assert kinds_since(past) == ["review.recalled", "review.opened"]
    recall = review.run.decisions.get(verdict="recall")
    assert recall.output["recalls"] == str(review.run.decisions.get(verdict="correct").pk)
    with pytest.raises(TooLate, match="taken back already"):
        reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    answer(again, everybody.second, "reject")


def test_the_corrections_of_an_act_that_was_taken_back_are_in_the_form_again(everybody):
    review, client = waiting_bill(everybody, differences=1), signed_in(everybody.clerk)
    filled = {"target:delegate": "user:second", "pick:d1": "other", "other:d1": "95.00"}
    client.post(case_url(review, "draft"), {"verdict": "delegate", **filled})
    assert decide(client, review, "delegate", **filled).status_code == 302
    assert corrections(review)
    [undo] = re.findall(r'action="(/decisions/[^"]+/undo/)"', text_of(client.get("/queue/")))
    client.post(undo)
    page = text_of(client.get(case_url(review)))
    assert re.search('name="other:d1" [^>]*value="95.00"', page)
    assert not corrections(review)


def test_a_signature_that_made_all_sign_again_is_taken_back_with_its_corrections(everybody):
    type(everybody.policy).objects.update(quorum=2)
    review = waiting_bill(everybody, differences=1)
    answer(review, everybody.second)
    told = answer(open_review_of(review.run), everybody.clerk, corrections=PRICE)
    assert corrections(review) == PRICE
    reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    again = open_review_of(review.run)
    assert (corrections(review), again.approvals.count(), again.queue) == ({}, 0, everybody.clerks)


def test_corrections_made_before_stay_and_so_does_what_they_called_for(everybody):
    review = waiting_bill(everybody, differences=1)
    answer(review, everybody.clerk, "delegate", target="user:second", corrections={"/read/invoice/payable": "30000.00"})
    asked = [reason["rule"] for reason in open_review_of(review.run).reasons]
    assert "over-20-000" in asked
    second = open_review_of(review.run)
    more = {"/read/invoice/payable": "60000.00"}
    told = answer(second, everybody.second, "ask", target="user:requester", comment="?", corrections=more)
    assert "over-50-000" in [reason["rule"] for reason in open_review_of(review.run).reasons]
    reviews.undo(decision_id=told["decision"], actor=everybody.second)
    again = open_review_of(review.run)
    assert corrections(review) == {"/read/invoice/payable": "30000.00"}
    assert [reason["rule"] for reason in again.reasons] == asked


def test_an_act_whose_corrected_case_somebody_has_begun_with_is_not_taken_back(everybody):
    review = waiting_bill(everybody, differences=1)
    told = answer(review, everybody.clerk, "delegate", target="user:second", corrections=PRICE)
    reviews.claim(review_id=open_review_of(review.run).pk, actor=everybody.second)
    with pytest.raises(TooLate, match="Since then: Review claimed"):
        reviews.undo(decision_id=told["decision"], actor=everybody.clerk)
    assert corrections(review) == PRICE


def test_a_single_case_put_aside_is_taken_back_like_any_answer(everybody):
    review, client = waiting_bill(everybody), signed_in(everybody.clerk)
    client.post(case_url(review, "snooze"), {"until": "hour"})
    [undo] = re.findall(r'action="(/decisions/[^"]+/undo/)"', text_of(client.get("/queue/")))
    assert client.post(undo).url == case_url(review)
    assert stands(review)[4] is None


def test_the_same_snooze_sent_twice_is_one(everybody):
    review, past = waiting_bill(everybody), mark()
    for _ in range(2):
        until = database_now() + timedelta(hours=1)
        reviews.snooze(review_id=review.pk, actor=everybody.clerk, until=until, nonce="page:1")
    assert kinds_since(past) == ["review.snoozed"]
