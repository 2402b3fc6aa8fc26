"""The database itself refuses illegal moves, smaller fences and approvals by the requester, on both databases."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from orchestrator.models import Effect, Run, Task
from orchestrator.transitions import EFFECT, RUN, TASK
from reviews.models import Approval, Review
from reviews.transitions import REVIEW

from .cast import cast, paid_bill

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_invariants]
ENDED = Run.ENDED
# What else a row must say in a status, by the constraints of its table.
RUN_ALSO = {status: {"ended_at": Now()} if status in ENDED else {"ended_at": None} for status in RUN}
TASK_ALSO = {
    status: {
        "ready_at": Now() if status in ("ready", "retry_wait") else None,
        "lease_until": Now() if status == "running" else None,
    }
    for status in TASK
}
CLAIMED = {"claimed_until": Now()}


@pytest.fixture
def paid():
    everybody = cast()
    return paid_bill(everybody), everybody


def moves_refused(model, pk, column, moves, also, extra=None):
    """Every pair the table does not know, tried in a transaction that is taken back."""
    wrong = [(a, b) for a in moves for b in moves if a != b and b not in moves[a]]
    assert wrong
    return [(a, b) for a, b in wrong if not refused(model, pk, column, a, b, also)], [
        (a, b) for a in moves for b in moves[a] if refused(model, pk, column, a, b, also)
    ]


def refused(model, pk, column, source, target, also):
    rows, objection = model._base_manager.filter(pk=pk), ""
    try:
        with transaction.atomic():
            with without_moves(model._meta.db_table):
                rows.update(**{column: source}, **also.get(source, {}))
            rows.update(**{column: target}, **also.get(target, {}))
            transaction.set_rollback(True)
    except DatabaseError as error:
        objection = str(error)
    assert not objection or "illegal move refused" in objection, objection
    return bool(objection)


class without_moves:
    """Puts a row into any state to begin with; only the test's transaction sees it."""

    def __init__(self, table):
        self.table, self.name = table, f"{table}_legal_moves"

    def __enter__(self):
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL session_replication_role = replica")
                return
            cursor.execute("SELECT sql FROM sqlite_master WHERE name = %s", [self.name])
            self.sql = cursor.fetchone()[0]
            cursor.execute(f"DROP TRIGGER {self.name}")

    def __exit__(self, *error):
        with connection.cursor() as cursor:
            cursor.execute(
                "SET LOCAL session_replication_role = DEFAULT" if connection.vendor == "postgresql" else self.sql
            )


def test_every_move_of_a_run_that_the_table_does_not_know_is_refused(paid):
    review, _ = paid
    assert moves_refused(Run, review.run_id, "status", RUN, RUN_ALSO) == ([], [])


def test_every_move_of_a_task_that_the_table_does_not_know_is_refused(paid):
    review, _ = paid
    assert moves_refused(Task, review.task_id, "status", TASK, TASK_ALSO) == ([], [])


def test_every_move_of_an_effect_that_the_table_does_not_know_is_refused(paid):
    review, _ = paid
    assert moves_refused(Effect, review.run.effects.get().pk, "state", EFFECT, {}) == ([], [])


def test_every_move_of_a_review_that_the_table_does_not_know_is_refused(paid):
    review, everybody = paid
    claimed = {"claimed_by": everybody.clerk, "claimed_until": timezone.now()}
    also = {
        status: (claimed if status == "claimed" else {"claimed_by": None, "claimed_until": None})
        | {"band": 3 if status in Review.LIVE else None}
        for status in REVIEW
    }
    assert moves_refused(Review, review.pk, "status", REVIEW, also) == ([], [])


@pytest.mark.parametrize("model", [Task, Effect])
def test_a_fence_never_becomes_smaller(paid, model):
    review, _ = paid
    row = model.objects.filter(run=review.run, fence__gt=0).first()
    with pytest.raises(DatabaseError, match="smaller fence refused"), transaction.atomic():
        model.objects.filter(pk=row.pk).update(fence=row.fence - 1)


def test_an_effect_counts_as_taken_back_only_once_that_was_confirmed_and_from_then_on(paid):
    review, _ = paid
    done = Effect.objects.get(run=review.run)
    rows = Effect.objects.filter(pk=done.pk)
    taking = Effect(run=review.run, step="pay-undo", kind="erp.reverse_payment", connector="ledger", klass="K")
    taking.key, taking.payload, taking.payload_digest, taking.authorised_at = "k2", {}, "d", timezone.now()
    taking.takes_back = done
    taking.save(force_insert=True)
    with pytest.raises(DatabaseError, match="untrue taking back refused"), transaction.atomic():
        rows.update(taken_back_at=Now())
    for state in ("in_flight", "confirmed"):
        Effect.objects.filter(pk=taking.pk).update(state=state)
    rows.update(taken_back_at=Now())
    for value in (None, timezone.now()):
        with pytest.raises(DatabaseError, match="untrue taking back refused"), transaction.atomic():
            rows.update(taken_back_at=value)


def test_an_effect_is_taken_back_by_one_other_alone(paid):
    review, _ = paid
    done = Effect.objects.get(run=review.run)
    given = {"run": review.run, "kind": "erp.reverse_payment", "connector": "ledger", "klass": "K", "payload": {}}
    given |= {"payload_digest": "d", "authorised_at": timezone.now(), "takes_back": done}
    Effect.objects.create(key="k1", step="a", state="void", **given)
    Effect.objects.create(key="k2", step="a", **given)
    with pytest.raises(DatabaseError), transaction.atomic():
        Effect.objects.create(key="k3", step="b", **given)


def test_the_requester_cannot_approve_even_past_the_services(paid):
    review, everybody = paid
    given = {"round": 1, "level": 0, "packet_digest": "x", "at": timezone.now()}
    with pytest.raises(DatabaseError, match="approval by the requester"), transaction.atomic():
        Approval.objects.create(review=review, reviewer=everybody.requester, verdict="approve", nonce="n1", **given)
    Approval.objects.create(review=review, reviewer=everybody.second, verdict="approve", nonce="n2", **given)
