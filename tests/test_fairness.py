"""Who is urgent goes first; who waits is served within a bound, however many urgent ones arrive."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models.functions import Now

from audit.log import database_now
from orchestrator import engine, services
from orchestrator.models import Run, Task
from orchestrator.tasks import AHEAD, MAX_PRIORITY

from .cast import second_admin
from .engine_agents import line

pytestmark = pytest.mark.django_db
# In this lane one is claimed at a time: a stream of one for each claim never ends.
ONE_BY_ONE = line("slow", ["test.count"]).replace("agent: test.count", "agent: test.count, lane: ocr")


@pytest.fixture
def actor():
    return get_user_model().objects.create_user("requester")


@pytest.mark.parametrize(("arrive", "served", "minutes"), [(2, 2, 5), (4, 2, 10)])
def test_f32_under_an_endless_urgent_stream_the_oldest_is_served_within_a_bound(actor, arrive, served, minutes):
    """What came with three degrees of priority goes first for five minutes, and no longer: who waits is served after
    as many as arrive in that time, however many arrive later."""
    services.save_workflow(source=line("w1", ["test.count"]), actor=actor, second=second_admin())
    begun = database_now() - timedelta(hours=1)

    def start(minute: int, priority: int):
        run = services.start_run(workflow="w1", input={}, actor=actor, priority=priority)[0]
        at = begun + timedelta(minutes=minute) - priority * AHEAD
        Task.objects.filter(run=run).update(ready_at=at)
        return run.pk

    oldest, order = start(0, 0), []
    for minute in range(minutes + 1):
        for _ in range(arrive):
            start(minute, MAX_PRIORITY)
        order += [held.run_id for held in engine.claim(limit=served)]
    assert order.index(oldest) // served <= minutes
    assert order.index(oldest) == MAX_PRIORITY * AHEAD // timedelta(minutes=1) * arrive


def test_the_oldest_task_is_served_before_newer_urgent_ones(actor):
    services.save_workflow(source=line("w1", ["test.count"]), actor=actor, second=second_admin())
    old = services.start_run(workflow="w1", input={}, actor=actor)[0]
    urgent = services.start_run(workflow="w1", input={}, actor=actor, priority=3)[0]
    assert [held.run_id for held in engine.claim(limit=1)] == [urgent.pk]
    Task.objects.filter(run=old).update(ready_at=Now() - timedelta(seconds=301))
    services.start_run(workflow="w1", input={}, actor=actor, priority=3)
    assert [held.run_id for held in engine.claim(limit=1)] == [old.pk]


def start_slow(actor, priority: int = 0) -> Run:
    return services.start_run(workflow="slow", input={}, actor=actor, priority=priority)[0]


def turn(actor) -> None:
    """Something urgent arrives, and a worker takes one task."""
    start_slow(actor, MAX_PRIORITY)
    engine.drain(lanes=("ocr",), budget=0)


def begun(runs: list[Run]) -> list[bool]:
    return [Task.objects.get(run=run).attempts > 0 for run in runs]


@pytest.mark.parametrize("before", range(4))
def test_every_fourth_claim_takes_the_oldest_whatever_else_is_urgent(actor, before):
    services.save_workflow(source=ONE_BY_ONE, actor=actor, second=second_admin())
    for _ in range(before):  # wherever in its round of four the worker is
        turn(actor)
    oldest, next_oldest = start_slow(actor), start_slow(actor)
    turns = [turn(actor) or begun([oldest, next_oldest]) for _ in range(8)]
    assert turns[3][0]
    assert not turns[2][1]
    assert turns[7][1]
    assert Task.objects.filter(status=Task.Status.READY).exists()


def test_by_age_what_is_tried_again_does_not_go_first_once_more(actor):
    services.save_workflow(source=ONE_BY_ONE, actor=actor, second=second_admin())
    tried, oldest = start_slow(actor), start_slow(actor)
    Task.objects.filter(run=tried).update(status=Task.Status.RUNNING, ready_at=None, lease_until=Now())
    Task.objects.filter(run=tried).update(status=Task.Status.RETRY_WAIT, ready_at=Now(), lease_until=None)
    assert [held.run_id for held in engine.claim("ocr", 1, by_age=True)] == [oldest.pk]


def test_by_age_what_is_tried_again_is_taken_where_there_is_nothing_else(actor):
    services.save_workflow(source=ONE_BY_ONE, actor=actor, second=second_admin())
    start_slow(actor)
    Task.objects.update(status=Task.Status.RUNNING, ready_at=None, lease_until=Now())
    Task.objects.update(status=Task.Status.RETRY_WAIT, ready_at=Now(), lease_until=None)
    assert len(engine.claim("ocr", 1, by_age=True)) == 1


def test_claiming_by_age_reads_only_what_may_be_claimed(actor, django_assert_max_num_queries):
    with django_assert_max_num_queries(30) as asked:
        engine.claim(by_age=True)
    query = next(q["sql"] for q in asked.captured_queries if "ORDER BY" in q["sql"])
    with connection.cursor() as cursor:
        explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(explain + query)
        plan = str(cursor.fetchall())
    assert "task_oldest" in plan, plan
