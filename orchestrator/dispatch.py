"""The one door to Celery. A message says "there is work" and nothing else: losing or doubling it is harmless.

However many ask, one message waits in each queue. A job takes the mark away before it looks: whoever commits after its
look finds no mark and sends the next message; whoever still found one committed before a look that is to come.

A job that has found no more lingers for a moment, and then a bell (Redis publish) takes the message's place: it reaches
the waiting worker at once. Only who waits hears it, and the publisher is told how many did.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from .celery import app

logger = logging.getLogger(__name__)

WORK = "countersign.work"
# By name: jobs.py is above the engine, which wakes them.
JOBS = {"ocr": "countersign.work_slowly", "deliveries": "countersign.deliver"}
BELL = "countersign.bell"
BELL_SECONDS = 1  # how long the broker may take to answer
MARK_SECONDS = 5  # a message nobody took for so long counts as lost
_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silence() -> Iterator[None]:
    """Wakes nobody: for work in a database of its own, which no worker looks into."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def wake_on_commit(lane: str = "default") -> None:
    """Wakes a worker once the caller's transaction is there for it to see."""
    transaction.on_commit(lambda: wake(lane))


def wake(lane: str = "default") -> None:
    """Publishing is best effort: without a broker the sweeper finds the work."""
    if _silent.get():
        return
    job = JOBS.get(lane, WORK)
    try:
        if not (job == WORK and _rings()) and _mark(job):
            app.send_task(job, retry=False, ignore_result=True)
    except (OperationalError, redis.RedisError, OSError) as error:
        logger.warning("no worker was woken (%s); the sweeper will", error)


def taken(job: str) -> None:
    """A job has begun and will look for work: the next one to ask sends a message again."""
    if (marks := _marks()) is not None:
        try:
            marks.delete(job)
        except redis.RedisError as error:
            logger.warning("%s stays marked for %s s (%s)", job, MARK_SECONDS, error)


def linger(seconds: float, is_due: Callable[[], bool]) -> bool:
    """Waits for the bell; True: look again. `is_due` is asked when the bell can already be heard, and what rings until
    it no longer can is counted: no commit falls in between. One worker lingers, so that a bell wakes one."""
    bells = _marks()
    if bells is None:
        return False
    try:
        if _listeners(bells):
            return False
        with bells.pubsub() as bell:
            bell.subscribe(bell_of(bells))
            _await(bell, "subscribe")
            heard = is_due() or bell.get_message(timeout=seconds) is not None
            bell.unsubscribe(bell_of(bells))
            return _await(bell, "unsubscribe") or heard
    except redis.RedisError as error:
        logger.warning("no bell is heard (%s)", error)
        return is_due()  # it may have rung


def _await(bell: Any, answer: str) -> bool:
    """Waits for the server's answer to a (un)subscription; True: the bell rang before it."""
    rang = False
    while (message := bell.get_message(timeout=BELL_SECONDS)) is not None and message["type"] != answer:
        rang = True
    return rang


def _listeners(bells: redis.Redis) -> int:
    [(_, number)] = bells.pubsub_numsub(bell_of(bells))
    return number


def bell_of(bells: redis.Redis) -> str:
    """One for each of the server's numbered databases: channels, unlike keys, are heard in all of them."""
    return f"{BELL}.{bells.connection_pool.connection_kwargs.get('db') or 0}"


def _rings() -> bool:
    """Whether somebody lingered and heard the bell."""
    bells = _marks()
    return bells is not None and bells.publish(bell_of(bells), "") > 0


def _mark(job: str) -> bool:
    """Whether a message is needed: none is waiting, or there is nowhere to keep marks."""
    marks = _marks()
    return marks is None or bool(marks.set(job, 1, nx=True, ex=MARK_SECONDS))


@cache
def _marks() -> redis.Redis | None:
    """Where marks are kept: the broker, if it is Redis. Connections are made anew after a fork."""
    if not settings.REDIS_URL:
        return None
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
