"""Any order of acts leaves the database and the outside as they must be. MODEL_EXAMPLES=500 looks longer."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from orchestrator import services

from ..cast import WORKFLOW, cast, second_admin
from .machine import Guided, Unguided

pytestmark = pytest.mark.django_db
EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "4"))
TAKEN_BACK = WORKFLOW.replace("needs: [approve]}", "needs: [approve], compensate: erp.reverse_payment}")


@pytest.fixture(autouse=True)
def everybody():
    Unguided.everybody = cast(undo_seconds=600)
    services.save_workflow(source=TAKEN_BACK, actor=Unguided.everybody.admin, second=second_admin())
    return Unguided.everybody


def look(machine, steps: int) -> None:
    """Quick and the same every time, unless it is asked to look longer."""
    longer = "MODEL_EXAMPLES" in os.environ
    found = settings(
        max_examples=EXAMPLES,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=not longer,
        print_blob=True,
        phases=[Phase.generate, Phase.shrink] if longer else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=found)


def test_whatever_people_and_workers_do_in_any_order_the_books_agree():
    look(Unguided, 30)


def test_deep_in_the_work_the_books_agree_as_well():
    look(Guided, 20)
