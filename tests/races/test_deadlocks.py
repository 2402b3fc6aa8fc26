"""Every pair of acts on one run, each holding its first lock when it asks for the next: nobody waits in a circle."""

from datetime import timedelta
from itertools import combinations_with_replacement

import pytest
from django.db import connection
from django.db.models.functions import Now

from orchestrator import effects, engine, recovery, services
from orchestrator.errors import ServiceError
from orchestrator.models import Incident, Run, Task
from reviews import services as reviews

from ..cast import cast, open_review_of, second_admin, work
from ..invariants import assert_invariants
from .meeting import LOCKED, meeting_at, together
from .test_deciding import PARALLEL, held_back, says

pytestmark = pytest.mark.django_db(transaction=True)
FIRST_LOCKS = (
    *LOCKED,
    (engine, "_apart", "after"),  # a claim has its tasks
    (engine.Recording, "_lock", "after"),
    (effects, "_may_go_out", "after"),
    (recovery, "_expired", "after"),
)
READY = PARALLEL.replace("  pay:", "  look: {agent: cast.vendor, lane: ocr, needs: [read]}\n  pay:")  # a third branch
ACTS = {
    "approve": lambda case: says(case.review, case.everybody.clerk),
    "reject": lambda case: says(case.review, case.everybody.second, "reject"),
    "escalate": lambda case: says(case.review, case.everybody.second, "escalate"),
    "claim": lambda case: lambda: reviews.claim(review_id=case.review.pk, actor=case.everybody.clerk),
    "cancel": lambda case: (
        lambda: services.cancel_run(run_id=case.run.pk, actor=case.everybody.admin, reason="not wanted")
    ),
    "record": lambda case: lambda: engine.record(case.results),
    "work": lambda case: lambda: engine.drain(budget=5),
    "leases": lambda case: recovery.expire_leases,
    "sweep": lambda case: recovery.sweep,
}


class Case:
    """A run that waits for a person, with a branch that is ready and one in the hands of a worker whose lease is over,
    who has lost two before."""

    def __init__(self, everybody, number: int) -> None:
        self.everybody = everybody
        self.run, held = held_back(everybody, number)
        self.review = open_review_of(self.run)
        self.results = [(held, engine.execute(held))]
        expired = Now() - timedelta(seconds=1)
        Task.objects.filter(pk=held.task_id).update(lease_until=expired, deaths=number % recovery.MAX_DEATHS)


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def test_no_two_acts_on_a_run_wait_for_each_other(monkeypatch):
    everybody, before = cast(), deadlocks()
    services.save_workflow(source=READY, actor=everybody.admin, second=second_admin())
    for number, (one, other) in enumerate(combinations_with_replacement(ACTS, 2)):
        case = Case(everybody, number)
        with meeting_at(monkeypatch, 2, *FIRST_LOCKS) as meeting:
            together(meeting, ACTS[one](case), ACTS[other](case))  # a deadlock would be raised here
    assert deadlocks() == before
    everything_ends(everybody)
    assert_invariants()


def everything_ends(everybody) -> None:
    for _ in range(5):
        for incident in Incident.objects.filter(resolved_at=None):
            services.resolve_incident(
                incident_id=incident.pk, resolution="retry", reason="looked", actor=everybody.admin
            )
        Task.objects.filter(status="running").update(lease_until=Now() - timedelta(seconds=1))
        recovery.sweep()
        work()
        for run in Run.objects.exclude(status__in=Run.ENDED):
            try:
                services.cancel_run(run_id=run.pk, actor=everybody.admin, reason="the trial is over")
            except ServiceError:
                continue
    assert not Run.objects.exclude(status__in=Run.ENDED).exists()
