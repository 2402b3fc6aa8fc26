"""The review step: entered when a policy asked for a person, skipped otherwise. Waiting holds no worker."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from orchestrator import services as runs
from orchestrator.models import Run, Task
from orchestrator.statements import Slot, look_up, update
from orchestrator.steps.base import StepHandler, Work
from orchestrator.steps.outcomes import Complete, Defer, Fail, Judgement, Outcome, Reject, SendBack, Suspend

from . import opening
from .models import Queue, Review
from .packet import Built, build_packet
from .remembered import Reason, unanswered
from .reversing import tell_of
from .undoing import void_effects


class ReviewStep(StepHandler):
    automated = False

    def execute(self, work: Work) -> Outcome:
        last = next(iter(look_up(_last_round, task=work.task_id)), None)
        answered = last is not None and last.settled_at is not None and "taken_up" not in last.answer
        if answered and last.status == Review.Status.REJECTED:
            return Reject(rejection(last), on_record=lambda now: take_up(last, now))
        if answered and last.status == Review.Status.REROUTED:
            return rerouted(last)
        run = last.run if last is not None else Run.objects.get(pk=work.run_id)
        if reasons := unanswered(run):
            return self._wait(work, reasons, last if answered else None)
        if answered and last.status == Review.Status.APPROVED:
            return approved(last)
        return skipped(last)

    def _wait(self, work: Work, reasons: Sequence[Reason], last: Review | None) -> Outcome:
        queue = opening.queue_for(work.step, reasons)
        if queue is None:
            return Fail(f"queue: {work.step.queue!r} does not exist", kind="no-queue")
        task = Task.objects.select_related("run__version", "run__policy_version__policy").get(pk=work.task_id)
        built = build_packet(task.run, task, round_=opening.next_round(task), reasons=reasons)
        return Suspend(on_record=lambda now: wait(task, queue, built, last, now))

    def cancelled(self, task_ids: Collection[UUID], now: datetime) -> None:
        opening.withdraw(task_ids, now)


def _last_round(*, task: Slot) -> QuerySet:
    return Review.objects.filter(task=task).select_related("run", "queue").order_by("-round")[:1]


def wait(task: Task, queue: Queue, built: Built, last: Review | None, now: datetime) -> None:
    """A round opens. An approval that did not cover everything sets nothing free."""
    if last is not None:
        take_up(last, now)
        void_effects(last, now, why="more has to be looked at")
    review = opening.open_review(task=task, queue=queue, built=built, now=now)
    if review.reverses_id is not None and review.round == 1:
        tell_of(review)


def take_up(review: Review, now: datetime) -> None:
    """An answer is acted on once, however often the step is entered again."""
    update(Review, [review.pk], answer={**review.answer, "taken_up": now.isoformat()})


def approved(review: Review) -> Outcome:
    """Its turn has come: done. Entered early: the run goes on, and the step comes again when its turn is there."""
    if review.packet["case"]["early"]:
        return Defer(on_record=lambda now: take_up(review, now))
    output = {name: value for name, value in review.answer.items() if name not in ("decision", "by", "corrections")}
    return Complete(output, None, on_record=lambda now: take_up(review, now))


def rejection(review: Review) -> str:
    return review.answer.get("comment") or review.answer.get("reason") or "Rejected by a reviewer."


def rerouted(review: Review) -> Outcome:
    kind, _, name = review.answer["target"].partition(":")
    if kind == "workflow":
        return Reject(f"Sent to {name}.", on_record=lambda now: hand_over(review, name, now))
    return SendBack(name, on_record=lambda now: take_up(review, now))


def hand_over(review: Review, workflow: str, now: datetime) -> None:
    """The other workflow gets the same input and documents; the key makes it one run, however often it is recorded."""
    run: Run = review.run
    documents = {row.role: row.document for row in run.rundocument_set.select_related("document")}
    key = f"from:{run.pk}:{review.round}"
    runs.start_run(workflow=workflow, input=run.input, actor=run.started_by, documents=documents, key=key)
    take_up(review, now)


def skipped(last: Review | None) -> Complete:
    """No rule waits for a person: none fired, or what fired was answered before its turn."""
    early = last is not None and last.status == Review.Status.APPROVED
    why = "What the policies asked was answered early." if early else "No policy asked for a person."
    return Complete({"verdict": "skipped"}, Judgement(verdict="skipped", rationale=why), skipped=True)
