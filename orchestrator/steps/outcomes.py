"""What a step handler answers with. Suspending is an answer, not an exception: no worker waits for a person."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any


@dataclass(slots=True)
class Judgement:
    """The Decision a step leaves behind: who judged, how sure, and on what grounds."""

    actor_kind: str = "system"
    actor: str = "Countersign"
    actor_version: str = ""
    verdict: str = "continue"
    confidence: float | None = None
    rationale: str = ""
    evidence: list[dict[str, Any]] = field(default_factory=list)
    cost: Decimal = Decimal(0)


@dataclass(slots=True)
class Complete:
    """The step is done. `judgement` is None where the decision was already recorded (a person's answer).
    `on_record(now)` runs in the recording transaction and may write what belongs to the result; `on_dropped(now)` runs
    there instead when the result came too late."""

    output: dict[str, Any]
    judgement: Judgement | None = field(default_factory=Judgement)
    skipped: bool = False
    on_record: Callable[[datetime], None] | None = None
    on_dropped: Callable[[datetime], None] | None = None


@dataclass(slots=True)
class Suspend:
    """The step waits for a person or an event; `on_record(now)` writes the row that is waited for."""

    on_record: Callable[[datetime], None]


@dataclass(slots=True)
class Defer:
    """Something of the step is done, and not all of it: it is opened again when everything it needs has finished."""

    on_record: Callable[[datetime], None] | None = None
    on_dropped: Callable[[datetime], None] | None = None


@dataclass(slots=True)
class SendBack:
    """An earlier step is to run again, and what came after it: a person said so."""

    step: str
    on_record: Callable[[datetime], None] | None = None


@dataclass(slots=True)
class Retry:
    """It may work later. `at_once` repeats without backoff (self-correction), still within the step's bound.
    `on_hold` waits for a person to release something and does not count as an attempt. `after` replaces the backoff."""

    error: str
    after: timedelta | None = None
    at_once: bool = False
    on_hold: bool = False
    objections: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Fail:
    """It will not work by repeating: an operator has to look."""

    error: str
    kind: str = "step-failed"
    on_record: Callable[[datetime], None] | None = None
    on_dropped: Callable[[datetime], None] | None = None


@dataclass(slots=True)
class Reject:
    """The case itself is refused: the run ends as rejected, with the reason people read."""

    reason: str
    on_record: Callable[[datetime], None] | None = None


@dataclass(slots=True)
class Halt:
    """The run ends here as cancelled, and nobody is at fault: a control case has come as far as it may."""

    reason: str
    on_record: Callable[[datetime], None] | None = None


Outcome = Complete | Suspend | Defer | SendBack | Retry | Fail | Reject | Halt
