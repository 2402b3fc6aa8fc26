"""Runs and documents over the API: what is taken, what is answered, and who sees what."""

from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model

from audit.models import Event
from orchestrator import engine, grants, services
from orchestrator.models import Document, Run, Workflow

from .api import PDF, Caller, fields
from .cast import second_admin
from .engine_agents import line

pytestmark = pytest.mark.django_db

WITH_DOCUMENT = """
workflow: papers
title: Papers
input: {document: document, note: string?}
steps:
  count: {agent: test.count}
"""


@pytest.fixture
def admin():
    return get_user_model().objects.create_user("admin")


@pytest.fixture
def requester(admin):
    user = get_user_model().objects.create_user("requester")
    for source in (line("simple", ["test.count"] * 2), WITH_DOCUMENT):
        workflow = services.save_workflow(source=source, actor=admin, second=second_admin()).workflow
        grants.give("start_run", user, workflow, actor=admin)
    return user


@pytest.fixture
def caller(requester):
    return Caller(requester)


@pytest.fixture
def outsider():
    return Caller(get_user_model().objects.create_user("outsider"))


def work() -> None:
    while engine.drain(budget=5):
        pass


def test_a_run_is_started_and_looked_at_until_it_has_ended(caller):
    started = caller.post("runs", {"workflow": "simple", "input": {}, "subject": "INV-7"})
    assert started.status_code == 201
    run = started.json()
    assert started["Location"] == f"/api/v1/runs/{run['id']}"
    assert (run["status"], run["workflow"], run["version"], run["subject"]) == ("running", "simple", 1, "INV-7")
    work()
    run = caller.get(f"runs/{run['id']}").json()
    assert (run["status"], run["outcome"], run["started_by"]) == ("succeeded", "done", "requester")
    assert [(task["step"], task["status"], task["agent"]) for task in run["tasks"]] == [
        ("s0", "succeeded", "test.count"),
        ("s1", "succeeded", "test.count"),
    ]
    assert run["tasks"][0]["input"] == {"input": {}}
    assert run["tasks"][0]["output"] == {"n": 2, "ok": True} == run["data"]["s0"]
    assert [(d["actor"], d["actor_kind"], d["confidence"]) for d in run["decisions"]] == [
        ("test.count", "agent", 0.97)
    ] * 2
    assert run["ended_at"].endswith("Z")
    assert run["cost"] == {"amount": "0.000000", "currency": "EUR"}


def test_the_same_key_and_body_give_the_same_run(caller):
    key = {"Idempotency-Key": "order-4711"}
    first = caller.post("runs", {"workflow": "simple", "input": {}}, **key)
    again = caller.post("runs", {"workflow": "simple", "input": {}}, **key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert Run.objects.count() == 1


@pytest.mark.parametrize("change", [{"input": {"works_at": 1}}, {"subject": "another"}, {"workflow": "papers"}])
def test_p06_another_body_under_the_same_key_is_refused_and_nothing_is_started(caller, change):
    key = {"Idempotency-Key": "order-4711"}
    caller.post("runs", {"workflow": "simple", "input": {}}, **key)
    document = {"documents": [caller.upload().json()["id"]]} if "workflow" in change else {}
    other = caller.post("runs", {"workflow": "simple", "input": {}, **change, **document}, **key)
    assert other.status_code == 422
    assert other.json()["code"] == "key_reused"
    assert fields(other) == ["Idempotency-Key"]
    assert Run.objects.count() == 1


def test_a_key_belongs_to_whoever_used_it(caller, admin):
    grants.give("start_run", admin, Workflow.objects.get(name="simple"), actor=admin)
    bodies = [c.post("runs", {"workflow": "simple"}, **{"Idempotency-Key": "k"}) for c in (caller, Caller(admin))]
    assert [body.status_code for body in bodies] == [201, 201]


def test_input_that_does_not_fit_the_schema_is_refused_by_field(caller):
    refused = caller.post("runs", {"workflow": "simple", "input": {"works_at": "soon"}})
    assert refused.status_code == 422
    assert fields(refused) == ["works_at"]
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    "extra", [{"status": "succeeded"}, {"started_by": 1}, {"policy_version": str(uuid4())}, {"documents": "all"}]
)
def test_p02_a_field_nobody_may_set_is_refused(caller, extra):
    refused = caller.post("runs", {"workflow": "simple", **extra})
    assert refused.status_code == 422
    assert fields(refused) == [next(iter(extra))]
    assert not Run.objects.exists()


def test_p01_a_workflow_somebody_may_not_start_is_like_one_that_does_not_exist(outsider, requester):
    answers = [outsider.post("runs", {"workflow": name}) for name in ("simple", "nothing")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()


def test_p01_a_run_of_somebody_else_is_like_one_that_does_not_exist(caller, outsider):
    run = caller.post("runs", {"workflow": "simple"}).json()["id"]
    for call in (outsider.get, outsider.post):
        for path in ("runs/{}", "runs/{}/cancel"):
            mine, none = call(path.format(run)), call(path.format(uuid4()))
            assert mine.status_code == none.status_code
            assert mine.json() == none.json()
    assert outsider.get(f"runs/{run}").status_code == 404
    assert outsider.get("runs").json() == {"items": [], "next": None}


def test_a_document_fills_the_field_that_takes_one_and_the_rest_are_attached(caller):
    stored = caller.upload()
    assert stored.status_code == 201
    document = stored.json()
    assert (document["media_type"], document["name"]) == ("application/pdf", "invoice.pdf")
    assert caller.get(f"documents/{document['id']}").json() == document
    note = caller.upload(b"<?xml version='1.0'?><note/>", "note.xml").json()["id"]
    run = caller.post("runs", {"workflow": "papers", "documents": [document["id"], note]}).json()
    assert run["input"] == {"document": document["id"]}
    assert {(row["id"], row["role"]) for row in run["documents"]} == {
        (document["id"], "document"),
        (note, "attachment-1"),
    }


def test_p01_a_document_of_somebody_else_can_be_neither_seen_nor_used(caller, outsider):
    theirs = outsider.upload().json()["id"]
    assert caller.get(f"documents/{theirs}").status_code == 404
    for body in ({"documents": [theirs]}, {"input": {"document": theirs}}):
        known = caller.post("runs", {"workflow": "papers", **body})
        unknown = caller.post("runs", {"workflow": "papers", "documents": [str(uuid4())]})
        assert known.status_code == 404
        assert known.json() == unknown.json()
    assert not Run.objects.exists()


def test_input_that_names_no_document_is_refused_by_field(caller):
    refused = caller.post("runs", {"workflow": "papers", "input": {"document": "the one from monday"}})
    assert refused.status_code == 422
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"", 422), (b"PK\x03\x04" + b"\0" * 40, 415), (b"<html><script>", 415), (b"\x01\x02\x03\x04", 415)],
    ids=["empty", "archive", "web page", "unknown"],
)
def test_a_file_of_a_kind_nobody_reads_is_not_taken_in(caller, data, status):
    refused = caller.upload(data, "innocent.pdf")
    assert refused.status_code == status
    assert fields(refused) == ["file"]
    assert not Document.objects.exists()


def test_a_file_that_is_too_large_is_not_taken_in(caller, settings):
    settings.DOCUMENT_MAX_BYTES = 1000
    assert caller.upload(PDF + b"\n" * 1000).status_code == 413
    assert caller.upload(PDF + b"\n" * 200_000).status_code == 413
    assert not Document.objects.exists()


def test_an_upload_is_one_part_named_file(caller):
    assert fields(caller.upload(note="hello")) == ["note"]
    assert caller.client.post("/api/v1/documents", {"paper": "x"}, headers=caller.headers()).status_code == 422
    assert caller.raw("documents", PDF, "application/pdf").status_code == 415
    assert caller.post("documents", {"file": "abc"}).status_code == 415


def test_runs_are_listed_newest_first_page_by_page(caller):
    made = [caller.post("runs", {"workflow": "simple", "subject": f"n{n}"}).json()["id"] for n in range(5)]
    seen, cursor = [], ""
    while True:
        page = caller.get("runs", limit=2, **({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made[::-1]


def test_runs_are_filtered_by_status_workflow_and_subject(caller):
    one = caller.post("runs", {"workflow": "simple", "subject": "one"}).json()["id"]
    work()
    two = caller.post("runs", {"workflow": "simple", "subject": "two"}).json()["id"]

    def ids(**query):
        return [item["id"] for item in caller.get("runs", **query).json()["items"]]

    assert ids(status="succeeded") == [one]
    assert ids(status="running", workflow="simple") == [two]
    assert ids(subject="one") == [one]
    assert ids(workflow="papers") == []


@pytest.mark.parametrize(
    "query",
    ["status=done", "colour=red", "status=running&status=failed", "cursor=abc", "limit=0", "limit=9999", "subject=%00"],
)
def test_p05_a_list_refuses_what_it_does_not_understand(caller, query):
    refused = caller.client.get(f"/api/v1/runs?{query}", headers=caller.headers())
    assert refused.status_code == 422
    assert fields(refused) == [query.partition("=")[0]]


def test_whoever_started_a_run_may_cancel_it_once(caller):
    run = caller.post("runs", {"workflow": "simple"}).json()["id"]
    cancelled = caller.post(f"runs/{run}/cancel", {"reason": "entered twice"})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["outcome"] == "entered twice"
    again = caller.post(f"runs/{run}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_somebody_who_sees_a_run_may_not_therefore_cancel_it(caller, outsider, admin):
    run = caller.post("runs", {"workflow": "simple"}).json()["id"]
    watcher = get_user_model().objects.get(username="outsider")
    grants.give("view_runs", watcher, Workflow.objects.get(name="simple"), actor=admin)
    assert outsider.get(f"runs/{run}").status_code == 200
    refused = outsider.post(f"runs/{run}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
    assert Run.objects.get().status == "running"


def test_workflows_tell_what_may_be_started_and_what_a_run_takes(caller, outsider):
    items = caller.get("workflows").json()["items"]
    assert [(item["name"], item["may_start"]) for item in items] == [("papers", True), ("simple", True)]
    assert items[0]["input"]["properties"]["document"]["format"] == "document"
    assert outsider.get("workflows").json()["items"] == []


def test_the_trail_of_a_run_is_read_in_order_by_those_who_may(caller, outsider, requester, admin):
    run = caller.post("runs", {"workflow": "simple"}).json()["id"]
    work()
    assert [item["kind"] for item in caller.get("trail", run=run).json()["items"]] == ["run.started"]
    grants.give("view_runs", requester, Workflow.objects.get(name="simple"), actor=admin)
    first = caller.get("trail", run=run, limit=3).json()
    rest = caller.get("trail", run=run, cursor=first["next"]).json()
    kinds = [item["kind"] for item in first["items"] + rest["items"]]
    assert kinds == ["run.started", "task.succeeded", "task.succeeded", "run.succeeded"]
    assert first["items"][0]["actor"] == {"kind": "person", "id": str(requester.pk), "label": "requester"}
    assert first["items"][0]["digest"] == Event.objects.get(pk=UUID(first["items"][0]["id"])).digest
    assert [item["kind"] for item in caller.get("trail", run=run, kind="run").json()["items"]] == [
        "run.started",
        "run.succeeded",
    ]
    assert outsider.get("trail", run=run).json() == {"items": [], "next": None}
    assert fields(caller.get("trail", kind="weather")) == ["kind"]
