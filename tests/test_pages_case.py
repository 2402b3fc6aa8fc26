"""The case page: what it shows to whom, and what an answer from it does."""

import json

import pytest
from django.urls import reverse

from audit.models import Event
from reviews import services as reviews
from reviews.answer import Answer
from reviews.models import Approval, Draft, Review
from reviews.questions import questions_of
from reviews.templatetags.cases import signer

from .cast import answer, bill, cast, open_review_of, waiting_bill
from .desk import case_url, decide, form_of, signed_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody():
    return cast(undo_seconds=10)


@pytest.fixture
def review(everybody):
    return waiting_bill(everybody)


def test_nothing_is_chosen_when_a_case_is_opened(everybody, review):
    page = text_of(signed_in(everybody.clerk).get(case_url(review)))
    assert " checked" not in page
    assert 'name="pick:d1"' in page
    assert "0 of 1 settled" in page


def test_opening_a_case_is_recorded_and_reserves_nothing(everybody, review):
    before = list(Event.objects.values_list("pk", flat=True))
    signed_in(everybody.clerk).get(case_url(review))
    assert list(Event.objects.exclude(pk__in=before).values_list("kind", flat=True)) == ["review.viewed"]
    review.refresh_from_db()
    assert review.claimed_by is None


def test_who_may_not_see_a_case_is_told_it_is_not_there(everybody, review):
    outsider = signed_in(everybody.outsider)
    assert outsider.get(case_url(review)).status_code == 404
    assert outsider.post(case_url(review, "decide"), {"verdict": "approve"}).status_code == 404
    assert outsider.post(case_url(review, "draft")).status_code == 404


@pytest.mark.parametrize("name", ["auditor", "requester"])
def test_who_may_not_decide_sees_no_controls(everybody, review, name):
    page = text_of(signed_in(getattr(everybody, name)).get(case_url(review)))
    assert 'name="verdict"' not in page
    assert "Record decision" not in page
    assert "may not decide it" in page or "not decide it" in page


def test_an_answer_opens_the_next_case_of_the_same_list_and_may_be_undone(everybody, review):
    following = waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    response = decide(client, review, "reject", "?wf=pay-bills", reason__reject="wrong_amount")
    assert response.url == f"{case_url(following)}?wf=pay-bills"
    following.refresh_from_db()
    assert following.claimed_by == everybody.clerk
    page = text_of(client.get(response.url))
    assert "KB-1: rejected." in page
    undo = reverse("undo", args=[Review.objects.get(pk=review.pk).answer["decision"]])
    assert undo in page
    back = client.post(undo)
    assert back.url == case_url(review)
    assert "Undone." in text_of(client.get(back.url))
    assert review.task.reviews.live().get().round == 2


def test_after_the_last_case_the_desk_is_empty(everybody, review):
    client = signed_in(everybody.clerk)
    response = decide(client, review, "reject", reason__reject="duplicate")
    assert response.url == "/queue/"
    assert "Nothing is waiting for you" in text_of(client.get(response.url))


def test_an_incomplete_answer_is_explained_with_links_and_kept(everybody, review):
    client = signed_in(everybody.clerk)
    response = decide(client, review, "reject", comment__reject="They sent it twice")
    assert response.status_code == 422
    page = text_of(response)
    assert '<a href="#r-reject">Choose a reason: a rejection says why.</a>' in page
    assert "They sent it twice" in page
    assert not Approval.objects.exists()


def test_an_open_difference_is_named_with_a_link_to_it(everybody, review):
    response = decide(signed_in(everybody.clerk), review, "approve")
    assert response.status_code == 422
    assert 'href="#p1"' in text_of(response)


def test_picking_a_value_settles_a_difference_and_corrects_it(everybody, review):
    response = decide(signed_in(everybody.clerk), review, "approve", pick__d1="1")
    assert response.status_code == 302
    assert Approval.objects.get().corrections == {"/read/invoice/lines/0/unit_price": "90.00"}


def test_another_value_may_be_typed_and_is_checked(everybody, review):
    client = signed_in(everybody.clerk)
    wrong = decide(client, review, "approve", pick__d1="other", other__d1="ninety")
    assert wrong.status_code == 422
    assert 'href="#o1"' in text_of(wrong)
    assert "ninety" in text_of(wrong)
    assert decide(client, review, "approve", pick__d1="other", other__d1="95.00").status_code == 302
    assert Approval.objects.get().corrections == {"/read/invoice/lines/0/unit_price": "95.00"}


def test_a_case_decided_by_somebody_else_is_a_conflict_that_says_so(everybody, review):
    client = signed_in(everybody.clerk)
    shown = form_of(client.get(case_url(review)))
    answer(review, everybody.second, "reject", reason="duplicate", comment="Paid in May")
    response = client.post(case_url(review, "decide"), shown | {"verdict": "approve", "reason:approve": "confirmed"})
    assert response.status_code == 409
    page = text_of(response)
    assert "Second" in page
    assert "Paid in May" in page
    assert Approval.objects.count() == 1


def test_a_case_that_changed_is_a_conflict_that_shows_the_difference(everybody, review):
    client = signed_in(everybody.clerk)
    shown = form_of(client.get(case_url(review)))
    answer(review, everybody.second, "reject", reason="duplicate")
    review.refresh_from_db()
    reviews.undo(decision_id=review.answer["decision"], actor=everybody.second)
    response = client.post(case_url(review, "decide"), shown | {"verdict": "approve", "reason:approve": "confirmed"})
    assert response.status_code == 409
    assert "Show the case as it is now" in text_of(response)


def test_the_same_form_sent_twice_counts_once(everybody, review):
    client = signed_in(everybody.clerk)
    shown = form_of(client.get(case_url(review))) | {"verdict": "reject", "reason:reject": "duplicate"}
    assert [client.post(case_url(review, "decide"), shown).status_code for _ in range(2)] == [302, 302]
    assert Approval.objects.count() == 1


def test_a_draft_is_kept_reserves_the_case_and_says_what_would_follow(everybody, review):
    client = signed_in(everybody.clerk)
    fields = {"pick:d1": "1", "comment:approve": "As agreed"}
    response = client.post(case_url(review, "draft"), fields, headers={"HX-Request": "true"})
    assert "1 of 1 settled" in text_of(response)
    assert "€1,000.00" in text_of(response)
    assert Draft.objects.get().user == everybody.clerk
    review.refresh_from_db()
    assert review.claimed_by == everybody.clerk
    page = text_of(client.get(case_url(review)))
    assert "As agreed" in page
    assert 'value="1" checked' in page
    assert "As agreed" not in text_of(signed_in(everybody.second).get(case_url(review)))


@pytest.mark.parametrize("verdict", ["reject", "delegate"])
def test_a_draft_that_comes_after_its_answer_does_not_take_the_case_from_who_is_next(everybody, verdict):
    everybody.policy.quorum, everybody.policy.blind = 2, True
    everybody.policy.save()
    review = waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    filled = form_of(client.get(case_url(review))) | {"verdict": verdict}
    targets = {"target:delegate": "user:second", "comment:delegate": "yours"} if verdict == "delegate" else {}
    filled |= {"reason:reject": "duplicate", **targets}
    assert client.post(case_url(review, "decide"), filled).status_code == 302
    kept = list(Draft.objects.values())
    assert client.post(case_url(review, "draft"), filled, headers={"HX-Request": "true"}).status_code == 204
    assert list(Draft.objects.values()) == kept
    review.refresh_from_db()
    assert review.claimed_by is None
    assert reviews.claim(review_id=review.pk, actor=everybody.second).claimed_by == everybody.second


def test_without_script_a_draft_leads_back_to_the_case(everybody, review):
    response = signed_in(everybody.clerk).post(case_url(review, "draft"), {"pick:d1": "1"})
    assert response.url == case_url(review)


def test_who_holds_the_case_is_named_and_others_may_read(everybody, review):
    reviews.claim(review_id=review.pk, actor=everybody.second)
    page = text_of(signed_in(everybody.clerk).get(case_url(review)))
    assert "Second is working on it" in page
    assert 'name="verdict"' not in page


def test_a_question_is_answered_on_the_page_of_the_case(everybody, review):
    decide(signed_in(everybody.clerk), review, "ask", target__ask="user:outsider", comment__ask="Who ordered this?")
    outsider = signed_in(everybody.outsider)
    assert "Who ordered this?" in text_of(outsider.get(case_url(review)))
    assert outsider.post(case_url(review, "answer"), {"text": "Nobody I know."}).status_code == 302
    assert review.approvals.filter(verdict="answer").get().comment == "Nobody I know."


def test_markup_from_outside_is_shown_as_text(everybody):
    review = open_review_of(bill(everybody, differences=1, number='<img src=x onerror="alert(1)">'))
    for url in (case_url(review), "/queue/", reverse("run", args=[review.run_id])):
        page = text_of(signed_in(everybody.clerk).get(url))
        assert "<img" not in page
        assert "&lt;img src=x" in page


def test_a_case_takes_at_most_twenty_statements_with_the_record_of_the_look(
    everybody, review, django_assert_max_num_queries
):
    client = signed_in(everybody.clerk)
    client.get(case_url(review))
    with django_assert_max_num_queries(20):
        client.get(case_url(review))


def test_pages_send_the_strict_policy(everybody, review):
    policy = signed_in(everybody.clerk).get(case_url(review)).headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_what_is_about_the_same_value_is_asked_once():
    over = {"id": "d1", "kind": "qty_over", "severity": "stop", "title": "Quantity", "message": "Over the order"}
    place = {"pointer": "/read/invoice/lines/0/quantity", "step": "order", "line": "1"}
    ordered = {"value": "24", "source": "order"}
    billed = {"value": "26", "source": "invoice"}
    received = {"value": "24.00", "source": "receipt"}
    receipt = {**over, "id": "d2", "kind": "qty_over_receipt", "message": "Over the receipt"}
    found = [{**over, **place, "options": [billed, ordered]}, {**receipt, **place, "options": [billed, received]}]
    [question] = questions_of(found)
    assert question.options == [("26", "invoice"), ("24", "order, receipt")]
    assert question.messages == ["Over the order", "Over the receipt"]
    assert Answer(picks={"d1": "1"}).corrections({"differences": found, "values": []}) == {place["pointer"]: "24"}


def test_numbers_with_leading_zeros_stay_apart():
    item = {"id": "d1", "kind": "number", "severity": "stop", "title": "Number", "message": "", "pointer": "/a"}
    options = [{"value": "0042", "source": "invoice"}, {"value": "42", "source": "order"}]
    assert len(questions_of([{**item, "options": options}])[0].options) == 2


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ("cfo", "the CFO"),
        ("managers", "a manager"),
        ("auditors", "an auditor"),
        ("tax-team", "somebody of the tax team"),
    ],
)
def test_groups_are_named_in_words(group, words):
    assert signer(group) == words


def test_after_the_last_case_the_list_takes_the_place_of_the_whole_page(everybody, review):
    client = signed_in(everybody.clerk)
    shown = form_of(client.get(case_url(review))) | {"verdict": "reject", "reason:reject": "duplicate"}
    response = client.post(case_url(review, "decide"), shown, headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert json.loads(response["HX-Location"]) == {"path": "/queue/", "target": "body"}


def test_a_settled_case_says_who_answered_and_why_and_counts_nothing_as_open(everybody, review):
    decide(signed_in(everybody.clerk), review, "reject", reason__reject="wrong_amount", comment__reject="Ask anew.")
    page = text_of(signed_in(everybody.second).get(case_url(review)))
    assert "Wrong amount: “Ask anew.”<br>" in page
    assert f">{everybody.clerk.get_full_name() or everybody.clerk.username}, <time" in page
    assert 'id="settled"' not in page
    assert "tag bad push yet" not in page
