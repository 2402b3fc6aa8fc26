"""How long one try of a step may take. A watch in every process looks after the tries under way there: one that took
longer is recorded as a failed try, and what its function still answers is dropped by the fence.

A function cannot be stopped from outside: one that never returns keeps its thread, until the worker's process, which
can be, is replaced. Reading a source, the next item of a list, and requests through connectors/outbound.py end with the
time of the step that makes them.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.db import connections
from django.db.models.functions import Now

from .models import Task
from .steps.base import Work

logger = logging.getLogger(__name__)
MARGIN = timedelta(seconds=15)  # a lease outlasts the try, so that its end is the watch's to tell
LOOK_EVERY = 1.0
GRACE = 1.0  # who looks at its own time ends by itself
STUCK = 30.0  # seconds after which a try that was given up is not expected to come back


class TookTooLong(Exception):
    def __init__(self, work: Work):
        super().__init__(f"it took longer than its timeout of {work.step.timeout_seconds} s")


@dataclass(slots=True)
class Try:
    work: Work
    end: float
    give_up: Callable[[Work], None]
    given_up: bool = False


_under_way: dict[int, Try] = {}  # by thread
_watch = threading.Thread()
_starting = threading.Lock()
_replace: Callable[[], None] | None = None  # ends this process, where somebody starts another in its place


def replace_by(act: Callable[[], None] | None) -> None:
    """What is called when a thread of this process is lost for good. None: nothing, for it is no worker."""
    global _replace
    _replace = act


def begin(work: Work, give_up: Callable[[Work], None]) -> None:
    """A try begins in this thread. Unless end() comes in time, `give_up` is called in a thread of its own."""
    _under_way[threading.get_ident()] = Try(work, time.monotonic() + work.step.timeout_seconds, give_up)
    if not _watch.is_alive():
        _start_watch()


def _start_watch() -> None:
    """The first try of a process starts it: threads do not survive a fork."""
    global _watch
    with _starting:
        if not _watch.is_alive():
            _watch = threading.Thread(target=_look_after_all, name="timeouts", daemon=True)
            _watch.start()


def end() -> None:
    _under_way.pop(threading.get_ident(), None)


def left() -> float:
    """Seconds the try in this thread still has; without one, any number."""
    mine = _under_way.get(threading.get_ident())
    return mine.end - time.monotonic() if mine else math.inf


def check() -> None:
    """TookTooLong when the try in this thread has no time left."""
    mine = _under_way.get(threading.get_ident())
    if mine and time.monotonic() > mine.end:
        raise TookTooLong(mine.work)


def hold_longer(work: Work) -> bool:
    """The lease lasts for a whole try from now on. False: the task is no longer held under this fence."""
    held = Task.objects.filter(pk=work.task_id, status=Task.Status.RUNNING, fence=work.fence)
    return bool(held.update(lease_until=Now() + timedelta(seconds=work.step.timeout_seconds) + MARGIN))


def _look_after_all() -> None:
    while True:
        time.sleep(LOOK_EVERY)
        for one in list(_under_way.values()):
            if one.given_up and _replace and time.monotonic() > one.end + GRACE + STUCK:
                logger.error("step %s of run %s never returned", one.work.step.name, one.work.run_id)
                _replace()
            if time.monotonic() > one.end + GRACE and not one.given_up:
                one.given_up = True
                threading.Thread(target=_give_up, args=[one], daemon=True).start()


def _give_up(one: Try) -> None:
    try:
        one.give_up(one.work)
    except Exception:  # its lease ends too, and then the sweeper has it
        logger.exception("task %s took too long, and that was not recorded", one.work.task_id)
    finally:
        connections.close_all()
