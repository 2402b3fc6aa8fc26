"""The number beside a list is the number of its cases, however a person came by the right to see them."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.log import database_now
from orchestrator import grants
from orchestrator.models import Hold
from reviews import inbox
from reviews import services as reviews
from reviews.models import Draft, Review

from .cast import answer, cast, waiting_bill
from .desk import signed_in, text_of

pytestmark = pytest.mark.django_db
VIEWS = ("mine", "today", "blind", "asked", "drafts", "snoozed", "done")


@pytest.fixture
def everybody():
    return cast(undo_seconds=30)


def shown(client, **query):
    page = client.get("/queue/", query).context
    return page["here"], len(page["page"].rows)


def counts(client):
    page = client.get("/queue/", {"view": "mine"}).context
    return {view.name: view.count for view in (*page["own_views"], *page["queues"])}


def busy(everybody):
    """A case of every kind, seen by the clerk."""
    kinds = ("PLAIN", "HANDED", "ASKED", "SNOOZED", "HELD", "DRAFTED", "DECIDED")
    plain, handed, asked, snoozed, held, drafted, decided = (waiting_bill(everybody, number=kind) for kind in kinds)
    reviews.claim(review_id=held.pk, actor=everybody.second)
    Review.objects.filter(pk=handed.pk).update(delegated_to=everybody.second)
    Review.objects.filter(pk=asked.pk).update(asked=everybody.clerk)
    later = database_now() + timedelta(days=2)
    Review.objects.filter(pk=snoozed.pk).update(snoozed_until=later, snoozed_by=everybody.clerk)
    Draft.objects.create(task=drafted.task, user=everybody.clerk, data={"comment": "Later"})
    answer(decided, everybody.clerk, "reject")
    return plain


def test_every_view_has_as_many_cases_as_its_number_says(everybody):
    busy(everybody)
    client = signed_in(everybody.clerk)
    said = counts(client)
    for view in (*VIEWS, "clerks"):
        assert shown(client, view=view) == (said[view], int(said[view])), view
    assert (said["mine"], said["asked"], said["snoozed"], said["drafts"], said["done"]) == ("3", "1", "1", "1", "1")


@pytest.mark.breaks_invariants  # an earlier answer's right went with the group, behind everybody's back
def test_a_right_of_ones_own_beside_that_of_a_group_counts_a_case_once(everybody):
    busy(everybody)
    client, mine = signed_in(everybody.clerk), ("decide", everybody.clerk, everybody.clerks)
    assert counts(client)["mine"] == "3"
    grants.give(*mine, actor=everybody.admin)
    assert counts(client)["mine"] == "3"
    everybody.clerk.groups.clear()
    assert counts(client)["mine"] == "3"
    grants.take(*mine, actor=everybody.admin)
    assert counts(client)["mine"] == "1"  # what was put to the person stays theirs to answer


def test_the_number_of_a_narrowed_list_is_its_own(everybody):
    busy(everybody)
    client = signed_in(everybody.clerk)
    assert shown(client, view="mine", owner="mine") == ("0", 0)
    assert shown(client, view="clerks", owner="others") == ("1", 1)
    assert shown(client, view="mine", q="plain") == ("1", 1)
    assert shown(client, view="mine", wf="no-such-flow") == ("0", 0)


def test_what_somebody_else_holds_is_in_nobodys_inbox(everybody):
    busy(everybody)
    assert shown(signed_in(everybody.clerk), view="mine", owner="others") == ("0", 0)


@pytest.mark.parametrize("size", [50, 1])
def test_a_list_tells_how_long_its_oldest_case_has_waited_however_many_pages_it_has(everybody, monkeypatch, size):
    busy(everybody)
    monkeypatch.setattr(inbox, "PAGE", size)
    opened = dict(Review.objects.values_list("number", "opened_at"))
    for hours, number in enumerate(("PLAIN", "ASKED", "HANDED", "SNOOZED"), 1):
        Review.objects.filter(number=number).update(opened_at=opened[number] - timedelta(hours=hours, minutes=10))
    client = signed_in(everybody.clerk)
    expected = {"mine": 2, "clerks": 4, "asked": 2, "drafts": 0, "blind": None}
    found = {view: client.get("/queue/", {"view": view}).context["oldest"] for view in expected}
    assert {view: age and age // timedelta(hours=1) for view, age in found.items()} == expected
    assert "oldest 2 h 10 min" in text_of(client.get("/queue/", {"view": "mine"}))
    for query in ({"view": "mine", "wf": "pay-bills"}, {"view": "mine", "q": "kestrel"}):
        assert client.get("/queue/", query).context["oldest"] // timedelta(hours=1) == 2
    assert "· oldest" not in text_of(client.get("/queue/", {"view": "snoozed"}))


def headed(client, **query):
    return [(group.title, group.count) for group in client.get("/queue/", query).context["groups"]]


def in_bands(everybody, *bands):
    for number, band in enumerate(bands):
        review = waiting_bill(everybody, number=f"BAND-{number}")
        Review.objects.filter(pk=review.pk).update(band=band)


def test_every_heading_says_how_many_are_under_it_also_where_the_page_ends_among_them(everybody, monkeypatch):
    in_bands(everybody, 0, 1, 1, 3, 3, 3)
    everything = [("Overdue", "1"), ("Due within 2 hours", "2"), ("Later", "3")]
    client = signed_in(everybody.clerk)
    for view in ("mine", "clerks"):
        assert headed(client, view=view) == everything
    monkeypatch.setattr(inbox, "PAGE", 4)
    for query in ({"view": "mine"}, {"view": "clerks"}, {"view": "clerks", "wf": "pay-bills"}):
        assert headed(client, **query) == everything


def test_a_band_that_goes_on_from_the_page_before_has_its_number_there(everybody, monkeypatch):
    in_bands(everybody, 1, 1, 3, 3)
    monkeypatch.setattr(inbox, "PAGE", 1)
    client, seen, cursor = signed_in(everybody.clerk), [], ""
    for _ in range(4):
        page = client.get("/queue/", {"cursor": cursor}, headers={"HX-Request": "true", "HX-Target": "more"}).context
        seen += [(group.title, group.count) for group in page["groups"]]
        cursor = page["page"].next
    assert seen == [("Due within 2 hours", "2"), ("Due within 2 hours", ""), ("Later", "2"), ("Later", "")]


def test_a_queue_page_takes_at_most_twelve_statements_however_it_is_narrowed(everybody, monkeypatch):
    busy(everybody)
    monkeypatch.setattr(inbox, "PAGE", 1)
    client = signed_in(everybody.clerk)
    Hold.objects.create(scope=Hold.Scope.ALL, reason="While the bank is asked", pulled_by=everybody.manager)
    for query in ({"view": "mine"}, {"view": "mine", "wf": "pay"}, {"q": "plain"}, {"view": "all", "why": "differs"}):
        client.get("/queue/", query)
        with CaptureQueriesContext(connection) as statements:
            page = client.get("/queue/", query)
        assert len(statements) <= 12, (query, [found["sql"][:80] for found in statements])
        assert "On hold: every effect." in text_of(page)
