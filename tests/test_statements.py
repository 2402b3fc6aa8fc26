"""Statements that are compiled once say what the ORM says, however many keys they are given."""

from collections.abc import Sequence

import pytest
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from orchestrator import statements
from orchestrator.models import Run, Task
from orchestrator.statements import Slot

from .cast import cast, waiting_bill

pytestmark = pytest.mark.django_db


def tasks_of(keys: Sequence[Slot]) -> QuerySet:
    columns = ("pk", "run_id", "step", "fence", "objections", "started_at")
    return Task.objects.filter(pk__in=keys).order_by("pk").values_list(*columns)


def one_run(*, run: Slot) -> QuerySet:
    return Run.objects.filter(pk=run).select_related("version__workflow", "policy_version")


def steps_of(*, run: Slot, step: Slot) -> QuerySet:
    return Task.objects.filter(run__pk=run, step=step).values_list("pk", flat=False)


@pytest.fixture
def run() -> Run:
    return waiting_bill(cast()).run


@pytest.fixture
def keys(run: Run) -> list:
    return list(run.tasks.order_by("pk").values_list("pk", flat=True))


def test_rows_are_those_of_the_orm_for_any_number_of_keys(keys):
    for number in range(1, len(keys) + 1):
        assert statements.select(tasks_of, keys[:number]) == list(tasks_of(keys[:number]))


def test_numbers_of_keys_up_to_a_power_of_two_share_a_statement(keys):
    with CaptureQueriesContext(
        connection,
    ) as asked:
        statements.select(tasks_of, keys[:1] * 3)
        statements.select(tasks_of, keys[:1] * 4)
    assert [query["sql"].count(keys[0].hex[:8]) for query in asked] == [4, 4]


def test_no_key_finds_and_changes_nothing():
    assert statements.update(Task, [], ("status", ("running",)), error="x") == 0


def test_an_update_changes_what_is_still_in_one_of_the_states_and_says_how_much(keys):
    Task.objects.filter(pk=keys[0]).update(error="before")
    done = ("status", (Task.Status.SUCCEEDED,))
    wanted = Task.objects.filter(pk__in=keys, status=Task.Status.SUCCEEDED)
    assert 0 < wanted.count() < len(keys)
    assert statements.update(Task, keys, done, error="after") == wanted.count()
    assert set(Task.objects.filter(error="after").values_list("pk", flat=True)) == set(
        wanted.values_list("pk", flat=True)
    )


def test_values_may_be_plain_absent_or_worked_out_by_the_database(keys):
    live, fence = ("status", (Task.Status.WAITING,)), F("fence") + 1
    before = Task.objects.get(status=Task.Status.WAITING)
    at = before.started_at.replace(microsecond=123_000)
    statements.update(Task, keys, live, fence=fence, started_at=at, objections=["a"], ended_at=None)
    after = Task.objects.get(pk=before.pk)
    assert (after.fence, after.started_at, after.objections, after.ended_at) == (before.fence + 1, at, ["a"], None)
    statements.update(Task, keys, live, objections=None, started_at=Now())
    assert (
        Task.objects.get(pk=before.pk).objections,
        Task.objects.filter(objections__isnull=True, pk=before.pk).exists(),
    ) == (None, True)


def test_instances_come_with_what_they_are_related_to(run, django_assert_num_queries):
    with django_assert_num_queries(1):
        [found] = statements.look_up(one_run, run=run.pk)
        names = (found.version.workflow.name, found.policy_version.number)
    assert found == run
    assert names == (run.version.workflow.name, run.policy_version.number)
    assert found.input == run.input
    assert not found._state.adding


def test_each_execution_brings_its_own_values(run):
    for task in run.tasks.all():
        assert statements.look_up(steps_of, run=run.pk, step=task.step) == [(task.pk,)]
    assert statements.look_up(steps_of, run=run.pk, step="elsewhere") == []
