"""Workflows in the admin: one person hands a definition over, another puts exactly that in force."""

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.test import Client

from audit.models import Event
from orchestrator import services
from orchestrator.models import Workflow, WorkflowVersion

from .cast import person
from .desk import admin_named
from .engine_agents import line

pytestmark = pytest.mark.django_db
ONE, TWO = line("simple", ["test.count"]), line("simple", ["test.count"] * 2)
ADD = "/admin/orchestrator/workflow/add/"


@pytest.fixture
def author():
    return admin_named("author")


@pytest.fixture
def second():
    return admin_named("second")


def page_of(workflow: Workflow, page: str = "change") -> str:
    return f"/admin/orchestrator/workflow/{workflow.pk}/{page}/"


def put_in_force(client: Client, workflow: Workflow) -> str:
    return client.post(page_of(workflow, "publish"), follow=True).content.decode()


@pytest.fixture
def workflow(author, second) -> Workflow:
    """Its first version is in force."""
    author.post(ADD, {"source": ONE})
    found = Workflow.objects.get()
    put_in_force(second, found)
    found.refresh_from_db()
    return found


def test_a_definition_is_refused_with_its_objections_by_path(author):
    assert author.get(ADD).status_code == 200
    wrong = ONE.replace("test.count", "test.cuont") + "\ncolour: red"
    refused = author.post(ADD, {"source": wrong})
    assert refused.status_code == 422
    assert any(error.startswith("colour: is no known key") for error in refused.context["form"].errors["source"])
    refused = author.post(ADD, {"source": wrong.replace("\ncolour: red", "")})
    [objection] = refused.context["form"].errors["source"]
    assert objection == "steps.s0.agent: names the agent 'test.cuont', which does not exist; did you mean 'test.count'?"
    assert not Workflow.objects.exists()


def test_what_one_person_hands_over_waits_for_another(author, second):
    page = author.post(ADD, {"source": ONE}, follow=True).content.decode()
    assert ": handed over; it waits for somebody else to publish it" in page
    assert "Publish what was handed over" not in page
    workflow = Workflow.objects.get()
    assert workflow.current is None
    assert "you handed the draft over; somebody else has to put it in force" in put_in_force(author, workflow)
    assert not WorkflowVersion.objects.exists()
    assert "Publish what was handed over" in second.get(page_of(workflow)).content.decode()
    assert "A line: version 1 is in force" in put_in_force(second, workflow)
    version = WorkflowVersion.objects.get()
    assert (version.authored_by.username, version.published_by.username) == ("author", "second")
    told = Event.objects.filter(kind__startswith="workflow.").oldest_first().values_list("kind", "actor_label")
    assert list(told) == [("workflow.proposed", "author"), ("workflow.published", "second")]


def test_until_a_first_version_is_in_force_nobody_starts_it(author):
    author.post(ADD, {"source": ONE})
    with pytest.raises(services.UnknownWorkflow):
        services.start_run(workflow="simple", input={}, actor=person("requester"))


def test_a_new_version_is_published_and_the_old_one_stays_as_it_was(author, second, workflow):
    url = page_of(workflow, "new-version")
    assert "test.count" in author.get(url).context["form"].initial["source"]
    refused = author.post(url, {"source": line("other", ["test.count"])})
    assert refused.context["form"].errors["source"] == ["workflow: is 'other'; expected 'simple'"]
    author.post(url, {"source": TWO})
    workflow.refresh_from_db()
    assert workflow.current.number == 1
    page = second.get(page_of(workflow)).content.decode()
    assert "+  s1: {agent: test.count, needs: [s0]" in page
    put_in_force(second, workflow)
    workflow.refresh_from_db()
    assert workflow.current.number == 2
    old = WorkflowVersion.objects.get(workflow=workflow, number=1)
    page = author.get(f"/admin/orchestrator/workflowversion/{old.pk}/change/").content.decode()
    assert "workflow: simple" in page
    assert "&quot;steps&quot;" in page


def test_who_changes_what_was_handed_over_becomes_its_author(author, second, workflow):
    author.post(page_of(workflow, "new-version"), {"source": TWO})
    second.post(page_of(workflow, "new-version"), {"source": TWO.replace("A line", "Another line")})
    assert "you handed the draft over" in put_in_force(second, workflow)
    assert "Another line: version 2 is in force" in put_in_force(author, workflow)


def test_a_draft_changed_behind_the_back_of_the_second_person_is_refused(second, workflow):
    services.propose_workflow(source=TWO, actor=workflow.current.authored_by)
    Workflow.objects.update(draft=TWO.replace("A line", "Something else"))
    assert "the draft was changed since author handed it over" in put_in_force(second, workflow)
    assert WorkflowVersion.objects.count() == 1


def test_what_names_something_that_is_gone_by_then_is_refused(author, second, workflow):
    author.post(page_of(workflow, "new-version"), {"source": TWO})
    Workflow.objects.update(draft=ONE.replace("test.count", "test.gone"))
    assert "Not published. steps.s0.agent: names the agent" in put_in_force(second, workflow)


def test_handing_over_what_is_in_force_changes_nothing(author, workflow):
    page = author.post(page_of(workflow, "new-version"), {"source": ONE}, follow=True).content.decode()
    assert "the version in force is unchanged" in page
    assert Workflow.objects.get().proposed_by is None


def test_a_link_that_is_opened_publishes_nothing(author, second, workflow):
    author.post(page_of(workflow, "new-version"), {"source": TWO})
    assert second.get(page_of(workflow, "publish")).status_code == 404
    assert WorkflowVersion.objects.count() == 1


def test_who_may_not_change_workflows_publishes_none(author, workflow):
    author.post(page_of(workflow, "new-version"), {"source": TWO})
    outsider = Client()
    outsider.force_login(get_user_model().objects.create_user("outsider", is_staff=True))
    assert outsider.post(page_of(workflow, "publish")).status_code in (403, 404)
    assert WorkflowVersion.objects.count() == 1


def test_the_database_refuses_a_version_published_by_its_author(workflow):
    first = workflow.current
    given = {"workflow": workflow, "number": 2, "source": "", "definition": first.definition, "digest": "x"}
    with pytest.raises(IntegrityError, match="version_published_by_a_second_person"), transaction.atomic():
        WorkflowVersion.objects.create(**given, authored_by=first.authored_by, published_by=first.authored_by)


def test_the_admin_pages_of_ours_speak_the_language_of_the_browser(author, second):
    author.post(ADD, {"source": ONE})
    [workflow] = Workflow.objects.all()
    page = second.get(page_of(workflow), headers={"accept-language": "de"}).content.decode()
    for words in (
        "Eine neue Fassung übergeben",
        "Veröffentlichen, was übergeben wurde",
        "veröffentlichen muss es jemand",
    ):
        assert words in page
    page = second.get(page_of(workflow, "new-version"), headers={"accept-language": "de"}).content.decode()
    assert "Prüfen und übergeben" in page
    assert "Was Sie übergeben, veröffentlicht jemand anders." in page
