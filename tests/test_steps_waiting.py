"""Steps that wait: for a time, for a signed event, for another workflow; and steps over lists and gates."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now

from audit.models import Event
from orchestrator import family, recovery, services, waits
from orchestrator.models import Hook, HookDelivery, Run, Wait
from orchestrator.webhooks import signature

from .cast import second_admin, work
from .engine_agents import line

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return get_user_model().objects.create_user("requester")


def flow(*steps: str, name: str = "flow", given: str = '{when: string?, lines: "[integer]?"}') -> str:
    rows = "".join(f"  {step}\n" for step in steps)
    return f"workflow: {name}\ntitle: Flow\ninput: {given}\nsteps:\n{rows}"


def start(actor, source, **given):
    version = services.save_workflow(source=source, actor=actor, second=second_admin())
    run = services.start_run(workflow=version.workflow.name, input=given, actor=actor)[0]
    return go_on(run)


def go_on(run):
    for _ in range(3):
        work()
        recovery.sweep()
    run.refresh_from_db()
    return run


def statuses(run):
    return dict(run.tasks.values_list("step", "status"))


TIMER = flow("a: {timer: 2h}", "b: {agent: test.count, needs: [a]}")


def test_a_timer_holds_the_run_without_a_worker_until_its_time(actor):
    run = start(actor, TIMER)
    assert (run.status, statuses(run)) == ("waiting", {"a": "waiting"})
    assert waits.sweep() == 0
    Wait.objects.update(due_at=Now() - timedelta(seconds=1))
    go_on(run)
    assert (run.status, statuses(run)) == ("succeeded", {"a": "succeeded", "b": "succeeded"})


def test_a_timer_until_a_date_of_the_case_is_utc_and_one_in_the_past_is_over_at_once(actor):
    source = flow("a: {timer: {until: input.when, at_most: 300d}}", "b: {agent: test.count, needs: [a]}")
    assert start(actor, source, when="2020-02-29").status == "succeeded"
    run = start(actor, source, when="2999-01-01")
    assert run.incidents.get().kind == "timer-too-far"
    assert start(actor, source, when="next week").incidents.get().kind == "timer-without-a-time"


def test_cancelling_a_run_ends_its_waits(actor):
    run = start(actor, TIMER)
    services.cancel_run(run_id=run.pk, actor=actor, reason="no longer needed")
    assert not Wait.objects.filter(ended_at=None).exists()
    run.refresh_from_db()
    assert run.status == "cancelled"


WAIT = flow("a: {wait: payment-settled, correlation: '{input.when}', within: 2d}", "b: {agent: test.count, needs: [a]}")


def send(client, hook, body, *, message_id="msg_1", secret="", at=None):
    """A signed event, as its sender would make it."""
    raw, now = json.dumps(body).encode(), int(Event.objects.latest("at").at.timestamp()) if at is None else at
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(secret or hook.secret, message_id, now, raw),
    }
    return client.post(f"/hooks/{hook.name}/", raw, content_type="application/json", headers=headers)


@pytest.fixture
def hook():
    return Hook.objects.create(name="payment-settled")


def test_a_signed_event_wakes_the_run_that_waits_for_it(actor, client, hook):
    run, other = start(actor, WAIT, when="R-1"), start(actor, WAIT, when="R-2")
    assert run.status == "waiting"
    assert send(client, hook, {"subject": "R-1", "data": {"amount": "5.00"}}).status_code == 202
    go_on(run)
    assert (run.status, go_on(other).status) == ("succeeded", "waiting")
    assert run.decisions.get(step="a").output["data"]["data"] == {"amount": "5.00"}


def test_an_event_that_came_before_anybody_waited_is_kept(actor, client, hook):
    services.save_workflow(source=WAIT, actor=actor, second=second_admin())
    assert send(client, hook, {"subject": "R-1"}).status_code == 202
    assert start(actor, WAIT, when="R-1").status == "succeeded"


def test_h08_an_event_for_a_run_that_has_ended_changes_nothing(actor, client, hook):
    run = start(actor, WAIT, when="R-1")
    services.cancel_run(run_id=run.pk, actor=actor, reason="no longer needed")
    assert send(client, hook, {"subject": "R-1"}).status_code == 202
    assert go_on(run).status == "cancelled"
    assert HookDelivery.objects.get().wait is None


def test_an_event_that_does_not_come_leaves_an_incident_and_can_be_waited_for_again(actor, client, hook):
    run = start(actor, WAIT, when="R-1")
    Wait.objects.update(due_at=Now() - timedelta(seconds=1))
    go_on(run)
    incident = run.incidents.get()
    assert incident.kind == "wait-in-vain"
    services.resolve_incident(incident_id=incident.pk, resolution="retry", reason="it will come", actor=actor)
    assert go_on(run).status == "waiting"
    send(client, hook, {"subject": "R-1"})
    assert go_on(run).status == "succeeded"


def test_a_wait_may_go_on_without_its_event(actor, hook):
    run = start(actor, WAIT.replace("within: 2d", "within: 2d, otherwise: continue"), when="R-1")
    Wait.objects.update(due_at=Now() - timedelta(seconds=1))
    assert go_on(run).status == "succeeded"
    assert run.decisions.get(step="a").output == {"received": False, "data": None}


def child(agent: str = "test.count") -> str:
    return line("child", [agent])


PARENT = flow(
    "a: {workflow: child, input: {works_at: input.n}}", "b: {agent: test.count, needs: [a]}", given="{n: integer?}"
)


def test_a_step_runs_another_workflow_and_waits_for_its_end(actor):
    services.save_workflow(source=child("test.flaky"), actor=actor, second=second_admin())
    run = start(actor, PARENT, n=2)
    assert run.status == "succeeded"
    started = Run.objects.get(parent__run=run)
    assert (started.input, started.status) == ({"works_at": 2}, "succeeded")
    assert run.decisions.get(step="a").output["data"]["s0"]["n"] == 2


def test_cancelling_the_parent_cancels_the_child(actor):
    services.save_workflow(
        source=TIMER.replace("workflow: flow", "workflow: child"), actor=actor, second=second_admin()
    )
    run = start(actor, flow("a: {workflow: child}"))
    services.cancel_run(run_id=run.pk, actor=actor, reason="no longer needed")
    go_on(run)
    assert Run.objects.get(parent__run=run).status == "cancelled"


def test_a_child_that_fails_leaves_the_parent_with_an_incident(actor):
    services.save_workflow(source=child("test.broken"), actor=actor, second=second_admin())
    run = start(actor, PARENT)
    started = Run.objects.get(parent__run=run)
    services.resolve_incident(incident_id=started.incidents.get().pk, resolution="fail", reason="hopeless", actor=actor)
    assert go_on(run).incidents.get().kind == "child-not-succeeded"


def test_input_the_other_workflow_does_not_take_is_an_incident(actor):
    services.save_workflow(source=child(), actor=actor, second=second_admin())
    run = start(actor, flow("a: {workflow: child, input: {works_at: input.n}}", given="{n: string}"), n="soon")
    assert run.incidents.get().kind == "child-not-started"


def test_workflows_inside_each_other_have_a_bound(actor):
    services.save_workflow(source=flow("a: {timer: 1h}", name="nest0"), actor=actor, second=second_admin())
    for depth in range(1, 8):
        services.save_workflow(
            source=flow(f"a: {{workflow: nest{depth - 1}}}", name=f"nest{depth}"), actor=actor, second=second_admin()
        )
    run = services.start_run(workflow="nest7", input={}, actor=actor)[0]
    for _ in range(8):
        go_on(run)
    assert Run.objects.count() == family.MAX_DEPTH
    assert Run.objects.filter(incidents__kind="too-deep").count() == 1


FOR_EACH = flow("a: {for_each: input.lines, agent: test.square, at_most: 3}", "b: {agent: test.count, needs: [a]}")


def test_an_agent_judges_every_item_of_a_list(actor):
    run = start(actor, FOR_EACH, lines=[2, 3])
    assert run.status == "succeeded"
    decision = run.decisions.get(step="a")
    assert decision.output == {"items": [{"n": 4, "ok": True}, {"n": 9, "ok": True}], "count": 2}
    assert decision.confidence == pytest.approx(1 / 3)


def test_an_empty_list_is_done_and_one_that_is_too_long_is_an_incident(actor):
    assert start(actor, FOR_EACH, lines=[]).status == "succeeded"
    assert start(actor, FOR_EACH, lines=[1, 2, 3, 4]).incidents.get().kind == "too-many-items"


def test_a_gate_asks_the_policies(actor):
    policy = "policy: stop\ntitle: Stop\nvocabulary: {sure: float}\notherwise: continue\nrules:\n"
    rule = '  - {name: unsure, when: "sure < 0.99", route: reject, reason: Too unsure}\n'
    services.save_policy(source=policy + rule, actor=actor, second=second_admin())
    source = "workflow: gated\ntitle: Gated\ninput: {}\npolicies: stop\nfacts: {sure: {confidence: a}}\nsteps:\n"
    run = start(actor, source + "  a: {agent: test.count}\n  g: {gate: policies, needs: [a]}\n")
    assert (run.status, run.outcome) == ("rejected", "Too unsure")


def test_the_next_attempt_is_told_what_was_wrong(actor):
    run = start(actor, line("corrects", ["test.corrects"]))
    assert run.status == "succeeded"
    assert "valid integer" in run.decisions.get().rationale


@pytest.mark.parametrize("agent", ["test.broken", "test.flaky"])
def test_a_fallback_takes_over_when_the_agent_failed_for_good(actor, agent):
    step = f"a: {{agent: {agent}, fallback: test.count, retry: {{max_attempts: 2, backoff_seconds: 0}}}}"
    run = start(actor, flow(step, given="{works_at: integer}"), works_at=99)
    decision = run.decisions.get()
    assert (run.status, decision.actor) == ("succeeded", "test.count")
    assert decision.rationale.startswith(f"{agent} failed")
