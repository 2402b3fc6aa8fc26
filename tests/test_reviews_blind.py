"""Answers given without sight of each other: what is kept from whom, and what two answers come to."""

import json
import re

import pytest

from audit.models import Event
from orchestrator.models import Effect, LedgerEntry
from orchestrator.permissions import visible_scopes
from orchestrator.run_document import run_document
from reviews import services
from reviews.consequence import consequence
from reviews.errors import NotAllowed
from reviews.models import Approval, Review

from .api import Caller
from .cast import answer, cast, kinds_since, mark, person, waiting_bill, work
from .desk import case_url, signed_in, text_of

pytestmark = pytest.mark.django_db
PRICE = {"/read/invoice/lines/0/unit_price": "90.00"}
SECRET = "only-the-first-says-this"


@pytest.fixture
def everybody():
    found = cast(quorum=2)
    found.policy.blind = True
    found.policy.save()
    found.third = person("third", "clerks")
    return found


@pytest.fixture
def review(everybody):
    return waiting_bill(everybody)


def first_answers(everybody, review, verdict="approve", **given):
    return answer(review, everybody.clerk, verdict, **({"comment": SECRET, "corrections": PRICE} | given))


def test_the_same_answer_twice_is_final_and_pays_once(everybody, review):
    first_answers(everybody, review)
    assert Review.objects.get(pk=review.pk).status == "open"
    told = answer(review, everybody.second, corrections=PRICE)
    assert told["review_status"] == "approved"
    work()
    assert (LedgerEntry.objects.count(), Effect.objects.count()) == (1, 1)


def test_one_rejection_is_not_enough_where_two_answer_blindly(everybody, review):
    first_answers(everybody, review, "reject", reason="duplicate")
    assert Review.objects.get(pk=review.pk).status == "open"
    assert (
        answer(review, everybody.second, "reject", reason="bad_document", corrections=PRICE)["review_status"]
        == "rejected"
    )


@pytest.mark.parametrize(
    ("verdict", "given"),
    [
        ("reject", {"reason": "duplicate"}),
        ("approve", {"corrections": {"/read/invoice/lines/0/unit_price": "95.00"}}),
        ("reroute", {"target": "step:read"}),
    ],
)
def test_two_different_answers_are_settled_by_a_third_person_who_sees_both(everybody, review, verdict, given):
    first_answers(everybody, review)
    before = mark()
    answer(review, everybody.second, verdict, **given)
    assert kinds_since(before) == ["review.signed", "review.differed"]
    review.refresh_from_db()
    assert (review.status, review.levels[review.level]["settles"]) == ("open", True)
    assert [vote["reviewer"] for vote in review.packet["approvals"]] == ["Clerk", "Second"]
    for signer in (everybody.clerk, everybody.second):
        for again in ("approve", "reject", "reroute"):
            with pytest.raises(NotAllowed) as refused:
                answer(review, signer, again, target="step:read")
            assert refused.value.rule == "four_eyes"
    page = text_of(signed_in(everybody.third).get(case_url(review)))
    assert SECRET in page
    assert "Clerk" in page
    told = answer(review, everybody.third, "reject", reason="duplicate")
    assert told["review_status"] == "rejected"
    work()
    assert not LedgerEntry.objects.exists()


def test_the_third_answer_counts_alone_and_not_with_the_corrections_of_the_others(everybody, review):
    first_answers(everybody, review, corrections={"/read/invoice/payable": "900.00"})
    answer(review, everybody.second)
    answer(review, everybody.third)
    work()
    assert LedgerEntry.objects.get().payload["amount"] == "1000.00"


def test_the_second_person_is_shown_nothing_of_the_first(everybody, review):
    services.claim(review_id=review.pk, actor=everybody.clerk)
    services.view(review=Review.objects.get(pk=review.pk), actor=everybody.clerk)
    first_answers(everybody, review, reason="within_tolerance", corrections={"/read/invoice/payable": "912.34"})
    client = signed_in(everybody.second)
    texts = [
        text_of(client.get(case_url(review))),
        text_of(client.get("/queue/")),
        text_of(client.get(f"/runs/{review.run_id}/")),
        text_of(client.get("/audit/")),
    ]
    api = Caller(everybody.second)
    texts += [text_of(api.get(f"reviews/{review.pk}")), text_of(api.get(f"trail?run={review.run_id}"))]
    texts += [text_of(api.get(f"runs/{review.run_id}")), text_of(api.get("reviews?status=open"))]
    for shown in (re.sub(r"<option.*?</option>", "", text) for text in texts):  # colleagues to ask stay colleagues
        for word in (SECRET, "Clerk ", ">Clerk<", "912.34", '"clerk"'):
            assert word not in shown, (word, shown[max(0, shown.find(word) - 200) : shown.find(word) + 100])
    assert (
        consequence(Review.objects.get(pk=review.pk), {"/read/invoice/lines/0/unit_price": "90.00"}).would != "912.34"
    )


def test_the_first_person_and_the_auditor_see_the_record(everybody, review):
    first_answers(everybody, review)
    for reader in (everybody.clerk, everybody.auditor):
        kinds = Event.objects.visible_to(visible_scopes(reader)).values_list("kind", flat=True)
        assert "review.signed" in kinds


def test_answers_appear_in_the_run_document_once_they_count(everybody, review):
    first_answers(everybody, review)
    assert SECRET not in json.dumps(run_document(review.run), default=str)
    answer(review, everybody.second, corrections=PRICE)
    assert SECRET in json.dumps(run_document(review.run), default=str)


def test_a_level_above_answers_blindly_too(everybody):
    review = waiting_bill(everybody, amount="60000.00")
    everybody.policy.quorum = 1
    everybody.policy.save()
    review.refresh_from_db()
    review = waiting_bill(everybody, amount="60000.00")
    first_answers(everybody, review)
    review.refresh_from_db()
    assert review.levels[review.level]["group"] == "cfo"
    assert review.packet["approvals"] == []
    answer(review, everybody.cfo, corrections=PRICE)
    assert Approval.objects.filter(review=review).count() == 2
    assert Review.objects.get(pk=review.pk).status == "approved"
