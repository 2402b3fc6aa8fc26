"""Sub-workflow: another workflow runs with a part of this case as its input, and the step waits for its end."""

from collections.abc import Collection
from datetime import datetime
from functools import partial
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction

from orchestrator import family, services
from orchestrator.case import load_cases
from orchestrator.definitions import lookup
from orchestrator.models import Run

from .base import StepHandler, Work
from .outcomes import Complete, Fail, Halt, Judgement, Outcome, Reject, Suspend


class SubworkflowStep(StepHandler):
    def execute(self, work: Work) -> Outcome:
        child = Run.objects.filter(parent_id=work.task_id, key=key_of(work)).first()
        if child is None:
            return start(work)
        if child.status not in Run.ENDED:
            return waiting(work)
        if child.status == Run.Status.REJECTED:
            return Reject(child.outcome or f"{work.step.target} was rejected.")
        if child.control and child.status == Run.Status.CANCELLED:
            return Halt(child.outcome)
        if child.status != Run.Status.SUCCEEDED:
            return Fail(f"{work.step.target} ended as {child.get_status_display()}", kind="child-not-succeeded")
        data = load_cases({child.pk: child.input})[child.pk].data
        output = {"run": str(child.pk), "outcome": child.outcome, "data": data}
        return Complete(output, Judgement(rationale=f"{work.step.target} is done."))

    def cancelled(self, task_ids: Collection[UUID], now: datetime) -> None:
        transaction.on_commit(partial(family.stop_children, list(task_ids)))


def start(work: Work) -> Outcome:
    """The key makes it one child per task and round, however often the step is entered."""
    if family.depth_of(work.run_id) >= family.MAX_DEPTH - 1:
        return Fail(f"more than {family.MAX_DEPTH} workflows would stand inside each other", kind="too-deep")
    case = work.case.as_json()
    given = {field: lookup(case, path) for field, path in work.step.config["input"].items()}
    try:
        services.start_run(
            workflow=work.step.target,
            input={field: value for field, value in given.items() if value is not None},
            actor=get_user_model().objects.get(pk=work.pinned.started_by_id),
            key=key_of(work),
            priority=work.pinned.priority,
            parent=work.task_id,
            control=bool(work.pinned.control),
        )
    except services.ServiceError as error:
        return Fail(f"{work.step.target} could not be started: {error}", kind="child-not-started")
    return waiting(work)


def waiting(work: Work) -> Suspend:
    """A child may be quicker than the recording of this: the look after the commit finds it ended."""
    return Suspend(lambda now: transaction.on_commit(partial(look_again, work.task_id)))


def look_again(task_id: UUID) -> None:
    if not Run.objects.filter(parent_id=task_id, ended_at=None).exists():
        family.wake_parent(task_id)


def key_of(work: Work) -> str:
    return f"child:{work.task_id}:{work.pinned.round}"
