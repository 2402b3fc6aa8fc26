"""A row that somebody holds too long: pages say "try again", workers wait and lose nothing (PostgreSQL)."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction

from orchestrator import engine
from orchestrator.models import Run, Task
from orchestrator.services import save_workflow, start_run
from reviews import deciding

from .cast import answer, cast, second_admin, waiting_bill
from .engine_agents import line
from .services import PROJECT_DIR, process_environment

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def on_postgres():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer, and waits 20 s for it")


@contextmanager
def held(run: Run, seconds: float) -> Iterator[None]:
    """Another process keeps the run's row for so long."""
    taken, enough = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Run.objects.select_for_update().get(pk=run.pk)
                taken.set()
                enough.wait(seconds)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    try:
        yield
    finally:
        enough.set()
        holder.join()


def test_a_decision_on_a_row_that_is_held_is_told_to_try_again(client):
    everybody = cast()
    review = waiting_bill(everybody)
    client.force_login(everybody.clerk)
    given = {"verdict": "approve", "digest": review.packet_digest, "round": review.round, "nonce": "n1"}
    with held(review.run, 10):
        refused = client.post(f"/cases/{review.task_id}/decide/", given)
    assert (refused.status_code, refused["Retry-After"]) == (503, "5")
    assert b"nothing was recorded" in refused.content
    review.refresh_from_db()
    assert review.status == "open"
    answer(review, everybody.clerk)


def test_a_worker_waits_for_a_run_that_is_held_and_loses_nothing():
    everybody = cast()
    save_workflow(source=line("held", ["test.count"]), actor=everybody.admin, second=second_admin())
    run, _ = start_run(workflow="held", input={}, actor=everybody.requester)
    works = engine.claim()
    results = [(work, engine.execute(work)) for work in works]
    with held(run, 3):
        engine.record(results)
    assert Task.objects.get(run=run).status == "succeeded"


LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
ASKED = (
    "from django.db import connection as c; k = c.cursor(); "
    f"print([k.execute('SHOW ' + n).fetchone()[0] for n in {LIMITS}])"
)


def told_in(*command: str) -> str:
    """What a process of the product is told of its limits."""
    command = (sys.executable, *command)
    done = subprocess.run(
        command, cwd=PROJECT_DIR, env=process_environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pages_and_workers_have_limits_so_that_a_frozen_transaction_loses_its_locks():
    assert told_in("-c", f"import django; django.setup(); {ASKED}") == "['5s', '2s', '10s']"


def test_commands_take_the_time_they_take():
    assert told_in("manage.py", "shell", "--no-imports", "-c", ASKED) == "['0', '0', '0']"


def test_a_page_whose_transaction_was_ended_while_it_froze_is_told_to_try_again(client, monkeypatch):
    everybody = cast()
    review = waiting_bill(everybody)
    client.force_login(everybody.clerk)
    look = deciding.locked

    def frozen(review_id):
        found = look(review_id)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
        time.sleep(0.5)
        return found

    monkeypatch.setattr(deciding, "locked", frozen)
    given = {"verdict": "approve", "digest": review.packet_digest, "round": review.round, "nonce": "n1"}
    refused = client.post(f"/cases/{review.task_id}/decide/", given)
    assert refused.status_code == 503
