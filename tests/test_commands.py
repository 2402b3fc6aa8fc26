"""The commands: what they print where, and the exit code they end with."""

import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from audit.models import Event
from orchestrator import grants, publishing, recovery, services
from orchestrator.models import ApiToken, Document, Policy, PolicyRule, Run, Task, Workflow
from orchestrator.tokens import user_of
from reviews.models import Queue

from .api import PDF
from .cast import SHIPPED, cast, second_admin, waiting_bill
from .engine_agents import line
from .guards import guards_lifted

pytestmark = pytest.mark.django_db

PAPERS = "workflow: papers\ntitle: P\ninput: {document: document}\nsteps:\n  count: {agent: test.count}\n"


def run_command(name, *arguments, code=0, **options):
    """(stdout, stderr and the message it ended with) of a command that must end with `code`."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(name, *arguments, stdout=out, stderr=err, **options)
        ended, message = 0, ""
    except CommandError as error:
        ended, message = error.returncode, str(error)
    assert ended == code, message
    return out.getvalue(), err.getvalue() + message


@pytest.fixture
def admin():
    return get_user_model().objects.create_user("admin")


@pytest.fixture
def workflow(admin):
    return services.save_workflow(
        source=line("simple", ["test.count"] * 2), actor=admin, second=second_admin()
    ).workflow


def given(tmp_path, content) -> str:
    file = tmp_path / "input.json"
    file.write_text(content)
    return str(file)


def test_start_run_prints_the_run_and_nothing_else_on_stdout(workflow, tmp_path):
    out, err = run_command("start_run", "simple", "--input", given(tmp_path, '{"works_at": 1}'))
    run = Run.objects.get()
    assert json.loads(out) == {
        "id": str(run.pk),
        "workflow": "simple",
        "version": 1,
        "status": "running",
        "outcome": "",
        "url": f"/runs/{run.pk}/",
    }
    assert "started" in err
    assert (run.input, run.started_by.get_username()) == ({"works_at": 1}, "command-line")
    assert not run.started_by.has_usable_password()


def test_start_run_reads_standard_input(workflow, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO('{"works_at": 3}'))
    run_command("start_run", "simple", "--input", "-")
    assert Run.objects.get().input == {"works_at": 3}


def test_start_run_waits_until_the_run_has_ended_where_no_worker_is_alive(workflow):
    out, _ = run_command("start_run", "simple", "--wait", "10")
    assert (json.loads(out)["status"], json.loads(out)["outcome"]) == ("succeeded", "done")


def test_start_run_waits_until_only_a_person_can_take_it_further(tmp_path):
    everybody = cast()
    bill = given(tmp_path, '{"amount": "12.00", "number": "N1", "differences": 1}')
    out, _ = run_command("start_run", "pay-bills", "--input", bill, "--as", "requester", "--wait", "10")
    assert json.loads(out)["status"] == "waiting"
    assert Run.objects.get().started_by == everybody.requester


def test_start_run_leaves_the_work_to_workers_that_are_alive(workflow):
    recovery.beat("elsewhere")
    out, err = run_command("start_run", "simple", "--wait", "0.1", code=1)
    assert json.loads(out)["status"] == "running"
    assert "after 0.1 s the run is still running" in err


def test_the_same_key_and_the_same_file_find_the_same_run(admin, tmp_path):
    services.save_workflow(source=PAPERS, actor=admin, second=second_admin())
    paper = tmp_path / "paper.pdf"
    paper.write_bytes(PDF)
    first, again = (run_command("start_run", "papers", "--document", str(paper), "--key", "k")[0] for _ in range(2))
    assert json.loads(first)["id"] == json.loads(again)["id"]
    assert (Run.objects.count(), Document.objects.count()) == (1, 1)
    paper.write_bytes(PDF + b"\n")
    _, err = run_command("start_run", "papers", "--document", str(paper), "--key", "k", code=2)
    assert "--key: 'k' was used before" in err


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["nothing"], "workflow: 'nothing'"),
        (["simple", "--input", "/nowhere.json"], "--input: '/nowhere.json'"),
        (["simple", "--document", "/nowhere.pdf"], "--document: '/nowhere.pdf'"),
        (["simple", "--as", "nobody"], "--as: 'nobody'"),
    ],
)
def test_start_run_names_what_it_cannot_use(workflow, arguments, field):
    _, err = run_command("start_run", *arguments, code=2)
    assert field in err
    assert not Run.objects.exists()


@pytest.mark.parametrize("content", ["[]", "{", '{"works_at": "soon"}', '{"colour": "red"}'])
def test_start_run_refuses_input_that_does_not_fit(workflow, tmp_path, content):
    _, err = run_command("start_run", "simple", "--input", given(tmp_path, content), code=2)
    assert err.startswith("--input: ")
    assert not Run.objects.exists()


def test_show_run_prints_the_run_document(workflow):
    run_id = json.loads(run_command("start_run", "simple", "--wait", "10")[0])["id"]
    found = json.loads(run_command("show_run", run_id)[0])
    assert {"id", "workflow", "version", "status", "outcome", "subject", "input", "data", "started_by"} <= found.keys()
    assert {"started_at", "ended_at", "deadline", "cost", "documents", "tasks", "decisions"} <= found.keys()
    assert (found["reviews"], found["effects"]) == ([], [])
    assert found["tasks"][0].keys() >= {"step", "kind", "status", "attempts", "agent", "confidence", "input", "output"}


@pytest.mark.parametrize("text", ["7", "0190d3a0-0000-7000-8000-000000000000"])
def test_show_run_says_that_there_is_no_such_run(text):
    assert "id: " in run_command("show_run", text, code=2)[1]


def test_what_ships_is_handed_over_and_put_in_force_by_somebody_else():
    everybody = cast()
    policy, workflow = SHIPPED / "policies" / "reversals.yaml", SHIPPED / "reversal.yaml"
    _, said = run_command("hand_over", str(workflow), "--as", "admin", code=2)
    assert "policies: " in said
    assert "'reversals'" in said
    Queue.objects.create(name="reversals", title="Reversals", policy=everybody.policy)
    out, _ = run_command("hand_over", str(policy), "--as", "admin")
    row = Policy.objects.get(name="reversals")
    assert out == f"Reversals: another person puts it in force at /admin/orchestrator/policy/{row.pk}/change/\n"
    assert (row.current, row.proposed_by) == (None, everybody.admin)
    publishing.publish_policy(policy=row, actor=second_admin())
    run_command("hand_over", str(workflow), "--as", "admin")
    publishing.publish_workflow(workflow=Workflow.objects.get(name="reversal"), actor=second_admin())
    out, _ = run_command("hand_over", str(policy), str(workflow), "--as", "admin")
    assert out.count("in force as it is") == 2


@pytest.mark.parametrize(
    ("source", "user", "words"),
    [
        ("policy: p\ntitle: P\nvocabulary: {a: int}\nrules: [{name: one}]\n", "admin", "rules.0.when: is missing"),
        ("policy: p\nvocabulary: some\n", "admin", "title: is None; expected text"),
        ("policy: p\ntitle: P\nvocabulary: {a: int}\nrules: all\n", "admin", "rules: expected a list"),
        ("workflow: w\ntitle: W\nsteps: {a: {agent: no.such}}\n", "admin", "no.such"),
        ("a: [", "admin", "cannot be read"),
        ("workflow: w\n", "clerk", "clerk may not write"),
        ("workflow: w\n", "nobody", "'nobody' is no active account"),
    ],
)
def test_hand_over_names_what_it_cannot_use(tmp_path, source, user, words):
    cast()
    file = tmp_path / "given.yaml"
    file.write_text(source)
    _, said = run_command("hand_over", str(file), "--as", user, code=2)
    assert words in said
    assert not Policy.objects.filter(name="p").exists()


def test_sweep_prints_what_it_found(workflow, admin):
    services.start_run(workflow="simple", input={}, actor=admin)
    Task.objects.update(status="running", ready_at=None, fence=1, attempts=1, lease_until=Now() - timedelta(seconds=9))
    assert json.loads(run_command("sweep", "--json")[0])["expired_leases"] == 1
    assert "expired_leases: 0\n" in run_command("sweep")[0]


def test_create_token_prints_a_token_that_works_and_is_stored_nowhere(admin):
    out, err = run_command("create_token", "admin", "--days", "7")
    assert user_of(out.strip()) == admin
    assert "cannot be shown again" in err
    token = ApiToken.objects.get()
    assert (token.expires_at - token.created_at).days == 7
    event = Event.objects.get(kind="token.created")
    assert out.strip() not in event.text
    assert event.data["user"] == str(admin.pk)
    found = json.loads(run_command("create_token", "admin", "--json")[0])
    assert (found["user"], user_of(found["token"])) == ("admin", admin)


@pytest.mark.parametrize(
    ("arguments", "field"), [(["nobody"], "user: 'nobody'"), (["admin", "--days", "0"], "--days: 0")]
)
def test_create_token_names_what_it_cannot_use(admin, arguments, field):
    assert field in run_command("create_token", *arguments, code=2)[1]


def test_check_invariants_is_content_with_a_clean_history():
    waiting_bill(cast())
    out, err = run_command("check_invariants")
    assert out == ""
    assert "I05" in err
    assert json.loads(run_command("check_invariants", "--json")[0])["violations"] == []


@pytest.mark.breaks_invariants
def test_check_invariants_names_each_violation_on_a_line(workflow, admin):
    run, _ = services.start_run(workflow="simple", input={}, actor=admin)
    with guards_lifted():
        Task.objects.filter(run=run).update(status="cancelled", ready_at=None)
    out, _ = run_command("check_invariants", code=1)
    assert out == f"I17 run {run.pk}: is running, and no task of it is open\n"


def test_check_policies_is_content_with_the_cast():
    everybody = cast()
    grants.give("start_run", everybody.requester, services.Workflow.objects.get(), actor=everybody.admin)
    out, _ = run_command("check_policies")
    assert out == ""


def rule(name, condition, **values):
    policy = Policy.objects.get(name="bills")
    return PolicyRule.objects.create(
        policy=policy, position=9, name=name, condition=condition, **{"reason": "r"} | values
    )


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"condition": "amount > 1.00"}, "draft rules.bad.when: column 1: there is no fact 'amount'"),
        ({"condition": "stops > 3"}, "rule bad: changes nothing: whenever it fires, differs fires"),
        ({"condition": "flagged", "route": "review"}, "rule bad: changes nothing: whenever it fires, flagged fires"),
        ({"condition": "1 > 2"}, "rule bad: names no fact"),
        ({"condition": "stops > 9", "route": "reject", "target": "queue:moon"}, "rule bad: names 'queue:moon'"),
    ],
)
def test_check_policies_names_a_rule_that_cannot_work(values, words):
    cast()
    rule("bad", **values)
    out, _ = run_command("check_policies", code=1)
    assert f"policy bills, {words}" in out
    assert len(out.splitlines()) == 1


def test_check_policies_names_groups_nobody_is_in_and_facts_nobody_supplies():
    everybody = cast()
    get_user_model().objects.filter(username="cfo").update(is_active=False)
    Policy.objects.filter(name="bills").update(vocabulary={**Policy.objects.get().vocabulary, "weather": "str"})
    rule("rain", 'weather == "rain"')
    out, _ = run_command("check_policies", code=1)
    assert "rule over-50-000: asks for the group 'cfo', which has no active member" in out
    assert "rule rain: the workflow pay-bills supplies no fact 'weather'" in out
    assert everybody.policy.name not in out


def test_check_policies_names_whoever_could_only_approve_his_own_cases():
    everybody = cast()
    pay_bills = services.Workflow.objects.get()
    grants.give("start_run", everybody.clerk, pay_bills, actor=everybody.admin)
    names = ("requester", "second", "manager", "cfo")
    get_user_model().objects.filter(username__in=names[:3]).update(is_active=False)
    out, _ = run_command("check_policies")
    assert out == ""
    get_user_model().objects.get(username="cfo").groups.clear()
    out, _ = run_command("check_policies", code=1)
    assert "workflow pay-bills: clerk may start it, and too few others may decide in queue clerks" in out
    assert "queue seniors: 0 people may decide; its policy asks for 1" in out


@pytest.mark.parametrize(
    "name",
    ["start_run", "show_run", "sweep", "create_token", "check_invariants", "check_policies"],
)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command(name, "--help")
    assert ended.value.code == 0
    assert "--json" in capsys.readouterr().out
