"""Celery's entry points. Each is safe to run twice, late, or not at all."""

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from functools import partial, wraps

from celery import shared_task
from celery.signals import worker_process_init, worker_ready, worker_shutdown
from django.conf import settings
from django.db import close_old_connections
from django.utils.module_loading import import_string

from . import dispatch, engine, recovery, timeouts

logger = logging.getLogger(__name__)
FAST = ("default", "effects")
LINGER = 0.25  # seconds a worker that found nothing more waits for the bell
STAY = 2.0  # and no longer than this in one job, since other jobs wait their turn
SWEEP_SECONDS = 5.0
_stopping = threading.Event()


def reconnecting(job: Callable[[], None]) -> Callable[[], None]:
    """A job that failed may have lost its database: a broken connection is closed, and the next job opens another.
    (Celery's own check before every job would cost each of them a round trip, and is switched off.)"""

    @wraps(job)
    def run() -> None:
        try:
            job()
        except Exception:
            close_old_connections()
            raise

    return run


@shared_task(name="countersign.work")
@reconnecting
def work() -> None:
    """There is work: drain for a moment, linger for what follows, and leave a message where more is left."""
    dispatch.taken(dispatch.WORK)
    end = time.monotonic() + STAY
    while not (more := engine.drain(lanes=FAST, more=dispatch.wake)):
        if time.monotonic() >= end or not dispatch.linger(LINGER, _is_due):
            break
    if more:
        dispatch.wake()
    if engine.due_lanes("ocr"):
        dispatch.wake("ocr")


def _is_due() -> bool:
    return bool(engine.due_lanes(*FAST))


@shared_task(name="countersign.work_slowly")
@reconnecting
def work_slowly() -> None:
    """Steps that take seconds and memory: one at a time, on their own queue."""
    dispatch.taken(dispatch.JOBS["ocr"])
    if engine.drain(lanes=("ocr",)):
        dispatch.wake("ocr")
    dispatch.wake()


@shared_task(name="countersign.deliver")
@reconnecting
def deliver() -> None:
    """What leaves the house (settings.DELIVERERS): others' servers may be slow, so they have the slow workers."""
    dispatch.taken(dispatch.JOBS["deliveries"])
    if sum(import_string(path)() for path in settings.DELIVERERS):
        dispatch.wake("deliveries")


@shared_task(name="countersign.sweep")
@reconnecting
def sweep() -> None:
    """The metronome's tick. Every worker also sweeps by itself, so a missing scheduler costs nothing."""
    recovery.sweep()


@worker_process_init.connect
@worker_ready.connect
def be_replaceable(**_: object) -> None:
    """In the process that works: a child of the pool, or the worker itself."""
    timeouts.replace_by(partial(os._exit, os.EX_SOFTWARE))


@worker_ready.connect
def start_sweeper(**_: object) -> None:
    _stopping.clear()
    threading.Thread(target=_sweep_until_stopped, name="sweeper", daemon=True).start()


@worker_shutdown.connect
def stop_sweeper(**_: object) -> None:
    _stopping.set()


def _sweep_until_stopped() -> None:
    name = f"{socket.gethostname()}:{os.getpid()}"
    while not _stopping.wait(SWEEP_SECONDS * random.uniform(0.5, 1.5)):  # noqa: S311 (no secret)
        try:
            close_old_connections()
            recovery.sweep()
            recovery.beat(name)  # afterwards: whoever was seen has made a pass
        except Exception:  # the sweeper must outlive a database that is away for a while
            logger.exception("sweep failed")
