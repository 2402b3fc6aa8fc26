"""Time-ordered identifiers, known before the row is written. UUID version 7, RFC 9562 section 5.7."""

import os
import secrets
import threading
import time
import uuid

RANDOM_BITS = 74  # rand_a (12) and rand_b (62)
STEP_BITS = 32  # how far two ids of the same millisecond may lie apart, so that neither can be guessed from the other

_lock = threading.Lock()
_last = 0  # milliseconds << 74 | the 74 bits after them, of the id handed out last


def uuid7() -> uuid.UUID:
    """A UUIDv7 that is greater than every one this process made before (RFC 9562 section 6.2, method 2)."""
    global _last
    fresh = time.time_ns() // 1_000_000 << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
    with _lock:
        # The clock may stand still or go back; the order of ids must not. A full millisecond spills into the next.
        if fresh >> RANDOM_BITS <= _last >> RANDOM_BITS:
            fresh = _last + 1 + secrets.randbits(STEP_BITS)
        _last = fresh
    millis, rand_a, rand_b = (
        fresh >> RANDOM_BITS,
        fresh >> 62 & 0xFFF,
        fresh & (1 << 62) - 1,
    )
    return uuid.UUID(int=millis << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b)


def _forget() -> None:
    """A forked child must not walk on from its parent's last id: both would count through the same numbers."""
    global _last, _lock
    _last, _lock = 0, threading.Lock()


os.register_at_fork(after_in_child=_forget)
