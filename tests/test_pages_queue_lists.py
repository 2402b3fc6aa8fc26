"""What a list can do besides being read: search, saved views, news, similar cases, several at once."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.urls import reverse

from audit.log import database_now
from reviews import services as reviews
from reviews.models import Approval, Draft, Review, SavedView

from .cast import answer, cast, kinds_since, mark, waiting_bill
from .desk import signed_in, text_of

pytestmark = pytest.mark.django_db
QUEUE = "/queue/"


@pytest.fixture
def everybody():
    return cast(undo_seconds=30)


def titles(client, **query):
    return [row.number for row in client.get(QUEUE, query).context["page"].rows]


def mark_of(review):
    review.refresh_from_db()
    return f"{review.task_id}.{review.packet_digest}"


def do(client, act, *cases, **given):
    """Selects, sees the page that asks, and records."""
    asked = client.post(reverse("bulk"), {"act": act, "case": [mark_of(review) for review in cases]})
    batch = re.search(r'name="batch" value="([^"]+)"', text_of(asked)).group(1)
    fields = {"act": act, "batch": batch, "case": [mark_of(review) for review in cases], **given}
    return client.post(reverse("bulk-act"), fields)


def test_a_search_from_any_page_looks_through_everything_a_person_may_see_and_nothing_else(everybody):
    first, second = waiting_bill(everybody), waiting_bill(everybody, number="ÄX-77/B")
    answer(first, everybody.clerk, "reject")
    client = signed_in(everybody.clerk)
    assert titles(client, q="kestrel") == ["ÄX-77/B", "KB-1"]
    assert titles(client, q="AX77b") == titles(client, q="äx 77") == [second.number]
    assert titles(client, q="kestrel", view="mine") == [second.number]
    assert titles(signed_in(everybody.outsider), q="kestrel") == []


@pytest.mark.parametrize("text", ["' OR 1=1 --", '"', "a* OR b", "kestrel & !bearings", ":differs", "\\", "(", "NEAR("])
def test_what_is_typed_is_never_a_query(everybody, text):
    waiting_bill(everybody)
    assert signed_in(everybody.clerk).get(QUEUE, {"q": text}).status_code == 200
    assert titles(signed_in(everybody.clerk), q=":differs") == []


def test_views_are_saved_by_name_renamed_and_deleted_by_their_owner_alone(everybody):
    waiting_bill(everybody)
    client, other = signed_in(everybody.clerk), signed_in(everybody.second)
    saved = client.post(reverse("view-save"), {"name": " Large  bills ", "query": "wf=pay-bills&sort=exposure"})
    assert saved.url == "/queue/?wf=pay-bills&sort=exposure"
    view = SavedView.objects.get()
    assert view.name == "Large bills"
    assert "Large bills" in text_of(client.get(QUEUE))
    assert "Large bills" not in text_of(other.get(QUEUE))
    assert other.post(reverse("view-delete", args=[view.pk])).status_code == 404
    assert client.post(reverse("view-rename", args=[view.pk]), {"name": ""}).status_code == 422
    client.post(reverse("view-rename", args=[view.pk]), {"name": "Dear"})
    assert SavedView.objects.get().name == "Dear"
    for query in ("order_by=password", "sort=x", "//evil"):
        assert client.post(reverse("view-save"), {"name": "x", "query": query}).status_code == 422
    client.post(reverse("view-delete", args=[view.pk]))
    assert not SavedView.objects.exists()


def test_the_address_alone_opens_the_view_used_last(everybody):
    client = signed_in(everybody.clerk)
    client.get(QUEUE, {"view": "today", "sort": "oldest"})
    assert client.get(QUEUE).context["wanted"].query == "view=today&sort=oldest"
    client.cookies["last_view"] = f"{everybody.clerk.pk}:sort=password"
    assert client.get(QUEUE).context["wanted"].view == "mine"
    client.cookies["last_view"] = f"{everybody.second.pk}:view=today"
    assert client.get(QUEUE).context["wanted"].view == "mine"


def test_news_are_counted_against_what_the_page_knew_and_unchanged_is_304_in_three_statements(
    everybody, django_assert_max_num_queries
):
    waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    shown = client.get(QUEUE).context
    about = {"since": shown["since"], "known": shown["known"]}
    with django_assert_max_num_queries(3):
        assert client.get(reverse("queue-news"), about, HTTP_IF_NONE_MATCH=shown["etag"]).status_code == 304
    waiting_bill(everybody)
    news = client.get(reverse("queue-news"), about, HTTP_IF_NONE_MATCH=shown["etag"])
    assert "1 new case arrived. Your list has not moved." in " ".join(text_of(news).split())
    assert signed_in(everybody.outsider).get(reverse("queue-news"), about).context["new"] == 0
    assert client.get(reverse("queue-news"), {"since": "yesterday"}).status_code == 400


def test_a_case_that_comes_back_from_a_snooze_is_news_and_an_empty_list_fills_by_itself(everybody):
    review = waiting_bill(everybody)
    reviews.snooze(review_id=review.pk, actor=everybody.clerk, until=database_now() + timedelta(hours=1))
    Review.objects.update(opened_at=database_now() - timedelta(hours=1))
    client = signed_in(everybody.clerk)
    shown = client.get(QUEUE, {"view": "mine"}).context
    assert not shown["page"].rows
    Review.objects.update(snoozed_until=database_now())
    about = {"since": shown["since"], "known": shown["known"], "empty": "1"}
    filled = client.get(reverse("queue-news"), about, HTTP_IF_NONE_MATCH=shown["etag"])
    assert filled["HX-Retarget"] == ".split"
    assert review.title in text_of(filled)


def test_rows_tell_who_has_looked_who_holds_and_who_was_asked(everybody):
    review = waiting_bill(everybody)
    Draft.objects.create(task=review.task, user=everybody.second)
    client = signed_in(everybody.clerk)
    assert "looked at, not finished" in text_of(client.get(QUEUE))
    assert titles(signed_in(everybody.second), view="drafts") == ["KB-1"]
    assert titles(client, view="drafts") == []
    reviews.claim(review_id=review.pk, actor=everybody.second)
    assert "held by Second" in text_of(client.get(QUEUE, {"view": "clerks"}))
    for owner, found in (("others", ["KB-1"]), ("mine", []), ("free", [])):
        assert titles(client, view="clerks", owner=owner) == found
    answer(review, everybody.second, "ask", target="user:requester", comment="Why?")
    assert titles(client, view="asked") == ["KB-1"]


def test_similar_cases_have_the_same_rules_vendor_and_differences_and_little_at_stake(everybody):
    first, second = waiting_bill(everybody), waiting_bill(everybody)
    waiting_bill(everybody, amount="6000.00")
    waiting_bill(everybody, amount="30000.00", differences=0)
    assert titles(signed_in(everybody.clerk), view="mine", like=str(first.task_id)) == [first.number, second.number]
    assert signed_in(everybody.outsider).get(QUEUE, {"like": str(first.task_id)}).status_code == 404


def test_several_are_approved_only_where_nothing_differs_and_the_policy_says_so(everybody):
    clean = [waiting_bill(everybody, amount="30000.00", differences=0) for _ in range(2)]
    other, client, before = waiting_bill(everybody), signed_in(everybody.clerk), mark()
    assert "approved one by one" in text_of(do(client, "approve", *clean))
    everybody.policy.bulk_approve = True
    everybody.policy.save()
    assert "has differences" in text_of(do(client, "approve", *clean, other))
    assert not Approval.objects.exists()
    assert do(client, "approve", *clean).status_code == 302
    assert kinds_since(before).count("review.approved") == 2
    assert {vote.reviewer for vote in Approval.objects.all()} == {everybody.clerk}
    assert not Approval.objects.filter(review=other).exists()


def test_a_batch_is_taken_back_with_one_act_and_only_by_who_gave_it(everybody):
    everybody.policy.bulk_approve = True
    everybody.policy.save()
    clean = [waiting_bill(everybody, amount="30000.00", differences=0) for _ in range(2)]
    client = signed_in(everybody.clerk)
    do(client, "approve", *clean)
    [batch] = {vote.nonce.split(":")[1] for vote in Approval.objects.all()}
    undo = reverse("bulk-undo", args=[UUID(batch)])
    assert undo in text_of(client.get(QUEUE))
    assert signed_in(everybody.second).post(undo).status_code == 409
    client.post(undo)
    assert Review.objects.filter(status="recalled").count() == Review.objects.live().count() == 2


def test_a_case_that_is_not_ones_own_is_refused_by_name_and_the_others_are_done(everybody):
    mine, pausing = waiting_bill(everybody), waiting_bill(everybody, flagged=True)
    client = signed_in(everybody.clerk)
    response = do(client, "delegate", mine, pausing, person="second")
    assert f"Case {pausing.task_id}" in text_of(response)
    assert "not yours" in text_of(response)
    mine.refresh_from_db()
    assert mine.delegated_to == everybody.second


def test_a_case_that_changed_since_it_was_selected_is_left_alone(everybody):
    first, second = waiting_bill(everybody), waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    marks = [mark_of(first), f"{second.task_id}.{'0' * 64}"]
    fields = {"act": "delegate", "batch": "0197f0e0-0000-7000-8000-000000000000", "case": marks, "person": "second"}
    response = client.post(reverse("bulk-act"), fields)
    assert "has changed since it was opened" in text_of(response)
    assert set(Review.objects.values_list("delegated_to__username", flat=True)) == {"second", None}
    again = client.post(reverse("bulk-act"), fields)
    assert Approval.objects.count() == 1, text_of(again)


def test_several_are_snoozed_asked_about_and_rerouted(everybody):
    one, two = waiting_bill(everybody), waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    assert do(client, "ask", one, two, person="requester").status_code == 422
    assert do(client, "ask", one, two, person="requester", comment="Which order?").status_code == 302
    assert Review.objects.filter(asked=everybody.requester).count() == 2
    do(client, "snooze", one, two, until="hour")
    assert titles(client, view="snoozed") == titles(client, view="clerks")
    do(client, "reroute", one, two, queue="seniors", reason="wrong_team")
    assert Review.objects.live().filter(queue=everybody.seniors).count() == 2


def test_nothing_and_more_than_twenty_are_refused(everybody):
    waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    many = [f"0197f0e0-0000-7000-8000-{n:012}.x" for n in range(21)]
    for cases in ([], many, ["x.y"]):
        assert client.post(reverse("bulk"), {"act": "ask", "case": cases}).status_code == 422
    assert client.get(reverse("bulk")).status_code == 405
