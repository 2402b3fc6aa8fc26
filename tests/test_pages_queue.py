"""The queue: what a person sees of it, in which order, page by page, and how the next case is taken."""

from datetime import timedelta

import pytest
from django.urls import reverse

from audit.log import database_now
from audit.models import Event
from reviews import inbox
from reviews import services as reviews
from reviews.models import Draft, Review

from .cast import answer, cast, waiting_bill
from .desk import MOST_NODES, case_url, nodes_of, signed_in, text_of

pytestmark = pytest.mark.django_db
QUEUE = "/queue/"


@pytest.fixture
def everybody():
    return cast(undo_seconds=10)


def titles(client, **query):
    page = client.get(QUEUE, query).context["page"]
    return [row.number for row in page.rows]


def test_the_first_address_leads_to_the_queue_and_the_queue_to_signing_in(client):
    assert client.get("/").url == QUEUE
    assert client.get(QUEUE).url == f"/accounts/login/?next={QUEUE}"


def test_cases_stand_by_exposure_within_their_due_band(everybody):
    for amount in ("100.00", "9000.00", "500.00"):
        waiting_bill(everybody, amount=amount)
    assert titles(signed_in(everybody.clerk)) == ["KB-2", "KB-3", "KB-1"]
    assert titles(signed_in(everybody.clerk), sort="oldest") == ["KB-1", "KB-2", "KB-3"]
    assert titles(signed_in(everybody.clerk), sort="newest") == ["KB-3", "KB-2", "KB-1"]
    assert titles(signed_in(everybody.clerk), sort="exposure") == ["KB-2", "KB-3", "KB-1"]


def test_pages_follow_each_other_without_gap_or_repetition(everybody, monkeypatch):
    monkeypatch.setattr(inbox, "PAGE", 2)
    for number in range(5):
        waiting_bill(everybody, amount=f"{100 + number % 2}.00")
    client, seen, cursor = signed_in(everybody.clerk), [], ""
    for sort in ("due", "oldest", "newest", "exposure"):
        seen, cursor = [], ""
        while True:
            page = client.get(QUEUE, {"cursor": cursor, "sort": sort}).context["page"]
            seen += [row.number for row in page.rows]
            cursor = page.next
            if not cursor:
                break
        assert sorted(seen) == [f"KB-{n}" for n in range(1, 6)]


@pytest.mark.parametrize(
    "query",
    [
        "cursor=x",
        "cursor=2026-01-01~1~2~3~4",
        "cursor=~~~~",
        "cursor=1~99999999999999999999~2026-01-01T00:00:00%2B00:00~0197f0e0-0000-7000-8000-000000000000",
        "cursor=1~1~2026-01-01T00:00:00~0197f0e0-0000-7000-8000-000000000000",
        "sort=password",
        "sort=-due_at",
        "order_by=password",
        "limit=1000000000",
        "view__name=x",
        "view=a%20b",
        "wf='",
        "owner=root",
        "like=1",
        "q=%00",
        "q=" + "x" * 101,
    ],
)
def test_an_address_that_is_none_of_ours_is_refused_and_said_why(everybody, query):
    waiting_bill(everybody)
    response = signed_in(everybody.clerk).get(f"{QUEUE}?{query}")
    assert response.status_code == 400
    assert "expected" in text_of(response)


def test_search_finds_number_vendor_and_title_and_says_when_nothing_fits(everybody):
    waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    assert titles(client, q="kb-1") == ["KB-1"]
    assert titles(client, q="kestrel") == ["KB-1"]
    nothing = client.get(QUEUE, {"q": "nobody%"})
    assert not nothing.context["page"].rows
    assert "No case matches" in text_of(nothing)


def test_the_list_is_narrowed_by_workflow_and_by_the_rule_that_stopped_a_case(everybody):
    waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    assert titles(client, wf="pay-bills", why="differs") == ["KB-1"]
    assert titles(client, why="flagged") == []
    assert titles(client, wf="other") == []


def test_views_count_what_they_list(everybody):
    first, second = waiting_bill(everybody), waiting_bill(everybody)
    answer(first, everybody.clerk)
    client = signed_in(everybody.clerk)
    response = client.get(QUEUE)
    counts = {view.name: view.count for view in [*response.context["own_views"], *response.context["queues"]]}
    nothing = dict.fromkeys(("blind", "asked", "drafts", "snoozed"), "0")
    assert counts == {"mine": "1", "today": counts["today"], **nothing, "done": "1", "clerks": "1"}
    assert titles(client, view="done") == [first.number]
    assert titles(client, view="clerks") == [second.number]


def test_a_queue_that_is_not_yours_lists_nothing(everybody):
    waiting_bill(everybody)
    outsider = signed_in(everybody.outsider)
    assert titles(outsider, view="clerks") == []
    assert "No queue is yours" in text_of(outsider.get(QUEUE, {"view": "mine"}))


def test_what_somebody_else_holds_is_not_in_my_queue(everybody):
    review = waiting_bill(everybody)
    reviews.claim(review_id=review.pk, actor=everybody.second)
    assert titles(signed_in(everybody.clerk)) == []
    assert titles(signed_in(everybody.clerk), view="clerks") == ["KB-1"]


def test_start_reviewing_claims_the_first_case_of_the_list(everybody):
    waiting_bill(everybody, amount="10.00")
    dear = waiting_bill(everybody, amount="5000.00")
    response = signed_in(everybody.clerk).post(reverse("queue-next") + "?wf=pay-bills")
    assert response.url == f"{case_url(dear)}?wf=pay-bills"
    dear.refresh_from_db()
    assert (dear.status, dear.claimed_by) == (Review.Status.CLAIMED, everybody.clerk)


def test_an_empty_desk_is_no_error(everybody):
    client = signed_in(everybody.clerk)
    assert client.post(reverse("queue-next")).url == QUEUE
    assert "Nothing is waiting for you" in text_of(client.get(QUEUE))


def test_the_queue_takes_at_most_twelve_statements(everybody, django_assert_max_num_queries):
    for _ in range(3):
        waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    client.get(QUEUE)  # content types are looked up once per process
    with django_assert_max_num_queries(12):
        assert len(client.get(QUEUE).context["page"].rows) == 3


def test_looking_at_the_list_writes_nothing(everybody):
    review = waiting_bill(everybody)
    client, before = signed_in(everybody.clerk), Event.objects.count()
    client.get(QUEUE)
    client.get(case_url(review, "peek"))
    assert Event.objects.count() == before


def test_a_page_of_the_longest_rows_stays_light(everybody):
    """Rows with all a row may tell: each costs the same, so two of them tell what fifty do."""
    client, weights = signed_in(everybody.clerk), []
    for number in range(3):
        review = waiting_bill(everybody, number=f"KB-{number}", differences=3)
        answer(review, everybody.clerk, "delegate", target="user:second")
        reviews.snooze(review_id=review.pk, actor=everybody.second, until=database_now() + timedelta(hours=1))
        Draft.objects.create(task=review.task, user=everybody.second, data={"comment": "Later"})
        Review.objects.filter(pk=review.pk).update(
            claimed_by=everybody.second, claimed_until=database_now() + timedelta(hours=1)
        )
        weights.append(nodes_of(text_of(client.get(QUEUE, {"view": "clerks"}))))
    row = weights[2] - weights[1]
    assert weights[1] - weights[0] == row
    assert weights[0] + (inbox.PAGE - 1) * row <= MOST_NODES
