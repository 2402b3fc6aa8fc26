"""A workflow may say how many of its runs are under way at once: the others wait for their turn."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model

from orchestrator import admission, services
from orchestrator.definitions import DefinitionError, parse
from orchestrator.models import Run
from orchestrator.tasks import AHEAD

from .cast import second_admin, work
from .engine_agents import line

pytestmark = pytest.mark.django_db(transaction=True)  # runs begin once the end of another is committed
FEW = line("few", ["test.count"]).replace("steps:", "at_once: 2\nsteps:")


@pytest.fixture
def actor():
    return get_user_model().objects.create_user("requester")


def start(actor, source=FEW, **given) -> Run:
    version = services.save_workflow(source=source, actor=actor, second=second_admin())
    return services.start_run(workflow=version.workflow.name, input={}, actor=actor, **given)[0]


def statuses() -> list[str]:
    return list(Run.objects.order_by("started_at", "pk").values_list("status", flat=True))


def test_no_more_than_that_many_runs_are_under_way_and_all_end(actor):
    for _ in range(5):
        start(actor)
    assert statuses() == ["running", "running", "pending", "pending", "pending"]
    assert Run.objects.filter(status="pending", tasks__isnull=False).count() == 0
    work()
    assert statuses() == ["succeeded"] * 5


def test_other_workflows_are_not_held_back(actor):
    for _ in range(3):
        start(actor)
    assert start(actor, line("other", ["test.count"])).status == "running"


def test_the_oldest_begins_first_but_for_what_priority_is_worth(actor):
    first, second = start(actor), start(actor)
    old, urgent, late = start(actor), start(actor, priority=1), start(actor, priority=1)
    Run.objects.filter(pk=late.pk).update(started_at=old.started_at + AHEAD + timedelta(seconds=1))
    services.cancel_run(run_id=first.pk, actor=actor, reason="not needed")
    assert Run.objects.get(pk=urgent.pk).status == "running"
    services.cancel_run(run_id=second.pk, actor=actor, reason="not needed")
    assert [Run.objects.get(pk=run.pk).status for run in (old, late)] == ["running", "pending"]


def test_a_run_that_waits_takes_nobodys_place(actor):
    source = "workflow: asks\ntitle: Asks\ninput: {}\nat_once: 1\nsteps:\n  r: {timer: 2h}\n"
    for _ in range(3):
        start(actor, source)
    work()
    assert statuses() == ["waiting"] * 3


@pytest.mark.breaks_invariants
def test_a_place_that_nobody_noticed_is_found_by_the_sweeper(actor):
    for _ in range(3):
        start(actor)
    gone = Run.objects.filter(status="running").order_by("pk").first()
    gone.tasks.update(status="cancelled", ready_at=None)
    Run.objects.filter(pk=gone.pk).update(status="cancelled", ended_at=gone.started_at)
    assert admission.sweep() == 1
    assert "pending" not in statuses()
    assert admission.sweep() == 0


def test_a_pending_run_can_be_cancelled(actor):
    runs = [start(actor) for _ in range(3)]
    services.cancel_run(run_id=runs[2].pk, actor=actor, reason="not needed")
    assert statuses() == ["running", "running", "cancelled"]


@pytest.mark.parametrize("written", ["0", "-1", "many", "true", "99999"])
def test_a_number_nobody_can_mean_is_refused(written):
    with pytest.raises(DefinitionError, match=r"at_once: is .*expected a whole number from 1 to 10000"):
        parse(FEW.replace("at_once: 2", f"at_once: {written}"))
