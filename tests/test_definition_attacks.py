"""What definitions and policies must not be able to do once they are in force: W06, W09, W10. What is refused while
they are read is W01 to W05, W07 and W08 in test_definitions.py, test_cel.py and test_policies_pure.py."""

from datetime import UTC, datetime

import pytest

from orchestrator import grants, recovery, services
from orchestrator.definitions import DefinitionError
from orchestrator.models import Connector, Effect, Run
from orchestrator.permissions import holds
from orchestrator.publishing import check_workflow
from orchestrator.steps.timer import moment
from reviews.errors import Invalid

from .cast import WORKFLOW, answer, bill, cast, second_admin, waiting_bill, work

pytestmark = pytest.mark.django_db


def objections(source: str) -> dict[str, str]:
    with pytest.raises(DefinitionError) as caught:
        check_workflow(source, author=second_admin())
    return dict(caught.value.errors)


def test_w01_workflows_that_start_each_other_are_refused_with_the_way():
    everybody = cast()
    parts = "workflow: {0}\ntitle: T\ninput: {{}}\nsteps:\n  a: {{{1}}}\n"
    services.save_workflow(
        source=parts.format("third", "agent: test.count"), actor=everybody.admin, second=second_admin()
    )
    services.save_workflow(
        source=parts.format("second", "workflow: third"), actor=everybody.admin, second=second_admin()
    )
    services.save_workflow(
        source=parts.format("first", "workflow: second"), actor=everybody.admin, second=second_admin()
    )
    found = objections(parts.format("third", "workflow: first"))
    assert found == {"steps.a.workflow": "would start this workflow again: third → first → second → third"}


def test_w01_a_lane_without_workers_is_refused():
    cast()
    found = objections(WORKFLOW.replace("{agent: cast.read}", "{agent: cast.read, lane: nobody}"))
    assert "no worker looks into another" in found["steps.read.lane"]


def test_w01_a_vote_no_branch_has_is_refused():
    cast()
    steps = "  yes: {agent: test.says_yes}\n  n: {agent: test.count}\n"
    join = "  j: {join: {quorum: 1, field: verdict}, needs: [yes, n]}\n"
    found = objections(f"workflow: vote\ntitle: Vote\ninput: {{}}\nsteps:\n{steps}{join}")
    assert "'verdict', which the output of 'n' has not" in found["steps.j.join.field"]


def test_w06_a_new_definition_leaves_running_runs_as_they_are():
    everybody = cast()
    review = waiting_bill(everybody)
    without_payment = "\n".join(row for row in WORKFLOW.splitlines() if "pay:" not in row)
    services.save_workflow(source=without_payment, actor=everybody.admin, second=second_admin())
    answer(review, everybody.clerk)
    work()
    run = Run.objects.get(pk=review.run_id)
    assert (run.status, run.version.number, run.effects.get().state) == ("succeeded", 1, "confirmed")
    assert bill(everybody).version.number == 2
    assert Effect.objects.count() == 1


@pytest.mark.parametrize("written", ["0", "-1", "-2h", "9999d", "1e9", "true"])
def test_w09_a_pause_nobody_can_mean_is_refused(written):
    cast()
    found = objections(WORKFLOW.replace("{agent: cast.read}", f"{{timer: {written}}}"))
    assert "steps.read.timer" in found


@pytest.mark.parametrize(
    ("day", "status"), [("9999-12-31", "suspended"), ("2026-13-01", "suspended"), ("1970-01-01", "succeeded")]
)
def test_w09_a_date_of_the_case_is_bounded_and_utc(day, status):
    everybody = cast()
    source = "workflow: later\ntitle: Later\ninput: {day: string}\nsteps:\n  t: {timer: {until: input.day}}\n"
    services.save_workflow(source=source, actor=everybody.admin, second=second_admin())
    run, _ = services.start_run(workflow="later", input={"day": day}, actor=everybody.requester)
    work()
    recovery.sweep()
    work()
    run.refresh_from_db()
    assert run.status == status


def test_w09_hours_that_clocks_skip_or_repeat_are_hours_of_utc():
    assert moment("2026-03-29T02:30:00") == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
    assert moment("2026-10-25T02:30:00+02:00") == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="is no date"):
        moment("2016-12-31T23:59:60")


def test_w10_no_agent_and_no_correction_stands_in_for_a_person_where_the_policy_asks_for_one():
    everybody = cast()
    review = waiting_bill(everybody)
    for pointer in ("/approve/verdict", "/approve", "/pay/ref"):
        with pytest.raises(Invalid, match="leads nowhere"):
            answer(review, everybody.clerk, corrections={pointer: "skipped"})
    work()
    assert not Effect.objects.exists()
    assert Run.objects.get(pk=review.run_id).status == "waiting"


def kept_for_another(codename: str, row, everybody) -> dict[str, str]:
    """What an author is told about the shipped-like flow once somebody else was given the right to use `row`."""
    assert check_workflow(WORKFLOW, author=everybody.second)
    grants.give(codename, everybody.manager, row, actor=everybody.admin)
    with pytest.raises(DefinitionError) as caught:
        check_workflow(WORKFLOW, author=everybody.second)
    assert check_workflow(WORKFLOW, author=everybody.manager)
    return dict(caught.value.errors)


def test_w08_a_queue_that_is_kept_for_other_authors_is_refused():
    everybody = cast()
    told = kept_for_another("use_queue", everybody.clerks, everybody)
    assert told == {"steps.approve.review": "names the queue 'clerks', which its author may not put into workflows"}


def test_w08_a_connector_that_is_kept_for_other_authors_is_refused():
    everybody = cast()
    told = kept_for_another("use_connector", Connector.objects.get(name="ledger"), everybody)
    assert told == {"steps.pay.effect": "goes by 'ledger', which its author may not put into workflows"}


def test_w08_being_an_admin_opens_nothing_that_is_kept_for_others():
    everybody = cast()
    grants.give("use_queue", everybody.manager, everybody.clerks, actor=everybody.admin)
    with pytest.raises(DefinitionError):
        services.propose_workflow(source=WORKFLOW.replace("title:", "title: New"), actor=everybody.admin)


def test_w08_a_right_taken_back_before_the_second_person_looks_counts_no_more():
    everybody = cast()
    source = WORKFLOW.replace("title: ", "title: New ")
    grants.give("use_queue", everybody.manager, everybody.clerks, actor=everybody.admin)
    workflow, _ = services.propose_workflow(source=source, actor=everybody.manager)
    grants.give("use_queue", everybody.cfo, everybody.clerks, actor=everybody.admin)
    grants.take("use_queue", everybody.manager, everybody.clerks, actor=everybody.admin)
    with pytest.raises(DefinitionError):
        services.publish_workflow(workflow=workflow, actor=everybody.cfo)


def test_w08_who_may_use_a_connector_is_given_in_the_admin(client):
    everybody = cast()
    client.force_login(everybody.admin)
    connector = Connector.objects.get(name="ledger")
    url = f"/admin/orchestrator/connector/{connector.pk}/"
    assert "Object permissions" in client.get(f"{url}change/").content.decode()
    group = everybody.manager.groups.get()
    client.post(f"{url}permissions/group-manage/{group.pk}/", {"permissions": ["use_connector"]})
    assert holds(everybody.manager, "use_connector", connector)
