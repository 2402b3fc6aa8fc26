"""The pages of the trail: who sees what, filters in the URL, keyset pages, escaped records, and GET never writes."""

import json
from collections.abc import Iterator
from datetime import timedelta
from html.parser import HTMLParser
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from audit import views
from audit.log import Actor, person
from audit.models import Event
from audit.scopes import Scopes
from tests.trail import NOON, every_minute, happened

pytestmark = pytest.mark.django_db
EXPLORER = "/audit/"


def scopes_of(user) -> Scopes:
    """Who sees what in these tests, by account name."""
    return {
        "auditor": Scopes(everything=True),
        "clerk": Scopes(
            workflows=frozenset({"invoice-to-pay"}), queues=frozenset({"ap-exceptions"}), actor_id=str(user.pk)
        ),
        "outsider": Scopes(actor_id=str(user.pk)),
    }[user.get_username()]


@pytest.fixture(autouse=True)
def visible_scopes(settings):
    settings.AUDIT_VISIBLE_SCOPES = "tests.test_audit_pages.scopes_of"


def login(name: str) -> Client:
    user, _ = get_user_model().objects.get_or_create(username=name)
    client = Client()
    client.force_login(user)
    return client


def listed(client: Client, **filters: str) -> list[Event]:
    response = client.get(EXPLORER, filters)
    assert response.status_code == 200
    return response.context["page"].events


def all_pages(client: Client, **filters: str) -> Iterator[list[Event]]:
    before = ""
    while True:
        page = client.get(EXPLORER, {**filters, "before": before}).context["page"]
        yield page.events
        before = page.older
        if not before:
            return


def test_nobody_sees_the_trail_without_signing_in():
    event = happened()
    for path in (EXPLORER, event.get_absolute_url()):
        assert Client().get(path).headers["Location"].startswith("/accounts/login/")
    assert Client().post("/audit/export/?format=csv").status_code == 302
    assert not Event.objects.filter(kind="trail.exported").exists()


def test_each_sees_their_queues_their_workflows_outside_queues_and_what_they_did():
    clerk = login("clerk")
    me = get_user_model().objects.get(username="clerk")
    mine = happened("user.logged_in", actor=Actor("person", str(me.pk), "Clerk"))
    in_queue = happened(workflow="contract-review", queue="ap-exceptions")
    in_workflow = happened(workflow="invoice-to-pay")
    hidden = [
        happened(workflow="invoice-to-pay", queue="payroll"),
        happened(workflow="contract-review"),
        happened(),
        happened("source.read", actor=Actor("agent", str(me.pk), "An agent with the number of a person")),
    ]
    assert {event.pk for event in listed(clerk)} == {mine.pk, in_queue.pk, in_workflow.pk}
    assert listed(login("outsider")) == []
    assert len(listed(login("auditor"))) == 7
    for event in hidden:
        assert clerk.get(event.get_absolute_url()).status_code == 404
    assert clerk.get(in_queue.get_absolute_url()).status_code == 200


def test_not_yours_and_does_not_exist_are_the_same_answer():
    event, outsider = happened(), login("outsider")
    answers = [outsider.get(path) for path in (event.get_absolute_url(), f"/audit/{uuid4()}/")]
    assert [answer.status_code for answer in answers] == [404, 404]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "review.approved"),
        ("kind", "review"),
        ("actor", "7007"),
        ("actor", "mara"),
        ("actor", "Mara Lindholm"),
        ("run", "run-1"),
        ("workflow", "invoice-to-pay"),
        ("queue", "ap-exceptions"),
        ("since", "2026-11-20"),
        ("q", "r-9"),
        ("q", "run-1"),
    ],
)
def test_every_filter_stands_in_the_url(name, value):
    wanted = happened(
        "review.approved",
        subject=("review", "r-9"),
        actor=person(
            get_user_model().objects.create(pk=7007, username="mara", first_name="Mara", last_name="Lindholm")
        ),
        run="run-1",
        workflow="invoice-to-pay",
        queue="ap-exceptions",
    )
    happened(at=NOON - timedelta(days=1))
    assert [event.pk for event in listed(login("auditor"), **{name: value})] == [wanted.pk]
    assert [event.pk for event in listed(login("auditor"), q=str(wanted.pk))] == [wanted.pk]


def test_the_last_day_is_included():
    happened(at=NOON)
    auditor = login("auditor")
    assert len(listed(auditor, until="2026-11-20")) == 1
    assert len(listed(auditor, until="2026-11-19")) == 0
    assert len(listed(auditor, since="2026-11-21")) == 0


@pytest.mark.parametrize("filters", [{"since": "soon"}, {"kind": "run.exploded"}, {"q": "x" * 201}])
def test_a_filter_that_cannot_be_applied_is_named_and_shows_no_record(filters):
    happened()
    response = login("auditor").get(EXPLORER, filters)
    assert response.status_code == 422
    assert response.context["page"].events == []
    assert b"The filters cannot be applied." in response.content
    assert b'<table class="grid' not in response.content


def test_pages_follow_each_other_without_gap_or_overlap_also_within_one_millisecond(monkeypatch):
    monkeypatch.setattr(views, "PAGE", 4)
    events = [*every_minute(5), *(happened(at=NOON, subject=("run", f"same-{n}")) for n in range(6))]
    pages = list(all_pages(login("auditor")))
    assert [len(page) for page in pages] == [4, 4, 3]
    newest_first = sorted(((event.at, event.pk) for event in events), reverse=True)
    assert [(event.at, event.pk) for page in pages for event in page] == newest_first


def test_a_page_stays_where_it_was_when_new_events_arrive(monkeypatch):
    monkeypatch.setattr(views, "PAGE", 2)
    every_minute(4)
    auditor = login("auditor")
    first = auditor.get(EXPLORER).context["page"]
    happened(at=NOON + timedelta(hours=1))
    second = auditor.get(EXPLORER, {"before": first.older}).context["page"]
    assert [event.subject_id for event in second.events] == ["r1", "r0"]


@pytest.mark.parametrize("cursor", ["x", "1-2", f"{10**30}-{UUID(int=1)}", f"-{UUID(int=1)}"])
def test_a_cursor_nobody_handed_out_is_not_found(cursor):
    assert login("auditor").get(EXPLORER, {"before": cursor}).status_code == 404


def test_counting_stops_where_a_large_trail_would_make_people_wait(monkeypatch):
    monkeypatch.setattr(views, "COUNT_LIMIT", 3)
    every_minute(5)
    response = login("auditor").get(EXPLORER)
    assert response.context["page"].total == 4
    assert "More than 3" in response.content.decode()


def test_a_page_costs_few_statements_whatever_it_shows(django_assert_max_num_queries):
    every_minute(60)
    auditor = login("auditor")
    with django_assert_max_num_queries(8):
        auditor.get(EXPLORER)
    with django_assert_max_num_queries(8):
        auditor.get(Event.objects.first().get_absolute_url())


def test_hostile_text_is_shown_and_not_run():
    hostile = "<script>alert(1)</script>"
    facts = {"workflow": hostile, "queue": hostile, "run": hostile}
    actor = Actor("person", hostile, hostile)
    event = happened(subject=(hostile, hostile), actor=actor, data={"reason": hostile, hostile: [hostile]}, **facts)
    for path in (EXPLORER, event.get_absolute_url(), f"{EXPLORER}?q={hostile}&since={hostile}"):
        page = login("auditor").get(path).content.decode()
        assert "alert(1)" in page
        assert hostile not in page


def test_a_record_shows_its_data_line_by_line_and_its_exact_bytes():
    event = happened(
        "policy.evaluated", data={"fired": [{"rule": "over-50000", "value": True}], "note": "", "at": None}
    )
    text = visible_text(login("auditor").get(event.get_absolute_url()).content.decode())
    assert "fired › 1 › rule" in text
    assert "over-50000" in text
    assert event.body.decode() in text
    assert event.digest in text


def test_a_record_stands_between_what_came_before_and_after_in_its_run():
    run = [happened(run="run-1", at=NOON + timedelta(minutes=n), subject=("task", str(n))) for n in range(40)]
    happened(run="run-2", at=NOON)
    trail = login("auditor").get(run[20].get_absolute_url()).context["trail"]
    assert [event.subject_id for event in trail] == [str(n) for n in range(14, 27)]


def test_the_neighbours_of_a_record_are_only_those_one_may_see():
    happened(run="run-1", workflow="invoice-to-pay", queue="payroll", at=NOON - timedelta(minutes=1))
    shown = happened(run="run-1", workflow="invoice-to-pay", queue="ap-exceptions")
    assert login("clerk").get(shown.get_absolute_url()).context["trail"] == [shown]


def test_the_record_beside_the_list_is_the_one_chosen_or_else_the_newest():
    events = every_minute(3)
    auditor = login("auditor")
    assert auditor.get(EXPLORER).context["event"] == events[2]
    assert auditor.get(EXPLORER, {"show": str(events[0].pk)}).context["event"] == events[0]
    assert auditor.get(EXPLORER, {"show": "nonsense"}).context["event"] == events[2]
    assert auditor.get(EXPLORER, {"q": "nothing"}).context["event"] is None


def test_a_part_of_the_page_is_the_same_as_in_the_page():
    every_minute(2)
    auditor = login("auditor")
    part = auditor.get(EXPLORER, headers={"HX-Request": "true"})
    assert part.content.decode().startswith(("\n", "<div"))
    assert b"<html" not in part.content
    assert "HX-Request" in part.headers["Vary"]
    restored = auditor.get(EXPLORER, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert b"<html" in restored.content


def test_reading_writes_nothing():
    event, auditor = happened(), login("auditor")
    with refusing_writes():
        for path in (EXPLORER, f"{EXPLORER}?q=r1", event.get_absolute_url()):
            assert auditor.get(path).status_code == 200
    assert auditor.get("/audit/export/?format=csv").status_code == 405
    assert auditor.post(EXPLORER).status_code == 405
    assert Event.objects.count() == 1


def test_an_export_from_the_page_holds_what_the_page_shows_and_is_recorded():
    shown = happened(workflow="invoice-to-pay", run="run-1")
    happened(workflow="invoice-to-pay", run="run-2")
    happened(workflow="contract-review", run="run-1")
    response = login("clerk").post("/audit/export/?run=run-1", {"format": "jsonl"})
    assert b"".join(response.streaming_content) == shown.body + b"\n"
    assert response.headers["Content-Type"] == "application/jsonl"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="countersign-trail-2')
    record = Event.objects.get(kind="trail.exported")
    assert record.actor_label == "clerk"
    assert json.loads(record.body)["data"] == {"filters": {"runs": ["run-1"]}}


@pytest.mark.parametrize(
    "path", ["/audit/export/?format=exe", "/audit/export/", "/audit/export/?format=csv&since=soon"]
)
def test_an_export_that_cannot_be_made_is_refused_and_not_recorded(path):
    assert login("auditor").post(path).status_code == 422
    assert not Event.objects.exists()


def test_an_export_needs_the_page_it_was_asked_from():
    client = login("auditor")
    strict = Client(enforce_csrf_checks=True, headers={})
    strict.cookies = client.cookies
    assert strict.post("/audit/export/?format=csv").status_code == 403


class Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def visible_text(page: str) -> str:
    parser = Text()
    parser.feed(page)
    return " ".join("".join(parser.parts).split(" "))


def refusing_writes():
    def only_reads(execute, statement, parameters, many, context):
        assert statement.lstrip(" (\n").upper().startswith("SELECT"), statement
        return execute(statement, parameters, many, context)

    return connection.execute_wrapper(only_reads)
