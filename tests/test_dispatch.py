"""Waking workers: one message waits, however many ask, and none is missed."""

import pytest
import redis
from django.conf import settings

from orchestrator import dispatch

pytestmark = pytest.mark.skipif(not settings.REDIS_URL, reason="only a Redis broker keeps marks (TEST_DB=postgres)")


@pytest.fixture
def broker():
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete("engine", "ocr")
    for job in (dispatch.WORK, *dispatch.JOBS.values()):
        dispatch.taken(job)
    yield client
    client.delete("engine", "ocr")


def test_one_message_waits_however_many_ask(broker):
    for _ in range(5):
        dispatch.wake()
    assert broker.llen("engine") == 1


def test_whoever_asks_after_a_job_has_begun_is_heard_by_another(broker):
    dispatch.wake()
    dispatch.taken(dispatch.WORK)
    dispatch.wake()
    assert broker.llen("engine") == 2


def test_each_queue_has_a_message_of_its_own(broker):
    dispatch.wake()
    dispatch.wake("ocr")
    assert (broker.llen("engine"), broker.llen("ocr")) == (1, 1)


def test_a_message_that_was_lost_is_not_waited_for_long(broker):
    dispatch.wake()
    marks = [key for key in broker.scan_iter() if b"countersign.work" in key]
    assert [0 < broker.ttl(key) <= dispatch.MARK_SECONDS for key in marks] == [True]
