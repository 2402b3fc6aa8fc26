"""A worker that dies takes a whole batch of leases with it. One of the tasks may have killed it: the others lose no
attempt and are not held up for good, and the one that kills again and again ends with an operator."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from django.db.models.functions import Now

from orchestrator import engine, recovery, services
from orchestrator.models import Run, Task
from orchestrator.steps.outcomes import Retry

from .cast import second_admin
from .engine_agents import line

pytestmark = pytest.mark.django_db
COMPANY = 5


def started(count: int) -> list[Run]:
    """Runs of one step, the oldest first."""
    actor = get_user_model().objects.create_user("requester")
    services.save_workflow(source=line("w1", ["test.count"]), actor=actor, second=second_admin())
    return [services.start_run(workflow="w1", input={}, actor=actor)[0] for _ in range(count)]


def worker_dies() -> None:
    """Its leases are over, and nobody has recorded anything."""
    Task.objects.filter(status="running").update(lease_until=Now() - timedelta(seconds=1))
    recovery.expire_leases()


def work_with_poison(poison: Run) -> list[int]:
    """Works like drain(), but the worker dies whenever it holds the poison; returns how many it held each time."""
    held = []
    while works := engine.claim():
        held.append(len(works))
        if poison.pk in {work.run_id for work in works}:
            worker_dies()
        else:
            engine.record([(work, engine.execute(work)) for work in works])
    return held


def test_what_was_in_the_company_of_poison_finishes_with_all_its_attempts_left():
    runs = started(COMPANY)
    held = work_with_poison(runs[2])
    assert held == [COMPANY, *[1] * (COMPANY - 1 + recovery.MAX_DEATHS - 1)]
    for run in runs[:2] + runs[3:]:
        run.refresh_from_db()
        task = run.tasks.get()
        assert (run.status, task.attempts, task.deaths) == ("succeeded", 1, 1)


def test_what_kills_every_worker_that_holds_it_ends_with_an_operator():
    runs = started(COMPANY)
    work_with_poison(runs[0])
    incident = runs[0].incidents.get()
    assert (incident.kind, incident.detail) == ("crash-loop", "step s0: its worker died 3 times")
    runs[0].refresh_from_db()
    assert runs[0].status == "suspended"


def test_what_came_later_does_not_wait_behind_the_poison():
    early, *_ = started(1)
    assert len(engine.claim()) == 1
    worker_dies()
    late = services.start_run(workflow="w1", input={}, actor=early.started_by)[0]
    assert [work.run_id for work in engine.claim()] == [early.pk]
    assert [work.run_id for work in engine.claim()] == [late.pk]


def test_an_operator_who_tries_it_again_begins_the_count_anew():
    [poison] = started(1)
    work_with_poison(poison)
    admin = get_user_model().objects.create_superuser("admin")
    services.resolve_incident(
        incident_id=poison.incidents.get().pk, resolution="retry", reason="the reader was repaired", actor=admin
    )
    assert poison.tasks.get().deaths == 0
    [work] = engine.claim()
    engine.record([(work, engine.execute(work))])
    poison.refresh_from_db()
    assert poison.status == "succeeded"


def test_a_database_that_is_away_for_a_moment_is_no_fault_of_the_step(monkeypatch):
    [run] = started(1)

    def gone(*_):
        raise OperationalError("server closed the connection unexpectedly")

    [work] = engine.claim()
    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.steps.agent.AgentStep.execute", gone)
        outcome = engine.execute(work)
    assert isinstance(outcome, Retry)
    engine.record([(work, outcome)])
    run.tasks.update(ready_at=Now())
    engine.drain(budget=5)
    run.refresh_from_db()
    assert (run.status, run.incidents.count()) == ("succeeded", 0)


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_given_back_under_the_lock_of_its_run():
    """A run that somebody holds is left to the next pass: nobody waits, and locks are taken in one order."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer and no locks of rows")
    from threading import Thread

    from django.db import connections, transaction

    [run] = started(1)
    engine.claim()
    Task.objects.update(lease_until=Now() - timedelta(seconds=1))
    found = []

    def sweep() -> None:
        found.append(recovery.expire_leases())
        connections.close_all()

    with transaction.atomic():
        engine.lock_runs([run.pk])
        sweeper = Thread(target=sweep)
        sweeper.start()
        sweeper.join(60)
        assert found == [0]
    assert recovery.expire_leases() == 1
