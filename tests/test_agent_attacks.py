"""What an agent, or whoever speaks through one, may answer: at worst it is told what is wrong and asked again."""

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now

from orchestrator import engine, services
from orchestrator.connectors.base import InDoubt, Sent
from orchestrator.connectors.http import HttpConnector
from orchestrator.models import Run
from orchestrator.text import unstorable

from .cast import second_admin
from .engine_agents import HALF, HOSTILE, NUL
from .outside import outside_running

pytestmark = pytest.mark.django_db
SOURCE = """
workflow: w1
title: W1
input: {says: string?}
steps:
  s: {agent: test.hostile, retry: {max_attempts: 2, backoff_seconds: 0}}
"""


def played(says: str) -> list[Run]:
    """Two runs in one batch: one hears what is said, the other stands for all others."""
    actor = get_user_model().objects.create_user("requester")
    services.save_workflow(source=SOURCE, actor=actor, second=second_admin())
    runs = [services.start_run(workflow="w1", input=given, actor=actor)[0] for given in ({"says": says}, {})]
    for _ in range(2):
        engine.drain(budget=5)
        runs[0].tasks.filter(status="retry_wait").update(ready_at=Now())
    for run in runs:
        run.refresh_from_db()
    return runs


@pytest.mark.parametrize("says", ["nul", "half", "quoted", "no-number", "named"])
def test_l06_an_answer_no_database_holds_is_objected_to_and_costs_nobody_else_anything(says):
    hostile, other = played(says)
    assert (hostile.status, other.status) == ("succeeded", "succeeded")
    task = hostile.tasks.get()
    assert (task.deaths, task.attempts) == (0, 2)
    assert hostile.decisions.get().rationale == "counted"


@pytest.mark.parametrize(
    ("value", "places"),
    [
        (HOSTILE["nul"], ["rationale: holds a character that no text has"]),
        (HOSTILE["quoted"], ["evidence.0.quote: holds a character that no text has"]),
        (HOSTILE["no-number"], ["evidence.0.score: is nan, which is no number"]),
        (HOSTILE["named"], ["evidence.0.a\\x00b: holds a character that no text has"]),
        (HOSTILE["codes"], []),
        ({"n": [1, 2.5, None, True, "ä€"]}, []),
    ],
)
def test_l06_it_is_told_where(value, places):
    assert list(unstorable(value)) == places


def test_l06_what_an_agent_says_of_its_failure_is_kept_as_far_as_it_can_be():
    hostile, other = played("fails")
    assert (hostile.status, other.status) == ("suspended", "succeeded")
    assert hostile.incidents.get().detail.startswith("aba?b")


def test_l06_codes_for_terminals_are_text_like_any_other():
    hostile, _ = played("codes")
    assert (hostile.status, hostile.decisions.get().rationale) == ("succeeded", HOSTILE["codes"]["rationale"])


@pytest.mark.parametrize("ref", [NUL, HALF, 17, "", None])
def test_f21_a_reference_that_is_none_leaves_the_effect_in_doubt(ref, settings):
    with outside_running() as outside:
        settings.ERP_BASE_URL = outside.url
        outside.ref = lambda key: ref  # type: ignore[method-assign]
        reply = HttpConnector().send(Sent("k", "test.book", "", {}, ""))
    assert isinstance(reply, InDoubt)
