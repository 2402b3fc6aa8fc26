"""A try of a step has its time. One that takes longer has failed, and the run goes on as after any failed try."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connections

from audit.log import database_now
from audit.models import Event
from orchestrator import engine, jobs, services, timeouts
from orchestrator.connectors.http import HttpConnector
from orchestrator.models import Effect, Incident, Run, Task
from reviews.models import Queue, ReviewPolicy

from . import engine_agents
from .cast import second_admin, work
from .outside import JOURNEY, Outside, outside_running

pytestmark = pytest.mark.django_db(transaction=True)
HANGS = """
workflow: flow
title: Flow
input: {works_at: integer?}
steps:
  s: {agent: test.hangs, timeout: 1s, retry: {max_attempts: 2, backoff_seconds: 0}}
"""
REASON = "it took longer than its timeout of 1 s"


@pytest.fixture
def actor():
    return get_user_model().objects.create_user("requester")


@pytest.fixture(autouse=True)
def stuck(monkeypatch) -> Iterator[engine_agents.Stuck]:
    """Nobody is left behind."""
    monkeypatch.setattr(timeouts, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(timeouts, "GRACE", 0.05)
    monkeypatch.setattr(engine_agents, "stuck", found := engine_agents.Stuck())
    threads = set(threading.enumerate())
    yield found
    found.let_go.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(0 if thread.name == "timeouts" else 60)


def start(actor, source: str, **given) -> Run:
    services.save_workflow(source=source, actor=actor, second=second_admin())
    return services.start_run(workflow="flow", input=given, actor=actor)[0]


def in_a_worker() -> threading.Thread:
    def drain() -> None:
        engine.drain(budget=0)
        connections.close_all()

    worker = threading.Thread(target=drain)
    worker.start()
    return worker


def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def test_a_try_that_does_not_come_back_has_failed_and_the_next_one_finishes_the_run(actor, stuck):
    run = start(actor, HANGS)
    worker = in_a_worker()
    assert stuck.here.acquire(timeout=60)
    eventually(lambda: Task.objects.filter(status="retry_wait").exists())
    task = Task.objects.get()
    assert (task.error, task.attempts, task.lease_until) == (REASON, 1, None)
    assert worker.is_alive()
    work()
    run.refresh_from_db()
    assert run.status == "succeeded"
    stuck.let_go.set()
    worker.join(60)
    kinds = [kind for kind in Event.objects.oldest_first().values_list("kind", flat=True) if kind.startswith("task.")]
    assert kinds == ["task.retried", "task.succeeded", "task.result_dropped"]
    assert run.decisions.get().output == {"n": 2, "ok": True}


@pytest.fixture
def replaced(monkeypatch) -> Iterator[threading.Event]:
    """Set when this process would end itself."""
    monkeypatch.setattr(timeouts, "STUCK", 0.05)
    called = threading.Event()
    timeouts.replace_by(called.set)
    yield called
    timeouts.replace_by(None)


def test_a_process_whose_thread_is_lost_for_good_is_replaced(actor, stuck, replaced):
    start(actor, HANGS)
    in_a_worker()
    assert replaced.wait(60)
    eventually(lambda: Task.objects.filter(status="retry_wait").exists())


def test_a_process_whose_functions_come_back_stays(actor, stuck, replaced):
    start(actor, HANGS, works_at=1)
    worker = in_a_worker()
    worker.join(60)
    assert not replaced.wait(0.3)


def test_only_a_worker_ends_itself(monkeypatch):
    ended = []
    monkeypatch.setattr("os._exit", ended.append)
    assert timeouts._replace is None
    jobs.be_replaceable()
    try:
        timeouts._replace()
    finally:
        timeouts.replace_by(None)
    assert ended == [os.EX_SOFTWARE]


def test_after_the_last_try_an_operator_is_told_why(actor, stuck):
    start(actor, HANGS, works_at=9)
    for _ in range(2):
        in_a_worker()
        assert stuck.here.acquire(timeout=60)
        eventually(lambda: not Task.objects.filter(status="running").exists())
    assert Task.objects.get().status == "incident"
    incident = Incident.objects.get()
    assert (incident.kind, incident.detail) == ("retries-exhausted", f"{REASON} (after 2 attempts)")


def test_instead_of_an_agent_that_took_too_long_the_fallback_is_asked(actor, stuck):
    run = start(actor, HANGS.replace("timeout", "fallback: test.count, timeout").replace("2,", "1,"))
    in_a_worker()
    eventually(lambda: Run.objects.filter(status="succeeded").exists())
    decision = run.decisions.get()
    assert (decision.actor, decision.output["n"]) == ("test.count", 1)
    assert decision.rationale == f"test.hangs failed: {REASON}. counted"


def test_an_agent_that_says_what_it_uses_is_stopped_by_itself(actor, monkeypatch):
    monkeypatch.setattr(timeouts, "GRACE", 30)
    start(actor, HANGS.replace("test.hangs", "test.spends_on"))
    worker = in_a_worker()
    worker.join(60)
    assert not worker.is_alive()
    assert (Task.objects.get().error, Task.objects.get().status) == (REASON, "retry_wait")


def test_a_list_that_takes_too_long_ends_at_its_next_item(actor, stuck, monkeypatch):
    monkeypatch.setattr(timeouts, "GRACE", 30)
    source = HANGS.replace("works_at: integer?", 'works_at: integer, items: "[integer]"')
    source = source.replace("agent: test.hangs", "for_each: input.items, agent: test.hangs")
    start(actor, source, works_at=9, items=[1, 2, 3])
    worker = in_a_worker()
    assert stuck.here.acquire(timeout=60)
    time.sleep(1.05)  # the time is what this is about
    stuck.let_go.set()
    worker.join(60)
    assert Task.objects.get().error == REASON
    assert not stuck.here.acquire(blocking=False), "another item was begun"


def test_a_step_with_more_time_than_a_batch_has_is_claimed_alone_under_a_longer_lease(actor):
    start(actor, HANGS.replace("1s", "10m"))
    assert engine.claim() == []
    assert len(engine.claim("ocr", 1)) == 1
    left = Task.objects.get().lease_until - database_now()
    assert timedelta(minutes=10) < left < timedelta(minutes=11)


def test_who_was_quicker_than_the_watch_is_not_given_up(actor):
    run = start(actor, HANGS, works_at=1)
    [held] = engine.claim()
    engine.record([(held, engine.execute(held))])
    engine.give_up(held)
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert not Event.objects.filter(kind__in=("task.result_dropped", "task.retried")).exists()


@pytest.fixture
def outside(settings) -> Iterator[Outside]:
    with outside_running() as found:
        settings.ERP_BASE_URL = found.url
        yield found


@pytest.fixture
def journey(actor, outside) -> Run:
    """Its reviews are skipped: what comes next is to be sent."""
    Queue.objects.create(name="clerks", title="Clerks", policy=ReviewPolicy.objects.create(name="standard"))
    source = JOURNEY.replace("room: {effect: test.reserve,", "room: {effect: test.reserve, timeout: 1s,")
    services.save_workflow(source=source, actor=actor, second=second_admin())
    run = services.start_run(workflow="journey", input={}, actor=actor)[0]
    while engine.drain(lanes=("default",)):
        pass
    return run


def test_an_effect_without_an_answer_in_its_time_is_sent_again_under_its_key(journey, outside):
    outside.modes = ["hang"]
    begun = time.monotonic()
    work()
    assert time.monotonic() - begun < 15, "the request went on after the step's time"
    assert outside.kinds()[:2] == ["test.reserve", "test.book"]
    room = journey.effects.get(step="room")
    assert (room.state, room.attempts) == (Effect.State.CONFIRMED, 2)


def test_an_effect_whose_connector_does_not_come_back_is_sent_again_and_booked_once(
    journey, outside, monkeypatch, stuck
):
    plain = HttpConnector.send

    def books_and_never_comes_back(self, sent):
        reply = plain(self, sent)
        if threading.current_thread() is not threading.main_thread():
            stuck.let_go.wait(60)
        return reply

    monkeypatch.setattr(HttpConnector, "send", books_and_never_comes_back)
    worker = in_a_worker()
    eventually(lambda: Task.objects.filter(step="room", status="retry_wait").exists())
    assert journey.effects.get(step="room").state == Effect.State.IN_FLIGHT
    work()
    stuck.let_go.set()
    worker.join(60)
    assert outside.kinds()[:2] == ["test.reserve", "test.book"]
    assert journey.effects.get(step="room").state == Effect.State.CONFIRMED
    assert Event.objects.filter(kind="effect.late_result").exists()
