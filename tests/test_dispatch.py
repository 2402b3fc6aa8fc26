"""Waking workers: one message waits, however many ask, and none is missed."""

import threading
import time

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


def lingers(broker: redis.Redis, seconds: float = 5) -> tuple[threading.Thread, list[bool]]:
    """A worker that waits for the bell, and whether it heard it."""
    heard: list[bool] = []
    waiting = threading.Thread(target=lambda: heard.append(dispatch.linger(seconds, lambda: False)))
    waiting.start()
    deadline = time.monotonic() + 5
    while not broker.pubsub_numsub(dispatch.bell_of(broker))[0][1] and time.monotonic() < deadline:
        time.sleep(0.005)
    return waiting, heard


def test_a_worker_that_lingers_is_woken_without_a_message(broker):
    waiting, heard = lingers(broker)
    dispatch.wake()
    waiting.join(60)
    assert (heard, broker.llen("engine")) == ([True], 0)


def test_slow_work_is_not_what_a_lingering_worker_waits_for(broker):
    waiting, heard = lingers(broker, seconds=0.2)
    dispatch.wake("ocr")
    waiting.join(60)
    assert (heard, broker.llen("ocr")) == ([False], 1)


def test_who_uses_another_database_of_the_same_redis_is_not_rung_for(broker):
    options = broker.connection_pool.connection_kwargs
    elsewhere = redis.Redis(host=options["host"], port=options["port"], db=options["db"] + 1)
    waiting, heard = lingers(broker, seconds=0.2)
    assert dispatch.bell_of(elsewhere) != dispatch.bell_of(broker)
    assert elsewhere.publish(dispatch.bell_of(elsewhere), "") == 0
    waiting.join(60)
    assert heard == [False]


def test_one_worker_lingers(broker):
    waiting, _ = lingers(broker)
    assert dispatch.linger(5, lambda: False) is False
    dispatch.wake()
    waiting.join(60)


def test_who_has_stopped_lingering_is_sent_a_message(broker):
    assert dispatch.linger(0.01, lambda: False) is False
    dispatch.wake()
    assert broker.llen("engine") == 1


def test_what_was_committed_before_the_bell_could_be_heard_is_found(broker):
    assert dispatch.linger(0.01, lambda: True) is True


@pytest.mark.parametrize("seconds", [0, 5])
def test_whoever_rings_between_the_look_and_the_end_is_heard(broker, seconds):
    def looks() -> bool:
        dispatch.wake()
        return False

    assert dispatch.linger(seconds, looks) is True
    assert broker.llen("engine") == 0


def test_whoever_rings_as_the_worker_leaves_is_heard(broker, monkeypatch):
    leaves = redis.client.PubSub.unsubscribe

    def ring_first(self, *channels):
        dispatch.wake()
        return leaves(self, *channels)

    monkeypatch.setattr(redis.client.PubSub, "unsubscribe", ring_first)
    assert dispatch.linger(0, lambda: False) is True
    assert broker.llen("engine") == 0
