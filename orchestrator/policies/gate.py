"""The gate: after every automated step the run's policy set is evaluated once over its case."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils import timezone

from orchestrator import endings, tasks
from orchestrator.case import Case
from orchestrator.definitions import Definition, Step, lookup
from orchestrator.models import ExchangeRate, Run
from orchestrator.pinned import Pinned, sample_percent_of
from orchestrator.steps.base import Work
from orchestrator.steps.outcomes import Complete

from .evaluate import Evaluation, PolicySet, evaluate_policy
from .facts import gather, sampled

AT_ONCE = frozenset({"reject", "pause", "escalate", "reroute"})
ASKS_A_PERSON = frozenset({"review", "pause", "escalate", "reroute"})
MAX_ROUNDS = 5
SAMPLE = "quality_sample"


def evaluate(work: Work, outcome: Complete) -> Evaluation | None:
    """The policy set over the case as it is with this outcome; None where the run has no policies."""
    policies = work.pinned.policies
    if policies is None:
        return None
    case = work.case.copy()
    case.add(work.step.name, outcome.output, outcome.judgement.confidence if outcome.judgement else None)
    case.reached(work.step.name)
    return evaluate_case(work.pinned, case)


def evaluate_case(pinned: Pinned, case: Case, policies: PolicySet | None = None) -> Evaluation:
    """Facts whose steps have not finished are not there yet; a missing one of a finished step asks for a person.
    `policies` is the set to judge by, where it is not the one the run is pinned to."""
    policies, definition, data = policies or pinned.policies, pinned.definition, case.as_json()
    vocabulary = policies.named
    facts = gather(
        definition.facts,
        vocabulary,
        data=data,
        finished_steps=data.keys(),
        confidences=case.confidence,
        rates=rates_for(definition, vocabulary, data),
        base=settings.BASE_CURRENCY,
        supplied=supplied_facts(pinned) if SAMPLE in vocabulary else None,
    )
    return evaluate_policy(policies, facts)


def supplied_facts(pinned: Pinned) -> dict[str, Any]:
    """What the engine itself knows: whether the quality sample draws this run. Deterministic, so it can be repeated."""
    return {SAMPLE: sampled(str(pinned.run_id), pinned.policies.name, sample_percent_of(pinned.policy_version_id))}


def rates_for(definition: Definition, vocabulary: Mapping[str, str], data: Mapping[str, Any]) -> dict[str, Decimal]:
    """The rate table, read only where an amount in another currency is a fact."""
    money = [source for name, source in definition.facts.items() if name in vocabulary and source.kind == "money"]
    codes = {lookup(data.get(m.currency_step), m.currency_path) for m in money if m.currency_step}
    return newest_rates() if codes - {settings.BASE_CURRENCY, None} else {}


def newest_rates() -> dict[str, Decimal]:
    """The rate of each currency in force today."""
    rows = ExchangeRate.objects.filter(valid_from__lte=timezone.now().date()).order_by("currency", "valid_from")
    return dict(rows.values_list("currency", "rate"))


def act(run: Run, work: Work, now: datetime) -> None:
    """Routes that do not wait for the next review step. Under the run's lock, in the recording transaction."""
    found = work.evaluation
    why = " ".join(found.reasons)
    if found.route == "reject":
        endings.end(run, Run.Status.REJECTED, outcome=why, now=now)
        return
    kind, _, name = found.target.partition(":")
    if (
        found.route == "reroute"
        and kind == "step"
        and run.round < MAX_ROUNDS
        and name in work.definition.ancestors(work.step.name)
    ):
        tasks.send_back(run, name, now=now)
        return
    if found.route == "pause":
        endings.suspend(run, why=why, now=now)
    enter_review_early(run, work, why, now)


def enter_review_early(run: Run, work: Work, why: str, now: datetime) -> None:
    """Opens the next review step before its turn: it holds the same case, and comes again when its turn is there."""
    step = next_review(work.definition, work.step.name)
    if step is None:
        endings.open_incident(run, kind="no-review-step", detail=why, now=now, task_id=work.task_id)
        return
    row = run.tasks.filter(step=step.name).first()
    if row is None or row.status in tasks.CLOSED:
        run.round += 1  # from now on a step may already have a row
        Run.objects.filter(pk=run.pk).update(round=run.round)
        tasks.open_step(run, step, row, now)


def next_review(definition: Definition, after: str) -> Step | None:
    """The first review step on a way from `after`."""
    later = definition.descendants(after)
    return next((s for s in definition.steps.values() if s.name in later and s.kind == "review"), None)
