"""Runs as people follow them, starting them by form, the hold switch, preferences and figures."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.urls import reverse

from orchestrator import services
from orchestrator.grants import give
from orchestrator.models import Document, Hold, Run, Workflow
from reviews.models import Preference, Review

from .cast import POLICY, WORKFLOW, answer, bill, cast, group, person, second_admin, waiting_bill, work
from .desk import decide, signed_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody():
    return cast(undo_seconds=0)


def run_url(run, what=""):
    return reverse(f"run{what and '-'}{what}", args=[run.pk])


def operator(name="operator"):
    user = person(name, "operators")
    for codename in ("pull_hold", "resolve_incident"):
        user.user_permissions.add(Permission.objects.get(codename=codename))
    return user


def test_the_run_page_tells_what_is_done_what_waits_and_what_is_to_come(everybody):
    run = waiting_bill(everybody).run
    response = signed_in(everybody.requester).get(run_url(run))
    story = response.context["story"]
    assert [(line.step.name, line.state) for line in story.lines] == [
        ("read", "done"),
        ("vendor", "done"),
        ("check", "done"),
        ("approve", "waiting"),
    ]
    assert [line.step.name for line in story.to_come] == ["pay"]
    assert story.current.step.name == "approve"
    assert story.stopped_by == 1
    page = text_of(response)
    assert 'aria-label="Read 1 difference: done"' in page
    assert "step" in page


def test_a_step_chosen_in_the_address_is_shown_with_what_it_read_and_handed_on(everybody):
    run = waiting_bill(everybody).run
    page = text_of(signed_in(everybody.requester).get(run_url(run), {"step": "vendor"}))
    assert "vendors: id = V1" in page
    assert "&quot;vendor_id&quot;: &quot;V1&quot;" in page


def test_a_chosen_step_shows_what_it_was_given(everybody):
    run = waiting_bill(everybody).run
    response = signed_in(everybody.requester).get(run_url(run), {"step": "vendor"})
    assert response.context["given"]["read"]["invoice"]["invoice_number"] == run.input["number"]
    assert "Input</summary>" in text_of(response)
    to_come = signed_in(everybody.requester).get(run_url(run), {"step": "pay"})
    assert to_come.context["given"] is None


def test_what_has_finished_in_a_graph_of_more_than_thirty_steps_is_drawn_as_one(everybody):
    counts = [f"  n{n}: {{agent: test.count, needs: [{f'n{n - 1}' if n else 'check'}]}}\n" for n in range(30)]
    source = WORKFLOW.replace("pay-bills", "long").replace("  approve:", "".join(counts) + "  approve:")
    services.save_workflow(
        source=source.replace("needs: [check]}\n  pay", "needs: [n29]}\n  pay"),
        actor=everybody.admin,
        second=second_admin(),
    )
    give("start_run", everybody.requester, Workflow.objects.get(name="long"), actor=everybody.admin)
    given = {"amount": "9.00", "number": "L-1", "differences": 1}
    run, _ = services.start_run(workflow="long", input=given, actor=everybody.requester)
    work()
    client = signed_in(everybody.requester)
    graph = client.get(run_url(run)).context["graph"]
    assert (graph.nodes[0].title, graph.nodes[0].note) == ("33 steps done", "1 with differences")
    assert [node.step for node in graph.nodes] == ["", "approve", "pay"]
    assert len(client.get(run_url(run), {"graph": "whole"}).context["graph"].nodes) == 35


def test_a_run_that_is_not_yours_is_not_there(everybody):
    run = waiting_bill(everybody).run
    assert signed_in(everybody.outsider).get(run_url(run)).status_code == 404
    assert signed_in(everybody.outsider).get(run_url(run, "state")).status_code == 404


def test_a_run_leads_to_its_case_for_those_alone_who_may_open_it(everybody):
    review, reader = waiting_bill(everybody), person("reader")
    give("view_runs", reader, review.run.version.workflow, actor=everybody.admin)
    case = reverse("case", args=[review.task_id])
    for who, sees in ((everybody.clerk, True), (reader, False)):
        client = signed_in(who)
        assert client.get(case).status_code == (200 if sees else 404)
        assert (f'href="{case}"' in text_of(client.get(run_url(review.run)))) is sees


def test_a_review_step_nobody_had_to_look_at_leads_nowhere(everybody):
    run = bill(everybody)
    page = text_of(signed_in(everybody.requester).get(run_url(run), {"step": "approve"}))
    assert "No policy asked for a person." in page
    assert reverse("case", args=[run.tasks.get(step="approve").pk]) not in page


def test_polling_answers_304_until_something_has_moved(everybody):
    review = waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    first = client.get(run_url(review.run, "state"))
    assert first.status_code == 200
    again = client.get(run_url(review.run, "state"), headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    answer(review, everybody.clerk)
    Review.objects.update(undo_until=Now() - timedelta(seconds=1))
    work()
    moved = client.get(run_url(review.run, "state"), headers={"If-None-Match": first["ETag"]})
    assert moved.status_code == 200
    assert "succeeded" in text_of(moved)
    assert 'id="steps"' in text_of(moved), "the timeline moves with the graph"
    assert "data-poll" not in text_of(moved)


def test_runs_are_listed_newest_first_and_narrowed(everybody):
    done, waiting = bill(everybody), waiting_bill(everybody).run
    client = signed_in(everybody.requester)
    assert [run.pk for run in client.get("/runs/").context["page"].rows] == [waiting.pk, done.pk]
    assert [run.pk for run in client.get("/runs/", {"status": "succeeded"}).context["page"].rows] == [done.pk]
    assert [run.pk for run in client.get("/runs/", {"status": "open"}).context["page"].rows] == [waiting.pk]
    assert client.get("/runs/", {"status": "gone"}).status_code == 422


def test_the_reason_a_run_was_rejected_for_stands_in_words(everybody):
    rejected = waiting_bill(everybody)
    decide(signed_in(everybody.clerk), rejected, "reject", reason__reject="wrong_amount")
    work()
    shown = signed_in(everybody.requester)
    for page in (text_of(shown.get(reverse("runs"))), text_of(shown.get(run_url(rejected.run)))):
        assert "wrong amount</" in page
        assert ">wrong_amount<" not in page


def test_whoever_started_a_run_may_cancel_it_with_a_reason(everybody):
    run = waiting_bill(everybody).run
    assert signed_in(everybody.clerk).post(run_url(run, "cancel"), {"reason": "no"}).status_code == 403
    client = signed_in(everybody.requester)
    assert client.post(run_url(run, "cancel"), {"reason": ""}).status_code == 422
    assert client.post(run_url(run, "cancel"), {"reason": "Sent by mistake"}).status_code == 302
    run.refresh_from_db()
    assert run.status == Run.Status.CANCELLED
    assert client.post(run_url(run, "cancel"), {"reason": "Again"}).status_code == 409


def test_a_run_is_started_by_a_form_made_from_the_workflows_input(everybody):
    workflow = Workflow.objects.get(name="pay-bills")
    client = signed_in(everybody.outsider)
    url = reverse("start-workflow", args=["pay-bills"])
    assert client.get(url).status_code == 404
    give("start_run", everybody.outsider, workflow, actor=everybody.admin)
    assert "Pay bills" in text_of(client.get("/start/"))
    missing = client.post(url, {"amount": "12.00"})
    assert missing.status_code == 422
    assert 'href="#id_number"' in text_of(missing)
    started = client.post(url, {"amount": "12.00", "number": "N-1", "differences": "2"})
    run = Run.objects.get()
    assert started.url == run_url(run)
    assert run.input == {"amount": "12.00", "number": "N-1", "differences": 2, "flagged": False}
    assert run.started_by == everybody.outsider


def test_an_uploaded_document_fills_its_field_and_can_be_downloaded_and_read(everybody):
    source = WORKFLOW.replace("workflow: pay-bills", "workflow: scans").replace("input: {", "input: {scan: document, ")
    services.save_policy(source=POLICY, actor=everybody.admin, second=second_admin())
    services.save_workflow(source=source, actor=everybody.admin, second=second_admin())
    give("start_run", everybody.outsider, Workflow.objects.get(name="scans"), actor=everybody.admin)
    client = signed_in(everybody.outsider)
    xml = b'<?xml version="1.0"?><Invoice><ID>A-1</ID></Invoice>'
    upload = SimpleUploadedFile('../"x".xml', xml, "text/html")
    client.post(reverse("start-workflow", args=["scans"]), {"scan": upload, "amount": "1.00", "number": "N-1"})
    document = Document.objects.get()
    original = client.get(reverse("document-original", args=[document.pk]))
    assert original.content == xml
    assert original["Content-Disposition"].startswith("attachment")
    assert original["X-Content-Type-Options"] == "nosniff"
    assert original["Content-Security-Policy"].startswith("sandbox")
    assert "ID: A-1" in text_of(client.get(reverse("document-text", args=[document.pk])))
    assert signed_in(everybody.clerk).get(reverse("document-original", args=[document.pk])).status_code == 404


def test_operators_stop_effects_and_everybody_is_told(everybody):
    assert signed_in(everybody.clerk).get("/holds/").status_code == 403
    client = signed_in(operator())
    assert client.post("/holds/", {"scope": "kind", "value": "", "reason": "x"}).status_code == 422
    assert client.post("/holds/", {"scope": "all", "value": "", "reason": "Bank is closed"}).status_code == 302
    assert client.post("/holds/", {"scope": "all", "value": "", "reason": "Again"}).status_code == 409
    assert "Bank is closed" in text_of(signed_in(everybody.clerk).get("/queue/"))
    release = reverse("hold-release", args=[Hold.objects.get().pk])
    assert "Another operator releases it" in text_of(client.get("/holds/"))
    assert client.post(release).status_code == 403
    assert signed_in(operator("other-operator")).post(release).status_code == 302
    assert "Bank is closed" not in text_of(signed_in(everybody.clerk).get("/queue/"))


def test_preferences_change_every_page(everybody):
    client = signed_in(everybody.clerk)
    liked = {"theme": "dark", "density": "roomy", "mail": "each", "undo_seconds": "30"}
    assert client.post("/me/", liked).status_code == 302
    kept = Preference.objects.get()
    assert (kept.theme, kept.undo_seconds, kept.single_keys, kept.auto_next) == ("dark", 30, False, False)
    page = text_of(client.get("/queue/"))
    assert 'data-theme="dark"' in page
    assert 'data-keys="off"' in page
    assert client.post("/me/", liked | {"theme": "pink"}).status_code == 422


def test_what_is_not_there_is_said_in_words(everybody):
    response = signed_in(everybody.clerk).get("/nowhere/")
    assert response.status_code == 404
    assert "There is nothing here for you" in text_of(response)


def test_signing_in_and_out(client, everybody):
    assert "You are not signed in" in text_of(
        client.post("/accounts/login/", {"username": "clerk", "password": "wrong"})
    )
    assert client.post("/accounts/login/", {"username": "clerk", "password": "known"}).url == "/queue/"
    assert client.get("/accounts/logout/").status_code == 405
    assert client.post("/accounts/logout/").url == "/accounts/login/"


def test_the_groups_of_a_person_stand_with_their_preferences(everybody):
    assert group("clerks").name in text_of(signed_in(everybody.clerk).get("/me/"))
