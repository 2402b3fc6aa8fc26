"""Branches come together when enough is in; who saw it otherwise is kept, who is no longer needed is stopped."""

import pytest
from django.contrib.auth import get_user_model

from audit.models import Event
from orchestrator import engine, services

from .cast import second_admin, work

pytestmark = pytest.mark.django_db


def three(join: str, *agents: str) -> str:
    branches = "".join(f"  b{n}: {{agent: {agent}, needs: [a]}}\n" for n, agent in enumerate(agents))
    names = ", ".join(f"b{n}" for n in range(len(agents)))
    head = "workflow: three\ntitle: Three\ninput: {}\nsteps:\n  a: {agent: test.count}\n"
    return f"{head}{branches}  j: {{join: {join}, needs: [{names}]}}\n  z: {{agent: test.count, needs: [j]}}\n"


def start(source):
    actor = get_user_model().objects.create_user("requester")
    version = services.save_workflow(source=source, actor=actor, second=second_admin())
    return services.start_run(workflow=version.workflow.name, input={}, actor=actor)[0]


def play(source):
    run = start(source)
    work()
    run.refresh_from_db()
    return run


def finish(step: str) -> None:
    """Works on that one step; the other branches stay as they are."""
    works = engine.claim()
    chosen = [item for item in works if item.step.name == step]
    engine.record([(item, engine.execute(item)) for item in chosen])


def statuses(run):
    return dict(run.tasks.values_list("step", "status"))


def joined(run):
    return run.decisions.get(step="j").output


@pytest.mark.parametrize(("join", "needed"), [("any", 1), ("1", 1), ("2 of 3", 2)])
def test_a_join_starts_when_enough_is_in_and_stops_the_rest(join, needed):
    run = start(three(join, *["test.count"] * 3))
    finish("a")
    works = engine.claim()
    engine.record([(item, engine.execute(item)) for item in works[:needed]])
    assert statuses(run) == {
        "a": "succeeded",
        **{f"b{n}": "succeeded" if n < needed else "cancelled" for n in range(3)},
        "j": "ready",
    }
    work()
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert joined(run)["missing"] == [f"b{n}" for n in range(needed, 3)]
    assert Event.objects.filter(kind="task.cancelled", run=str(run.pk)).count() == 3 - needed


def test_a_branch_stopped_by_a_join_has_its_late_result_dropped():
    run = start(three("any", *["test.count"] * 3))
    finish("a")
    first, second, third = engine.claim()
    engine.record([(first, engine.execute(first))])
    engine.record([(second, engine.execute(second)), (third, engine.execute(third))])
    work()
    run.refresh_from_db()
    assert (run.status, run.decisions.count()) == ("succeeded", 4)
    assert Event.objects.filter(kind="task.result_dropped", run=str(run.pk)).count() == 2


def test_a_long_branch_is_not_begun_once_its_join_went_on_without_it():
    source = three("any", "test.count", "test.count").replace("  j:", "  c: {agent: test.count, needs: [b1]}\n  j:")
    run = start(source.replace("needs: [b0, b1]", "needs: [b0, c]"))
    work()
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert "c" not in statuses(run) or statuses(run)["c"] == "cancelled"


QUORUM = "{quorum: 2, field: verdict, veto: [block]}"


def test_a_quorum_names_what_was_agreed_and_who_dissented():
    run = play(three(QUORUM, "test.says_no", "test.says_yes", "test.says_yes"))
    assert run.status == "succeeded"
    output = joined(run)
    assert (output["verdict"], output["settled_by"]) == ("yes", "quorum")
    assert output["dissent"] == [{"branch": "b0", "value": "no"}]
    assert run.decisions.get(step="j").rationale == "Agreed on yes; otherwise b0."


def test_a_quorum_starts_early_only_when_it_is_settled():
    run = start(three(QUORUM, "test.says_no", "test.says_yes", "test.says_yes", "test.says_no"))
    finish("a")
    works = engine.claim()
    engine.record([(item, engine.execute(item)) for item in works[:2]])
    assert "j" not in statuses(run)
    engine.record([(works[2], engine.execute(works[2]))])
    assert (statuses(run)["j"], statuses(run)["b3"]) == ("ready", "cancelled")


def test_one_veto_settles_a_quorum():
    run = start(three(QUORUM, "test.says_block", "test.says_yes", "test.says_yes"))
    finish("a")
    first, *_ = engine.claim()
    engine.record([(first, engine.execute(first))])
    work()
    run.refresh_from_db()
    assert (joined(run)["verdict"], joined(run)["settled_by"]) == ("block", "veto")


def test_a_quorum_that_is_not_reached_says_so():
    run = play(three("{quorum: 2, field: verdict}", "test.says_no", "test.says_yes"))
    assert (joined(run)["verdict"], joined(run)["settled_by"]) == (None, "nothing")
    assert run.status == "succeeded"
