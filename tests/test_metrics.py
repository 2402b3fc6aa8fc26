"""What Prometheus is told, and who may ask."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orchestrator import recovery
from orchestrator.models import Task

from .cast import answer, bill, cast, waiting_bill, work

pytestmark = pytest.mark.django_db
LINE = re.compile(
    r"(# (HELP|TYPE) countersign_[a-z_]+ .+|countersign_[a-z_]+(\{([a-z_]+=\"[^\"]*\",?)+\})? [0-9.e+-]+)"
)


def told(client, **headers) -> str:
    answer = client.get("/metrics", **headers)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    return answer.content.decode()


def test_what_is_under_way_and_what_waits_is_counted(client):
    everybody = cast()
    bill(everybody)
    waiting_bill(everybody)
    answer(waiting_bill(everybody), everybody.clerk)
    work()
    recovery.beat("worker-1")
    text = told(client)
    for line in (
        'countersign_runs{status="succeeded"} 2',
        'countersign_runs{status="waiting"} 1',
        'countersign_reviews{status="open"} 1',
        'countersign_reviews{status="approved"} 1',
        'countersign_effects{state="confirmed",connector="ledger"} 2',
        'countersign_reviews_overdue{queue="clerks"} 0',
        "countersign_workers 1",
        "countersign_webhooks_pending 0",
    ):
        assert line in text.splitlines(), text
    assert "countersign_trail_pending_age_seconds" in text
    assert 'countersign_worker_age_seconds{worker="worker-1"}' in text


def test_the_age_of_the_oldest_step_that_is_due_is_told_by_lane(client):
    everybody = cast(undo_seconds=1)
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    at = Task.objects.get(pk=review.task_id).ready_at
    Task.objects.filter(pk=review.task_id).update(ready_at=at - timedelta(days=365))
    text = told(client)
    assert 'countersign_tasks{status="ready",lane="default"} 1' in text
    [age] = re.findall(r'countersign_queue_age_seconds\{lane="default"\} ([0-9.e+]+)', text)
    assert float(age) > 30_000_000


def test_every_line_has_the_form_that_prometheus_reads(client):
    recovery.beat('odd"name\\')
    text = told(client)
    assert 'worker="odd\\"name\\\\"' in text
    plain = text.replace("\\\\", "/").replace('\\"', "'")
    assert [line for line in plain.splitlines() if not LINE.fullmatch(line)] == []


def test_the_number_of_questions_does_not_grow_with_what_there_is(client):
    everybody = cast()
    told(client)
    with CaptureQueriesContext(connection) as few:
        told(client)
    for _ in range(3):
        waiting_bill(everybody)
    with CaptureQueriesContext(connection) as many:
        told(client)
    assert len(many) == len(few)


def test_without_a_token_only_this_machine_may_ask(client):
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 404
    assert client.get("/metrics", headers={"Forwarded": "for=192.0.2.7"}).status_code == 404
    assert client.get("/metrics", REMOTE_ADDR="::1").status_code == 200
    assert client.post("/metrics").status_code == 405


def test_with_a_token_whoever_has_it_may_ask_from_anywhere(client, settings):
    settings.METRICS_TOKEN = "for-prometheus-alone"
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer other"}).status_code == 404
    told(client, headers={"Authorization": "Bearer for-prometheus-alone"}, REMOTE_ADDR="192.0.2.7")
