"""Answers that settle a case: approve (as often as the levels ask), reject, and send it elsewhere. Each takes effect
when the undo window is over. Inside the transaction of deciding, under the run's lock."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext

from audit.models import Event
from orchestrator import dispatch, effects, engine
from orchestrator.case import Case
from orchestrator.models import Decision, Effect, Run, Workflow
from orchestrator.pinned import Pinned, definition_of
from orchestrator.policies import gate
from orchestrator.policies.evaluate import Evaluation
from orchestrator.services import InputInvalid, validate_input
from orchestrator.steps.base import Work

from . import control, policies
from .errors import Conflict, Invalid
from .judgements import judge, judge_as
from .keeping import keep, state_of
from .models import Queue, Review
from .opening import end_round, levels_of, open_again, told
from .packet import build_packet
from .policies import Vote
from .remembered import asks
from .transitions import LIVE, move_reviews

if TYPE_CHECKING:
    from .deciding import Act

SENT = (Effect.State.IN_FLIGHT, Effect.State.UNKNOWN, Effect.State.CONFIRMED)


def response(act: "Act", decision: Any, undo_until: datetime | None = None) -> dict[str, Any]:
    return {
        "decision": str(decision),
        "review_status": str(act.review.status),
        "run_status": str(act.run.status),
        "undo_until": undo_until.isoformat() if undo_until else None,
    }


def approve(act: "Act") -> dict[str, Any]:
    """One signature. Corrections after somebody else has signed make everybody sign the corrected case."""
    case, proposals = act.corrected_case(), approvable(act)
    if act.review.control:
        return settle(act, policies.APPROVE, Review.Status.APPROVED, "review.approved")
    if act.changes and act.votes:
        return sign_again(act, case)
    review, votes = act.review, [*act.votes, act.vote]
    review.levels = policies.extended(review.levels, levels_after(act))
    level = policies.open_level(review.levels, [Vote(vote.reviewer_id, vote.level) for vote in votes])
    return settle_approved(act, case, proposals) if level is None else go_on_signing(act, level, shown=votes)


def approvable(act: "Act") -> Sequence[effects.Proposed]:
    """What the approval would set free; Invalid where something keeps the case from being approved."""
    proposals = effects.propose(act.run, act.corrected_case(), act.review.task.step)
    _needs_met(act, proposals)
    return proposals


def levels_after(act: "Act") -> list[dict[str, Any]]:
    """Who must sign the case as it is corrected by now: what is at stake changes by corrections alone."""
    review = act.review
    seen = _with(act, [*act.votes, act.vote], review.level) if act.changes else act.built
    return levels_of(review.queue.policy, seen, further=review.has_levels)  # type: ignore[attr-defined]


def _with(act: "Act", votes: Sequence[Any], level: int) -> Any:
    """The packet with these signatures: who they are and what they corrected is part of what comes next."""
    review, seen = act.review, act.built
    return build_packet(
        act.run,
        review.task,
        round_=review.round,
        level=level,
        votes=votes,
        reasons=seen.reasons,
        rows=seen.rows,
    )


def _needs_met(act: "Act", proposals: Sequence[effects.Proposed]) -> None:
    """Invalid, naming each thing that keeps this from being approved."""
    explained = any(vote.reason or vote.comment for vote in [*act.votes, act.vote])
    open_ones = policies.unmet(act.built.packet["differences"], act.corrections, explained)
    errors = [
        (
            f"differences.{item['id']}",
            gettext("%(title)s: choose a value, or give a reason for approving as it is.") % {"title": item["title"]},
        )
        for item in open_ones
    ]
    if not act.built.early:
        errors += [(f"effects.{item.step}", item.problem) for item in proposals if item.problem]
    if errors:
        raise Invalid(errors)


def back_to(review: Review) -> str:
    """What a round is when one of its answers is in and it waits for the next."""
    return Review.Status.ESCALATED if review.status == Review.Status.ESCALATED else Review.Status.OPEN


def go_on_signing(act: "Act", level: int, *, shown: Sequence[Any]) -> dict[str, Any]:
    """More people must sign: at this level, or at the next, who see what the answers `shown` to them corrected."""
    review = act.review
    built = _with(act, shown, level)
    risen = level != review.level
    values = {
        "level": level,
        "levels": review.levels,
        "packet": built.packet,
        "packet_digest": built.digest,
        "amount_base": built.exposure,
        "delegated_to": None,
        "signed_at": act.now,
    }
    back = back_to(review)
    if not move_reviews([review.pk], [review.status], back, **values):
        raise Conflict(gettext("Somebody else answered first; nothing was recorded."))
    told(review, "review.signed", act.actor, **act.said())
    review.status, review.level, review.packet_digest = back, level, built.digest
    if risen:
        group = review.levels[level]["group"]
        told(review, "review.level_opened", act.actor, level=level, group=group, digest=built.digest)
    return signed(act)


def signed(act: "Act") -> dict[str, Any]:
    """Others sign after this answer; until they do, and as long as the window is open, it can be taken back."""
    until = undo_end(act)
    return response(act, act.vote.pk, until if until > act.now else None)


def undo_end(act: "Act") -> datetime:
    """By the longer of what the queue's policy and the person want."""
    return undo_until(act.review, act.who.undo_seconds, act.now)


def undo_until(review: Review, liked: int | None, now: datetime) -> datetime:
    """The same for whoever likes this many seconds."""
    return now + timedelta(seconds=max(review.queue.policy.undo_seconds, liked or 0))


def sign_again(act: "Act", case: Case) -> dict[str, Any]:
    """The values others signed are not the values now: everybody looks at the corrected case."""
    before = state_of(act.review)
    decision, again, event = corrected_round(act, case, "review.signed")
    until = keep(again, act.user, event, before, undo_end(act), corrected=decision, pk=decision.pk)
    return response(act, decision.pk, until)


def corrected_round(act: "Act", case: Case, kind: str) -> tuple[Decision, Review, Event]:
    """The corrections are recorded, and a new round begins with them, in which nobody has signed yet."""
    decision = record_decision(act, "correct")
    event = told(act.review, kind, act.actor, **act.said(), decision=str(decision.pk))
    look_again(act, decision, case)
    end_round(act.review, Review.Status.STALE, "review.made_stale", actor=act.actor, paths=sorted(act.corrections))
    return decision, open_again(act.review, now=act.now), event


def settle_approved(act: "Act", case: Case, proposals: Sequence[effects.Proposed]) -> dict[str, Any]:
    """The last signature: what was shown, as corrected, is authorised, unless the corrected values call for more."""
    decision = record_decision(act, policies.APPROVE)
    asked = asks_more(act, case) if act.corrections else None
    final = asked is None and not act.built.early
    at_once = final and _is_at_once(act)
    undo_until = undo_end(act)
    close(act, decision, Review.Status.APPROVED, "review.approved", undo_until=undo_until, taken_up=at_once)
    if asked is not None:
        _store(act, decision, asked)
    if final:
        _authorise(act, proposals)
    complete(act, decision, case) if at_once else resume(act, undo_until)
    return response(act, decision.pk, undo_until)


def _is_at_once(act: "Act") -> bool:
    """Nobody can take the answer back, and nothing holds the run: the step is done with it."""
    return undo_end(act) <= act.now and act.run.status in (Run.Status.RUNNING, Run.Status.WAITING)


def complete(act: "Act", decision: Decision, case: Case) -> None:
    """The step ends in this transaction; what follows it is ready."""
    run, task = act.run, act.review.task
    step = definition_of(run.version_id).step(task.step)
    work = Work(task.pk, Pinned.of(run), step, fence=task.fence, attempt=task.attempts, case=case)
    status = engine.complete(work, decision.output)
    if status is None:
        raise Conflict(gettext("The run does not wait for this answer any more; nothing was recorded."))
    run.status = status
    dispatch.wake_on_commit()


def _authorise(act: "Act", proposals: Sequence[effects.Proposed]) -> None:
    review = act.review
    try:
        effects.authorise(
            act.run,
            proposals,
            packet_digest=review.packet_digest,
            policy_digest=review.policy_digest,
            now=act.now,
            first=not act.built.rows.effected,
        )
    except effects.EffectError as error:
        raise Invalid([("effects", str(error))]) from None


def look_again(act: "Act", decision: Decision, case: Case) -> None:
    """Their decision on corrected values is stored where it asks for more."""
    if (asked := asks_more(act, case)) is not None:
        _store(act, decision, asked)


def asks_more(act: "Act", case: Case) -> Evaluation | None:
    """The policies see corrected values as they see an agent's. What they say, where a rule that nobody was shown asks
    for a person."""
    pinned = Pinned.of(act.run)
    if pinned.policies is None:
        return None
    found = gate.evaluate_case(pinned, case)
    shown = {reason["rule"] for reason in act.review.reasons}
    return found if any(asks(rule) and rule["name"] not in shown for rule in found.as_json()["trace"]) else None


def _store(act: "Act", decision: Decision, found: Evaluation) -> None:
    judge(
        act.review,
        kind=Decision.ActorKind.POLICY,
        actor=found.policy,
        actor_version=str(found.number),
        verdict=found.route,
        rationale=" ".join(found.reasons),
        output={"after": str(decision.pk)},
        trace=found.as_json(),
        policy_version_id=act.run.policy_version_id,
        at=act.now,
    )
    told(act.review, "policy.evaluated", act.actor, version=found.number, route=found.route, fired=list(found.fired))


def reject(act: "Act") -> dict[str, Any]:
    """One rejection is enough."""
    return settle(act, policies.REJECT, Review.Status.REJECTED, "review.rejected")


def reroute(act: "Act") -> dict[str, Any]:
    """Back to an earlier step, to another team, or out of this workflow into another."""
    kind, _, name = act.answer.target.partition(":")
    if _bound_reached(act):
        raise Invalid(
            [
                (
                    "target",
                    gettext("%(target)s: this case has been sent elsewhere as often as it may be.")
                    % {"target": act.answer.target},
                )
            ]
        )
    routes = {"step": to_step, "queue": to_queue, "workflow": to_workflow}
    if kind not in routes:
        raise Invalid(
            [
                (
                    "target",
                    gettext("target: %(target)r; expected step:NAME, queue:NAME or workflow:NAME")
                    % {"target": act.answer.target},
                )
            ]
        )
    return routes[kind](act, name)


def _bound_reached(act: "Act") -> bool:
    sent = act.run.reviews.filter(status=Review.Status.REROUTED).count()
    return sent >= act.review.queue.policy.max_rounds


def to_step(act: "Act", name: str) -> dict[str, Any]:
    """The corrections hold when the step runs again."""
    definition, own = definition_of(act.run.version_id), act.review.task.step
    if name not in definition.ancestors(own):
        earlier = ", ".join(step for step in definition.steps if step in definition.ancestors(own))
        raise Invalid(
            [
                (
                    "target",
                    gettext("target: step:%(name)s is no earlier step; expected one of %(earlier)s")
                    % {"name": name, "earlier": earlier},
                )
            ]
        )
    if not act.run.tasks.filter(step=name, status__in=("succeeded", "skipped")).exists():
        raise Invalid(
            [("target", gettext("target: step:%(name)s is not finished, so it cannot be repeated") % {"name": name})]
        )
    if sent_after(act.run) & set(definition.descendants(name)):
        raise Invalid(
            [
                (
                    "target",
                    gettext("target: after step:%(name)s something was sent outside already; it cannot be repeated")
                    % {"name": name},
                )
            ]
        )
    return settle(act, policies.REROUTE, Review.Status.REROUTED, "review.rerouted")


def sent_after(run: Run) -> set[str]:
    """Steps that sent something outside: what comes before them cannot be repeated."""
    return set(run.effects.filter(state__in=SENT).values_list("step", flat=True))


def to_queue(act: "Act", name: str) -> dict[str, Any]:
    """Another team gets the case at once; it can send it back."""
    queue = Queue.objects.select_related("policy").filter(name=name).first()
    if queue is None or queue.pk == act.review.queue_id:
        raise Invalid([("target", gettext("target: queue:%(name)s is not another queue") % {"name": name})])
    decision = record_decision(act, policies.REROUTE)
    until = undo_end(act)
    said = act.said() | {"decision": str(decision.pk), "undo_until": until}
    end_round(act.review, Review.Status.REROUTED, "review.rerouted", actor=act.actor, **said)
    values = {"settled_at": act.now, "undo_until": until, "answer": answer_of(act, decision)}
    Review.objects.filter(pk=act.review.pk).update(**values)
    open_again(act.review, now=act.now, queue=queue)
    return response(act, decision.pk, until if until > act.now else None)


def to_workflow(act: "Act", name: str) -> dict[str, Any]:
    """This run ends; one of the other workflow begins with the same input and documents, once the undo window is
    over."""
    if name == definition_of(act.run.version_id).name:
        raise Invalid([("target", gettext("target: workflow:%(name)s is the one it is in") % {"name": name})])
    if problem := misfit_of(act.run, name):
        raise Invalid(
            [("target", gettext("target: workflow:%(name)s: %(problem)s") % {"name": name, "problem": problem})]
        )
    return settle(act, policies.REROUTE, Review.Status.REROUTED, "review.rerouted")


def misfit_of(run: Run, name: str) -> str:
    """Why the other workflow cannot take this run's input; empty where it can."""
    found = Workflow.objects.filter(name=name, is_active=True, current__isnull=False).first()
    return gettext("is not published, or switched off") if found is None else misfit_in(found, run)


def misfit_in(workflow: Workflow, run: Run) -> str:
    """Why this published workflow cannot take the run's input; empty where it can."""
    try:
        validate_input(definition_of(workflow.current_id).input, dict(run.input))
    except InputInvalid as error:
        return str(error)
    return ""


def record_decision(act: "Act", verdict: str) -> Decision:
    """The person's judgement, which later steps see as the output of the review step."""
    review, answer, user = act.review, act.answer, act.user
    output = {
        "verdict": verdict,
        "review": str(review.pk),
        "reason": answer.reason,
        "comment": answer.comment,
        "target": answer.target,
        "answered": [reason["rule"] for reason in review.reasons],
        "corrected": act.changes,
    }
    return judge_as(
        user,
        review,
        verdict=verdict,
        rationale=answer.comment or answer.reason,
        output=output,
        corrections=act.corrections,
        at=act.now,
    )


def answer_of(act: "Act", decision: Decision) -> dict[str, Any]:
    return {**decision.output, "decision": str(decision.pk), "by": act.user.pk, "corrections": act.corrections}


def settle(act: "Act", verdict: str, status: str, kind: str) -> dict[str, Any]:
    """The round has its answer; the waiting step goes on when the undo window ends. A control case is over with it."""
    decision = record_decision(act, verdict)
    if act.review.control:
        close(act, decision, status, kind, undo_until=None)
        feedback = control.answered(act, decision)
        return response(act, decision.pk) | {"feedback": feedback}
    undo_until = undo_end(act)
    close(act, decision, status, kind, undo_until=undo_until)
    resume(act, undo_until)
    return response(act, decision.pk, undo_until)


def close(
    act: "Act", decision: Decision, status: str, kind: str, *, undo_until: datetime | None, taken_up: bool = False
) -> None:
    """The round has its answer, which can be taken back until then. `taken_up`: the step need not look at it any
    more."""
    review, answer = act.review, answer_of(act, decision)
    if taken_up:
        answer["taken_up"] = act.now.isoformat()
    if not move_reviews([review.pk], LIVE, status, settled_at=act.now, undo_until=undo_until, answer=answer):
        raise Conflict(gettext("Somebody else answered first; nothing was recorded."))
    review.status = status
    told(review, kind, act.actor, **act.said(), decision=str(decision.pk), undo_until=undo_until)


def resume(act: "Act", undo_until: datetime) -> None:
    """A worker takes the answer up when the undo window has ended."""
    if not engine.resume(task_id=act.review.task_id, ready_at=undo_until):
        raise Conflict(gettext("The run does not wait for this answer any more; nothing was recorded."))
    dispatch.wake_on_commit()
