"""How an effect reaches the outside, and what may be known afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent: the durable key never changes between attempts, nor do the bytes."""

    key: str
    kind: str
    business_key: str
    payload: Mapping[str, Any]
    payload_digest: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """It has happened, exactly as sent; `ref` is the outside's name for it."""

    ref: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It has definitely not happened, and the outside says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """It may or may not have happened."""

    reason: str


Reply = Confirmed | Refused | InDoubt


class Connector(Protocol):
    """`klass` says what the outside offers: K it deduplicates by our key, N it refuses a second natural key, Q it can
    be asked, X neither. K and N are repeated with the same key, until half of `retention` (how long the outside keeps
    keys) is over; Q and X never are. Q is asked once more after `settle_window`, when what was sent must show."""

    name: str
    retention: timedelta
    settle_window: timedelta
    max_in_flight: int  # how many effects may be on their way at once

    @property
    def klass(self) -> str: ...

    def send(self, sent: Sent) -> Reply: ...

    def find(self, sent: Sent) -> Reply | None:
        """Asks whether the key is known: Confirmed, InDoubt (it could not be asked), or None: it is not there."""
        ...
