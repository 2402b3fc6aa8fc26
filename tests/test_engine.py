"""The way of a run: every step once, in order, whatever dies on the way."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now

from audit.log import database_now
from audit.models import Event
from orchestrator import engine, recovery, services
from orchestrator.clock import Clock
from orchestrator.models import Decision, Incident, Run, Task

from .cast import second_admin
from .engine_agents import fan, line

pytestmark = pytest.mark.django_db


@pytest.fixture
def actor():
    return get_user_model().objects.create_user("requester")


def publish_and_start(source, actor, **values):
    version = services.save_workflow(source=source, actor=actor, second=second_admin())
    return services.start_run(workflow=version.workflow.name, input=values.pop("input", {}), actor=actor, **values)[0]


def work_until_idle():
    """Retries become due at once: the test does not wait for the clock."""
    for _ in range(50):
        while engine.drain(budget=5):
            pass
        if not Task.objects.filter(status=Task.Status.RETRY_WAIT).update(ready_at=Now()):
            return


def statuses(run):
    return {t.step: t.status for t in run.tasks.all()}


def test_a_line_runs_to_its_end_with_one_decision_per_step(actor):
    run = publish_and_start(line("w1", ["test.count"] * 10), actor)
    work_until_idle()
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED
    assert set(statuses(run).values()) == {"succeeded"}
    assert run.decisions.count() == 10
    assert run.ended_at is not None


def test_branches_join_and_the_join_opens_once(actor):
    run = publish_and_start(fan("w2"), actor)
    work_until_idle()
    run.refresh_from_db()
    assert run.status == Run.Status.SUCCEEDED
    assert run.decisions.count() == 11
    assert run.decisions.get(step="j").output["branches"] == [f"p{n}" for n in range(8)]


def test_a_transient_failure_is_retried_and_then_succeeds(actor):
    run = publish_and_start(line("flaky", ["test.flaky"]), actor, input={"works_at": 3})
    work_until_idle()
    task = run.tasks.get()
    assert (task.status, task.attempts) == ("succeeded", 3)


def test_exhausted_retries_open_an_incident_and_suspend_the_run(actor):
    run = publish_and_start(line("flaky", ["test.flaky"]), actor, input={"works_at": 99})
    work_until_idle()
    run.refresh_from_db()
    assert (run.status, run.tasks.get().status) == ("suspended", "incident")
    assert Incident.objects.get().kind == "retries-exhausted"


def test_output_that_does_not_fit_its_schema_is_sent_back_with_objections(actor):
    run = publish_and_start(line("wrong", ["test.wrong_output", "test.count"]), actor)
    work_until_idle()
    run.refresh_from_db()
    assert run.status == "succeeded"
    retried = Event.objects.filter(kind="task.retried", run=str(run.pk))
    assert retried.count() == 2
    assert b"valid integer" in bytes(retried.first().body)


@pytest.mark.parametrize("agent", ["test.broken", "test.crash"])
def test_an_agent_that_cannot_work_leaves_an_incident_a_person_can_retry_or_skip(actor, agent):
    run = publish_and_start(line("broken", [agent, "test.count"]), actor)
    work_until_idle()
    incident = Incident.objects.get()
    services.resolve_incident(incident_id=incident.pk, resolution="skip", reason="not needed today", actor=actor)
    work_until_idle()
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert statuses(run) == {"s0": "skipped", "s1": "succeeded"}


def test_an_incident_needs_a_reason(actor):
    run = publish_and_start(line("broken", ["test.broken"]), actor)
    work_until_idle()
    with pytest.raises(services.InputInvalid, match="reason"):
        services.resolve_incident(incident_id=run.incidents.get().pk, resolution="fail", reason=" ", actor=actor)


def test_a_late_result_is_dropped_and_the_trail_says_so(actor):
    run = publish_and_start(line("w1", ["test.count"] * 2), actor)
    [late] = engine.claim()
    Task.objects.update(lease_until=Now() - timedelta(seconds=1))
    assert recovery.expire_leases() == 1
    [mine] = engine.claim()
    assert mine.fence == late.fence + 1
    engine.record([(late, engine.execute(late))])
    assert run.decisions.count() == 0
    engine.record([(mine, engine.execute(mine))])
    engine.record([(mine, engine.execute(mine))])
    assert run.decisions.count() == 1
    assert Event.objects.filter(kind="task.result_dropped").count() == 2


def test_a_worker_that_dies_again_and_again_leaves_an_incident(actor):
    run = publish_and_start(line("w1", ["test.count"]), actor)
    for _ in range(recovery.MAX_DEATHS):
        assert engine.claim()
        Task.objects.update(lease_until=Now() - timedelta(seconds=1))
        recovery.expire_leases()
    run.refresh_from_db()
    assert run.status == "suspended"
    assert run.incidents.get().kind == "crash-loop"


def test_a_time_of_this_very_millisecond_does_not_lie_in_the_future(actor):
    run = publish_and_start(line("w1", ["test.count"]), actor)
    for _ in range(200):
        run.tasks.update(ready_at=database_now())
        assert run.tasks.filter(ready_at__lte=Clock()).exists()


def test_the_same_key_returns_the_same_run_and_another_body_is_refused(actor):
    services.save_workflow(source=line("w1", ["test.count"]), actor=actor, second=second_admin())
    first, created = services.start_run(workflow="w1", input={}, actor=actor, key="k")
    again, created_again = services.start_run(workflow="w1", input={}, actor=actor, key="k")
    assert (first.pk, created, created_again) == (again.pk, True, False)
    with pytest.raises(services.KeyReused):
        services.start_run(workflow="w1", input={"works_at": 1}, actor=actor, key="k")


def test_input_that_does_not_fit_is_refused_by_field(actor):
    services.save_workflow(source=line("w1", ["test.count"]), actor=actor, second=second_admin())
    with pytest.raises(services.InputInvalid) as caught:
        services.start_run(workflow="w1", input={"works_at": "soon"}, actor=actor)
    assert caught.value.errors[0][0] == "works_at"
    assert not Run.objects.exists()


def test_a_cancelled_run_stays_cancelled_when_a_result_comes_late(actor):
    run = publish_and_start(line("w1", ["test.count"] * 2), actor)
    [work] = engine.claim()
    services.cancel_run(run_id=run.pk, actor=actor, reason="not wanted")
    engine.record([(work, engine.execute(work))])
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert statuses(run) == {"s0": "cancelled"}
    assert not Decision.objects.exists()


def test_a_run_nobody_woke_is_found_by_the_sweeper(actor):
    run = publish_and_start(line("w1", ["test.count"] * 2), actor)
    [work] = engine.claim()
    engine.record([(work, engine.execute(work))])
    Task.objects.filter(step="s1")._raw_delete("default")
    assert recovery.sweep()["unwoken_runs"] == 1
    work_until_idle()
    run.refresh_from_db()
    assert run.status == "succeeded"


def test_events_of_a_run_are_written_in_order(actor):
    run = publish_and_start(line("w1", ["test.count"] * 2), actor)
    work_until_idle()
    kinds = list(Event.objects.filter(run=str(run.pk)).order_by("id").values_list("kind", flat=True))
    assert kinds == ["run.started", "task.succeeded", "task.succeeded", "run.succeeded"]


def test_recording_nothing_changes_nothing():
    assert engine.record([]) == []
