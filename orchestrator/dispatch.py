"""The one door to Celery. A message says "there is work" and nothing else: losing or doubling it is harmless."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import transaction
from kombu.exceptions import OperationalError

from .celery import app

logger = logging.getLogger(__name__)

WORK = "countersign.work"
JOBS = {"ocr": "countersign.work_slowly"}  # by name: jobs.py is above the engine, which wakes them
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
    try:
        app.send_task(JOBS.get(lane, WORK), retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        logger.warning("no worker was woken (%s); the sweeper will", error)
