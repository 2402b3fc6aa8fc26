"""Wait: the run goes on when an event of that name and correlation comes in, or after a while without it."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from orchestrator import waits
from orchestrator.definitions import render

from .base import StepHandler, Work
from .outcomes import Complete, Fail, Judgement, Outcome, Suspend


class WaitStep(StepHandler):
    def execute(self, work: Work) -> Outcome:
        step, round_ = work.step, work.pinned.round
        wait = waits.find(work.task_id, round_)
        if wait is None or wait.ended_at is None:
            correlation = render(step.config["correlation"], work.case.as_json())
            if correlation is None:
                return Fail(f"correlation: {step.config['correlation']} is not in the case", kind="no-correlation")
            return Suspend(lambda now: begin(work, correlation, now))
        if wait.data is not None:
            return Complete({"received": True, "data": wait.data}, Judgement(rationale=f"{step.target} came in."))
        if step.config["otherwise"] == "continue":
            return Complete({"received": False, "data": None}, Judgement(rationale=f"{step.target} did not come."))
        why = f"{step.target} for {wait.correlation} did not come in time"
        return Fail(why, "wait-in-vain", on_record=lambda now: waits.forget(work.task_id, round_))

    def cancelled(self, task_ids: Collection[UUID], now: datetime) -> None:
        waits.withdraw(task_ids, now)


def begin(work: Work, correlation: str, now: datetime) -> None:
    due = now + timedelta(seconds=work.step.config["within"])
    wanted = {"event": work.step.target, "correlation": correlation}
    waits.begin(task_id=work.task_id, round_=work.pinned.round, now=now, due_at=due, **wanted)
