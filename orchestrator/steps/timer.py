"""Timer: the run goes on after a while, or when a date of its case has come. Times are UTC and bounded."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from orchestrator import waits
from orchestrator.definitions import lookup

from .base import StepHandler, Work
from .outcomes import Complete, Fail, Judgement, Outcome, Suspend


class TimerStep(StepHandler):
    automated = False

    def execute(self, work: Work) -> Outcome:
        wait = waits.find(work.task_id, work.pinned.round)
        if wait is not None and wait.ended_at is not None:
            said = Judgement(rationale=f"It was {wait.due_at:%Y-%m-%d %H:%M} UTC.")
            return Complete({"due_at": wait.due_at.isoformat()}, said)
        if "seconds" in work.step.config:
            pause = timedelta(seconds=work.step.config["seconds"])
            return Suspend(lambda now: self._begin(work, now, now + pause))
        written = lookup(work.case.as_json(), work.step.config["until"])
        try:
            due = moment(written)
        except ValueError as error:
            return Fail(f"timer: {error}", kind="timer-without-a-time")
        return self._until(work, due)

    def _until(self, work: Work, due: datetime) -> Outcome:
        most = timedelta(seconds=work.step.config["at_most"])
        if due > datetime.now(UTC) + most:
            return Fail(f"timer: {due.isoformat()} is more than {most.days} days away", kind="timer-too-far")
        return Suspend(lambda now: self._begin(work, now, due))

    def _begin(self, work: Work, now: datetime, due: datetime) -> None:
        waits.begin(task_id=work.task_id, round_=work.pinned.round, now=now, due_at=due)

    def cancelled(self, task_ids: Collection[UUID], now: datetime) -> None:
        waits.withdraw(task_ids, now)


def moment(written: Any) -> datetime:
    """A date (its first moment in UTC) or a date and time (UTC where it names no zone), as ISO 8601 writes them."""
    try:
        found = datetime.fromisoformat(str(written))
    except ValueError:
        raise ValueError(f"{written!r} is no date; expected one such as 2026-12-31") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
