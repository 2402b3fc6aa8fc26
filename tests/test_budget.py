"""A run stops hard at its budget, and a person says with a reason whether it may spend as much again."""

import pytest
from django.contrib.auth import get_user_model

from orchestrator import services
from orchestrator.definitions import DefinitionError, parse
from orchestrator.models import Run

from .cast import second_admin, work

pytestmark = pytest.mark.django_db
FLOW = """
workflow: spender
title: Spender
input: {calls: integer?, rounds: integer?, cost: string?, works_at: integer?}
budget: {cost: 1.00, tokens: 5000, calls: 10}
steps:
  a: {agent: test.spends, retry: {backoff_seconds: 0}}
  b: {agent: test.spends, needs: [a], fallback: test.count, retry: {backoff_seconds: 0}}
"""


@pytest.fixture
def actor():
    return get_user_model().objects.create_user("requester")


def spend(actor, source=FLOW, **given) -> Run:
    services.save_workflow(source=source, actor=actor, second=second_admin())
    run = services.start_run(workflow="spender", input=given, actor=actor)[0]
    work()
    run.refresh_from_db()
    return run


def resolve(run, resolution, actor):
    incident = run.incidents.get(resolved_at=None)
    services.resolve_incident(incident_id=incident.pk, resolution=resolution, reason="worth it", actor=actor)
    work()
    run.refresh_from_db()


def test_within_its_budget_a_run_ends_and_what_it_spent_is_known(actor):
    run = spend(actor, calls=2, rounds=1, cost="0.25")
    assert (run.status, run.spent) == ("succeeded", {"cost": "0.50", "tokens": 2000, "calls": 4})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"calls": 11}, "budget: 11 calls of tools and sources, 10 are allowed"),
        ({"rounds": 1000}, "budget: 6000 tokens, 5000 are allowed"),
    ],
)
def test_an_agent_that_does_not_stop_is_stopped_inside_its_step(actor, given, words):
    """L10: it neither goes on nor is tried again, and the fallback is not asked either."""
    run = spend(actor, **given)
    incident = run.incidents.get()
    assert (run.status, incident.kind, incident.detail) == ("suspended", "budget", words)
    assert run.tasks.get().attempts == 1


def test_a_step_that_costs_too_much_is_kept_and_nothing_follows_it(actor):
    run = spend(actor, cost="1.01")
    incident = run.incidents.get()
    assert (incident.kind, incident.detail) == ("budget", "budget: 1.01 cost, 1.00 are allowed")
    assert dict(run.tasks.values_list("step", "status")) == {"a": "succeeded"}


def test_attempts_that_failed_count_as_well(actor):
    run = spend(actor, calls=4, works_at=9)
    assert run.incidents.get().kind == "budget"
    assert run.spent["calls"] > 10


def test_a_person_lets_it_spend_as_much_again_or_ends_it(actor):
    operator = get_user_model().objects.create_user("operator")
    run = spend(actor, cost="1.01")
    resolve(run, "retry", operator)
    assert (run.status, run.incidents.count()) == ("suspended", 2)
    assert dict(run.tasks.values_list("step", "status")) == {"a": "succeeded", "b": "succeeded"}
    resolve(run, "fail", operator)
    assert (run.status, run.outcome) == ("failed", "worth it")


def test_a_workflow_without_a_budget_counts_nothing(actor):
    run = spend(actor, FLOW.replace("budget:", "#"), calls=50, cost="9.00")
    assert (run.status, run.spent) == ("succeeded", None)


@pytest.mark.parametrize(
    ("written", "path", "message"),
    [
        ("{cost: none}", "budget.cost", "expected an amount such as 2.50"),
        ("{cost: -1}", "budget.cost", "more than 0"),
        ("{tokens: 1.5}", "budget.tokens", "expected a whole number"),
        ("{calls: 9999999}", "budget.calls", "at most 1000000"),
        ("{cals: 5}", "budget.cals", "did you mean 'calls'?"),
        ("5", "budget", "expected a map"),
    ],
)
def test_a_budget_nobody_can_mean_is_refused(written, path, message):
    with pytest.raises(DefinitionError) as caught:
        parse(FLOW.replace("{cost: 1.00, tokens: 5000, calls: 10}", written))
    assert message in dict(caught.value.errors)[path]


def test_a_definition_without_a_budget_keeps_its_digest():
    assert "budget" not in parse(FLOW.replace("budget:", "#")).as_json()
