"""Identifiers are in order of time, also within a millisecond, between threads and after the clock went back."""

import os
import threading
import uuid

from audit import ids
from audit.ids import uuid7


def test_an_id_is_a_version_7_uuid_of_the_rfc_variant():
    made = uuid7()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_an_id_starts_with_the_milliseconds_of_its_time(monkeypatch):
    monkeypatch.setattr(ids, "_last", 0)
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_645_557_742_000_000_000)
    assert str(uuid7()).startswith("017f22e2-79b0-7")  # the example of RFC 9562, appendix A.6


def test_ids_of_one_process_only_grow():
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_ids_grow_although_the_clock_goes_back(monkeypatch):
    before = uuid7()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 0)
    assert before < uuid7() < uuid7()


def test_threads_never_get_the_same_id():
    made: list[list[uuid.UUID]] = [[] for _ in range(4)]
    threads = [threading.Thread(target=lambda own=own: own.extend(uuid7() for _ in range(5_000))) for own in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key for own in made for key in own}) == 20_000
    assert all(own == sorted(own) for own in made)


def test_a_forked_child_does_not_walk_on_from_its_parents_ids():
    reading, writing = os.pipe()
    uuid7()
    child = os.fork()
    if child == 0:
        os.write(writing, str(ids._last).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"0"
