"""Where two parties meet: at a named boundary of a function, as if both had come there at the same moment.

A party that has arrived waits until every other one has arrived too, or waits in the database for a lock that somebody
holds. So with the lock the product takes, one acts and the other stands before the door; without it, both stand inside.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

from django.db import connections

from orchestrator import engine
from orchestrator.errors import ServiceError
from reviews import asking, claiming, deciding, undoing
from reviews.errors import ReviewError

ROUNDS = int(os.environ.get("RACE_ROUNDS", "10"))  # of each race; `make faults` runs 30
PATIENCE = 30.0  # seconds; only a machine that stands still needs them
# Where an act on a run, or on a case of it, has its lock.
LOCKED = (
    (engine, "lock_runs", "after"),
    *((module, "locked", "after") for module in (deciding, undoing, asking, claiming)),
)
BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND state = 'active'
"""


class Meeting:
    """One meeting of `parties`; each counts once, however often it passes."""

    def __init__(self, parties: int) -> None:
        self.parties, self.arrived, self.over = parties, set[int](), threading.Event()
        self.passed = 0  # how often somebody came to a place of the meeting
        self.lock = threading.Lock()

    def arrive(self) -> None:
        """Returns when everybody is here, stands before a lock, or has left."""
        me = threading.get_ident()
        with self.lock:
            self.passed += 1
            if me in self.arrived:
                return
            self.arrived.add(me)
            if len(self.arrived) == self.parties:
                self.over.set()
        deadline = time.monotonic() + PATIENCE
        with watcher() as waiting:
            while not self.over.wait(0.002):
                assert time.monotonic() < deadline, "the others never came"
                if waiting() >= self.parties - len(self.arrived):
                    self.over.set()

    def second(self) -> bool:
        """Waits until somebody else has arrived: for a party that is to come second."""
        deadline = time.monotonic() + PATIENCE
        while not self.arrived:
            assert time.monotonic() < deadline, "nobody came first"
            time.sleep(0.002)
        return True

    def leave(self) -> None:
        """A party is done, or gave up before it came here."""
        with self.lock:
            self.arrived.add(threading.get_ident())
            if len(self.arrived) >= self.parties:
                self.over.set()


@contextmanager
def watcher() -> Iterator[Callable[[], int]]:
    """How many sessions of this database wait for a lock, asked on a connection of its own."""
    connection = connections["default"].copy()

    def waiting() -> int:
        with connection.cursor() as cursor:
            cursor.execute(BLOCKED)
            return cursor.fetchone()[0]

    try:
        yield waiting
    finally:
        connection.close()


@contextmanager
def meeting_at(monkeypatch: Any, parties: int, *places: tuple[Any, str, str]) -> Iterator[Meeting]:
    """The parties meet at the first of `places` each of them passes: (owner, name of the function, "before" or
    "after" it)."""
    meeting = Meeting(parties)
    with monkeypatch.context() as patched:
        for owner, name, when in places:
            patched.setattr(owner, name, met(getattr(owner, name), when, meeting))
        yield meeting
    assert meeting.passed, "nobody came to the place of the meeting"


def met(function: Callable[..., Any], when: str, meeting: Meeting) -> Callable[..., Any]:
    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            meeting.arrive()
        result = function(*args, **kwargs)
        if when == "after":
            meeting.arrive()
        return result

    return wrapped


def together(meeting: Meeting, *acts: Callable[[], Any]) -> list[Any]:
    """What each act returned, or the refusal it raised; every act in a thread and a connection of its own."""
    found: list[Any] = [None] * len(acts)

    def run(index: int, act: Callable[[], Any]) -> None:
        try:
            found[index] = act()
        except (ReviewError, ServiceError) as refusal:
            found[index] = refusal
        except BaseException as error:
            found[index] = error
        finally:
            meeting.leave()
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, ReviewError | ServiceError):
            raise one
    return found


def refused(found: Sequence[Any]) -> list[Any]:
    return [one for one in found if isinstance(one, Exception)]
