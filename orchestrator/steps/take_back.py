"""Taking back what another run did, once people have approved it. What has ended well is taken back part by part; what
is still under way is stopped, and takes itself back; what was rejected is started once more."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from audit.log import SYSTEM
from orchestrator import endings, services, taking_back
from orchestrator.models import Decision, Effect, Run

from .base import Work
from .outcomes import Complete, Defer, Fail, Judgement, Outcome, Reject

TOO_LATE = "It went on to its end before it could be stopped. Ask again: now what it did can be taken back."


def take_back(work: Work, once: Callable[[Work], Outcome]) -> Outcome:
    """`once` makes one attempt at one effect. Entered again after each part, and after every interruption."""
    run = Run.objects.get(pk=work.run_id)
    decision = taking_back.decision_reversed(run.input)
    if decision is None:
        return Fail("decision: names no decision of any run", kind="nothing-to-reverse")
    earlier = decision.run
    if earlier.status == Run.Status.SUCCEEDED:
        return part_by_part(work, run, earlier, once)
    if earlier.status == Run.Status.REJECTED:
        return start_again(work, run, earlier)
    return stop(work, run, earlier)


def part_by_part(work: Work, run: Run, earlier: Run, once: Callable[[Work], Outcome]) -> Outcome:
    """Only what people saw and approved is done: an end that came after their answer is put before them again."""
    parts = taking_back.parts_of(run, work.step)
    states = dict(run.effects.order_by("authorised_at", "id").values_list("step", "state"))
    if any(part.name not in states for part in parts):
        return Reject(TOO_LATE)
    for part in parts:
        if states[part.name] != Effect.State.CONFIRMED:
            outcome = once(replace(work, step=part))
            if isinstance(outcome, Complete):
                return Defer(outcome.on_record, outcome.on_dropped)
            return outcome
    taken = list(run.effects.filter(state=Effect.State.CONFIRMED).order_by("ended_at").values("kind", "key", "ref"))
    return done(work, earlier, f"Taken back: {len(taken)}.", taken=taken)


def stop(work: Work, run: Run, earlier: Run) -> Outcome:
    """What it has done so far it takes back itself, before it ends."""
    if earlier.status in Run.ENDED:
        return done(work, earlier, "It had ended, and nothing of it stands.")
    approved = run.decisions.filter(actor_kind=Decision.ActorKind.PERSON, verdict="approve").order_by("made_at").last()
    by = approved.person if approved else run.started_by
    with suppress(services.Conflict):  # it is being stopped already, or has just ended
        services.cancel_run(run_id=earlier.pk, actor=by, reason="reversed")
    earlier.refresh_from_db()
    if earlier.status == Run.Status.SUCCEEDED:
        return Reject(TOO_LATE)
    return done(work, earlier, "Stopped; what it had done it takes back.")


def start_again(work: Work, run: Run, earlier: Run) -> Outcome:
    """The same input and documents, once more from the start; the key makes it one run, however often this is tried."""
    documents = {row.role: row.document for row in earlier.rundocument_set.select_related("document")}
    workflow, key = earlier.version.workflow.name, f"again:{run.pk}"
    try:
        again, _ = services.start_run(
            workflow=workflow,
            input=earlier.input,
            documents=documents,
            actor=earlier.started_by,
            key=key,
            subject=earlier.subject,
        )
    except services.ServiceError as error:
        return Fail(f"{workflow} could not be started again: {error}", kind="not-started-again")
    return done(work, earlier, "Started once more.", again=str(again.pk))


def done(work: Work, earlier: Run, rationale: str, **more: object) -> Complete:
    """The trail of the earlier run says so as well."""

    def on_record(now: datetime) -> None:
        endings.told(earlier, "run.reversed", SYSTEM, by=str(work.run_id), outcome=rationale)

    return Complete({"run": str(earlier.pk), **more}, Judgement(rationale=rationale), on_record=on_record)
