"""Every invariant, seen to hold over a real history and seen to fail when the database is made to lie.

A violation is seeded as only the owner of the database could: with the guards lifted, in plain SQL where a constraint
of the models would refuse it.
"""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import F

from audit.log import SYSTEM, Entry, database_now, record, record_many
from audit.models import Event, Pending
from orchestrator import recovery
from orchestrator.digests import digest
from orchestrator.grants import take
from orchestrator.invariants import NOT_ASKED, Violation, all_invariants
from orchestrator.models import (
    DataSource,
    Decision,
    Effect,
    Incident,
    LedgerEntry,
    PolicyVersion,
    Run,
    SourceRow,
    Task,
    Wait,
    WebhookDelivery,
    WebhookEndpoint,
    WorkflowVersion,
)
from orchestrator.sources import account_of
from reviews.models import Approval, Review

from .cast import answer, bill, cast, paid_bill, waiting_bill, work
from .control import mailbox, planted
from .guards import guards_lifted
from .invariants import assert_invariants

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_invariants]


@pytest.fixture
def paid():
    return paid_bill(cast())


@pytest.fixture
def waiting():
    return waiting_bill(cast())


@pytest.fixture
def rejected():
    everybody = cast()
    review = waiting_bill(everybody)
    answer(review, everybody.clerk, "reject", reason="duplicate")
    work()
    return review


def unconstrained(model: str, **values: object) -> None:
    """Changes every row of a table although its constraints would refuse it."""
    table = apps.get_model(model)._meta.db_table
    sets = ", ".join(f"{name} = %s" for name in values)
    with connection.cursor() as cursor:
        drop_constraints(cursor, table)
        cursor.execute(f"UPDATE {table} SET {sets}", list(values.values()))


def drop_constraints(cursor, table: str) -> None:
    """For the rest of the test's transaction. SQLite can only look away from checks, and drop indices."""
    if connection.vendor == "sqlite":
        cursor.execute("PRAGMA ignore_check_constraints = ON")
        cursor.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = %s AND sql IS NOT NULL", [table]
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')
        return
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with checks still to come could not be altered
    cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype IN ('c', 'u')", [table])
    for (name,) in cursor.fetchall():
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
    cursor.execute(
        "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = %s::regclass AND indisunique AND NOT indisprimary",
        [table],
    )
    for (name,) in cursor.fetchall():
        cursor.execute(f"DROP INDEX {name}")


@pytest.fixture(autouse=True)
def checks_looked_at_again():
    yield
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA ignore_check_constraints = OFF")


def found(number: str) -> list[Violation]:
    now = database_now()
    return [violation for one in all_invariants() if one.number == number for violation in one.violations(now)]


def copy_of(row, **changes):
    """A second row like the first."""
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return type(row)(**{**values, "id": uuid.uuid4(), **changes})


def test_a_real_history_violates_nothing():
    everybody = cast(undo_seconds=0)
    bill(everybody)
    bill(everybody, flagged=True)
    answer(waiting_bill(everybody), everybody.clerk)
    answer(waiting_bill(everybody), everybody.clerk, "reject", reason="duplicate")
    answer(waiting_bill(everybody), everybody.clerk, "reroute", target="step:vendor")
    answer(waiting_bill(everybody), everybody.clerk, "reroute", target="queue:seniors")
    answer(waiting_bill(everybody, amount="60000.00"), everybody.clerk)
    waiting_bill(everybody)
    work()
    assert_invariants()


Seed = Callable[[Review], None]


def of_paid(**values: object) -> Seed:
    return lambda review: Effect.objects.filter(run=review.run).update(**values) and None


def a_second_effect(review: Review) -> None:
    unconstrained("orchestrator.Effect", ref="L-1")
    copy_of(Effect.objects.get(), key="countersign-other").save(force_insert=True)


def only_where_a_column_can_lose_its_uniqueness() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite keeps the UNIQUE of a column inside its table: it cannot be lifted, nor lied about")


def the_same_key_twice(review: Review) -> None:
    only_where_a_column_can_lose_its_uniqueness()
    unconstrained("orchestrator.Effect", ref="L-1")
    copy_of(Effect.objects.get(), step="again", business_key="").save(force_insert=True)


def booked_twice(review: Review) -> None:
    entry = LedgerEntry.objects.get()
    LedgerEntry.objects.create(
        key="countersign-x",
        kind=entry.kind,
        business_key=entry.business_key,
        payload=entry.payload,
        payload_digest=entry.payload_digest,
    )


def taken_back_by_nothing(review: Review) -> None:
    Effect.objects.update(taken_back_at=F("ended_at"))


def taken_back_and_still_standing(review: Review) -> None:
    copy_of(Effect.objects.get(), step="undo", key="k2", takes_back_id=Effect.objects.get().pk).save(force_insert=True)


def booked_otherwise(review: Review) -> None:
    LedgerEntry.objects.update(payload_digest=digest("something else"))


def paid_otherwise(review: Review) -> None:
    Effect.objects.update(payload={"amount": "9999.00"})


def one_signature_less(review: Review) -> None:
    Review.objects.update(levels=[{"group": "", "quorum": 2, "why": "two"}])


def signed_after_it_was_authorised(review: Review) -> None:
    Approval.objects.update(at=F("at") + timedelta(minutes=1))


def signed_something_else(review: Review) -> None:
    Approval.objects.update(packet_digest="0" * 64)


def signed_by_nobody(review: Review) -> None:
    Effect.objects.update(packet_digest="0" * 64)


def approved_by_the_requester(review: Review) -> None:
    Approval.objects.update(reviewer=review.run.started_by)


def decided_by_the_requester(review: Review) -> None:
    Decision.objects.filter(actor_kind="person").update(person=review.run.started_by)


def approved_by_an_agent(review: Review) -> None:
    Approval.objects.update(reviewer=account_of("cast.check").user)


def decided_by_an_agent(review: Review) -> None:
    Decision.objects.filter(actor_kind="person").update(actor_kind="agent")


def voted_twice(review: Review) -> None:
    unconstrained("reviews.Approval", comment="")
    copy_of(Approval.objects.get(), nonce="another").save(force_insert=True)


def a_nonce_twice(review: Review) -> None:
    only_where_a_column_can_lose_its_uniqueness()
    unconstrained("reviews.Approval", comment="")
    other = get_user_model().objects.get(username="second")
    copy_of(Approval.objects.get(), reviewer_id=other.pk).save(force_insert=True)


def answered_in_another_round(review: Review) -> None:
    Approval.objects.update(round=9)


def an_unknown_status(review: Review) -> None:
    unconstrained("orchestrator.Task", status="dreaming")


def an_unknown_state(review: Review) -> None:
    unconstrained("orchestrator.Effect", state="maybe")


def a_gap_in_the_versions(review: Review) -> None:
    WorkflowVersion.objects.update(number=7)


def confirmed_twice(review: Review) -> None:
    record("effect.confirmed", subject=("effect", Effect.objects.get().pk), actor=SYSTEM)


def sent_while_it_was_held(review: Review) -> None:
    Effect.objects.update(attempts=2, fence=2)
    sent_again(review)


def sent_again(review: Review) -> None:
    effect, subject = Effect.objects.get(), ("run", str(review.run_id))
    record("effect.sent", subject=subject, actor=SYSTEM, run=effect.run_id, data={"effect": effect.key, "attempt": 2})


def an_incident_nobody_sees(review: Review) -> None:
    Task.objects.filter(step="read").update(status="incident")


def an_open_step(review: Review) -> None:
    unconstrained("orchestrator.Task", status="waiting")


def too_many_attempts(review: Review) -> None:
    Task.objects.filter(step="read").update(attempts=40, fence=40)


def tried_twice_though_it_cannot_be_asked(review: Review) -> None:
    Effect.objects.update(klass="X", attempts=2, fence=2)
    sent_again(review)


def an_event_without_a_place(review: Review) -> None:
    Pending.objects.filter(pk=Event.objects.first().pk).delete()


def a_place_without_an_event(review: Review) -> None:
    Pending.objects.create(event_id=uuid.uuid4())


def a_decision_nobody_told(review: Review) -> None:
    copy_of(Decision.objects.filter(actor_kind="agent").first()).save(force_insert=True)


def an_end_told_twice(review: Review) -> None:
    record("run.succeeded", subject=("run", review.run_id), actor=SYSTEM, run=review.run_id)


def a_persons_decision_nobody_told(review: Review) -> None:
    copy_of(Decision.objects.get(actor_kind="person")).save(force_insert=True)


def the_grant_was_taken_before(review: Review) -> None:
    clerks = Event.objects.filter(kind="grant.given", subject_id="clerks").order_by("at").first()
    told = Entry("grant.revoked", ("group", "clerks"), SYSTEM, data=clerks.data | {"permission": "decide"})
    record_many([told], at=Approval.objects.get().at - timedelta(milliseconds=1))


def joined_the_group_afterwards(review: Review) -> None:
    change = {"field": "groups", "old": [], "new": ["clerks"]}
    subject = ("user", str(Approval.objects.get().reviewer_id))
    record("config.changed", subject=subject, actor=SYSTEM, data={"act": "changed", "changes": [change]})
    Event.objects.filter(kind="config.changed").update(at=database_now() + timedelta(seconds=1))


def a_policy_of_one_person(review: Review) -> None:
    unconstrained(
        "orchestrator.PolicyVersion", authored_by_id=review.run.started_by_id, published_by_id=review.run.started_by_id
    )


def a_workflow_of_one_person(review: Review) -> None:
    one = review.run.started_by_id
    unconstrained("orchestrator.WorkflowVersion", authored_by_id=one, published_by_id=one)


def a_policy_from_the_future(review: Review) -> None:
    PolicyVersion.objects.update(published_at=database_now() + timedelta(days=1))


def an_answer_that_means_nothing(review: Review) -> None:
    Approval.objects.update(verdict="")


def a_refusal_without_a_why(review: Review) -> None:
    Approval.objects.update(verdict="reject", reason="")


def attended() -> None:
    recovery.beat("worker")


def a_lease_nobody_took_back(review: Review) -> None:
    attended()
    long_ago = database_now() - timedelta(minutes=11)
    unconstrained("orchestrator.Task", status="running", lease_until=long_ago)


def an_effect_nobody_sends(review: Review) -> None:
    attended()
    long_ago = database_now() - timedelta(minutes=11)
    Task.objects.filter(step="pay").update(status="ready", ready_at=long_ago)


def a_wait_nobody_ends(review: Review) -> None:
    attended()
    long_ago = database_now() - timedelta(minutes=11)
    Wait.objects.create(task_id=review.task_id, round=1, due_at=long_ago, opened_at=long_ago)


def delivery(**values: object) -> None:
    endpoint = WebhookEndpoint.objects.create(name="told", url="https://example.com/")
    event = Event.objects.first()
    given = {"event": event.pk, "kind": event.kind, "body": "{}", "next_at": database_now()}
    WebhookDelivery.objects.create(endpoint=endpoint, **given | values)


def told_of_nothing(review: Review) -> None:
    delivery(event=uuid.uuid4())


def told_far_too_late(review: Review) -> None:
    attended()
    delivery(next_at=database_now() - timedelta(minutes=6))


def told_at_no_time(review: Review) -> None:
    delivery(status="delivered", next_at=None)


def an_effect_of_a_control_case(review: Review) -> None:
    Run.objects.update(control=True)


def of_a_run_without_effects(review: Review) -> None:
    an_effect_of_a_control_case(review)
    Effect.objects.all().delete()


def a_control_case_in_a_register(review: Review) -> None:
    of_a_run_without_effects(review)
    register = DataSource.objects.create(name="bills", title="Bills", key_field="run", kind=DataSource.Kind.REGISTER)
    SourceRow.objects.create(source=register, key=str(review.run_id), data={}, digest="d")


def told_of_a_control_case(review: Review) -> None:
    of_a_run_without_effects(review)
    delivery(event=Event.objects.filter(run=str(review.run_id)).first().pk)


PAID: list[tuple[str, Seed]] = [
    ("I01", of_paid(key="countersign-unknown")),
    ("I01", of_paid(state="void")),
    ("I02", a_second_effect),
    ("I02", the_same_key_twice),
    ("I02", booked_twice),
    ("I02", taken_back_by_nothing),
    ("I02", taken_back_and_still_standing),
    ("I03", booked_otherwise),
    ("I03", paid_otherwise),
    ("I05", one_signature_less),
    ("I05", signed_after_it_was_authorised),
    ("I05", signed_something_else),
    ("I05", signed_by_nobody),
    ("I06", approved_by_the_requester),
    ("I06", decided_by_the_requester),
    ("I06", approved_by_an_agent),
    ("I07", decided_by_an_agent),
    ("I08", voted_twice),
    ("I08", a_nonce_twice),
    ("I09", answered_in_another_round),
    ("I09", signed_something_else),
    ("I10", the_grant_was_taken_before),
    ("I10", joined_the_group_afterwards),
    ("I11", a_policy_of_one_person),
    ("I11", a_workflow_of_one_person),
    ("I11", a_policy_from_the_future),
    ("I12", an_answer_that_means_nothing),
    ("I12", a_refusal_without_a_why),
    ("I13", an_unknown_status),
    ("I13", an_unknown_state),
    ("I13", of_paid(sent_at=None)),
    ("I13", of_paid(ended_at=None)),
    ("I14", a_gap_in_the_versions),
    ("I15", of_paid(fence=7)),
    ("I15", confirmed_twice),
    ("I16", sent_while_it_was_held),
    ("I17", an_incident_nobody_sees),
    ("I18", an_open_step),
    ("I18", of_paid(state="unknown")),
    ("I19", a_lease_nobody_took_back),
    ("I19", an_effect_nobody_sends),
    ("I19", a_wait_nobody_ends),
    ("I20", too_many_attempts),
    ("I20", tried_twice_though_it_cannot_be_asked),
    ("I21", told_of_nothing),
    ("I21", told_far_too_late),
    ("I21", told_at_no_time),
    ("I22", an_event_without_a_place),
    ("I22", a_place_without_an_event),
    ("I22", a_decision_nobody_told),
    ("I22", an_end_told_twice),
    ("I22", a_persons_decision_nobody_told),
    ("I24", of_paid(sent_at=F("authorised_at") - timedelta(seconds=1))),
    ("I24", of_paid(ended_at=F("sent_at") - timedelta(seconds=1))),
    ("I26", an_effect_of_a_control_case),
    ("I26", a_control_case_in_a_register),
    ("I26", told_of_a_control_case),
]


def name_of(seed: tuple[str, Seed]) -> str:
    return f"{seed[0]}-{getattr(seed[1], '__name__', '')}"


@pytest.mark.parametrize("seed", PAID, ids=name_of)
def test_a_lie_about_a_paid_bill_is_caught(paid, seed):
    number, lie = seed
    assert found(number) == []
    with guards_lifted():
        lie(paid)
    assert found(number)


def a_review_that_nobody_holds(review: Review) -> None:
    unconstrained("reviews.Review", status="withdrawn")


def a_review_nobody_waits_for(review: Review) -> None:
    Task.objects.filter(pk=review.task_id).update(status="succeeded")


def a_run_without_a_step(review: Review) -> None:
    Task.objects.filter(pk=review.task_id).update(status="cancelled")


def a_run_that_ended_and_asks(review: Review) -> None:
    Run.objects.update(status="cancelled", ended_at=database_now())


def an_incident_resolved_that_still_holds(review: Review) -> None:
    Task.objects.filter(pk=review.task_id).update(status="incident")
    admin = get_user_model().objects.get(username="admin")
    now = database_now()
    values = {"opened_at": now, "resolved_at": now, "resolved_by": admin, "reason": "r"}
    Incident.objects.create(run=review.run, task=review.task, kind="k", detail="d", **values)


def late_and_nobody_was_told(review: Review) -> None:
    attended()
    Review.objects.update(due_at=database_now() - timedelta(minutes=16))


def suspended_without_a_way_back(review: Review) -> None:
    Run.objects.update(status="suspended")


def a_round_that_says_it_was_planted(review: Review) -> None:
    Review.objects.update(control=True)


@pytest.mark.parametrize(
    "seed",
    [
        ("I26", a_round_that_says_it_was_planted),
        ("I13", suspended_without_a_way_back),
        ("I17", a_review_that_nobody_holds),
        ("I17", a_review_nobody_waits_for),
        ("I17", a_run_without_a_step),
        ("I17", an_incident_resolved_that_still_holds),
        ("I18", a_run_that_ended_and_asks),
        ("I19", late_and_nobody_was_told),
    ],
    ids=name_of,
)
def test_a_lie_about_a_waiting_bill_is_caught(waiting, seed):
    number, lie = seed
    assert found(number) == []
    with guards_lifted():
        lie(waiting)
    assert found(number)


def test_an_effect_that_outlives_a_rejection_is_caught(rejected):
    assert found("I04") == []
    now = database_now()
    effect = Effect(
        run=rejected.run, step="pay", kind="erp.pay_invoice", connector="ledger", klass="K", key="k", payload={}
    )
    effect.payload_digest, effect.packet_digest, effect.authorised_at = digest({}), rejected.packet_digest, now
    with guards_lifted():
        effect.save(force_insert=True)
    assert found("I04")
    assert found("I18")


def test_a_control_case_that_goes_on_after_its_answer_is_caught():
    everybody = cast()
    answer(planted(everybody, mailbox()), everybody.clerk, "reject")
    assert found("I26") == []
    with guards_lifted():
        Run.objects.update(status="running", ended_at=None)
    assert found("I26")


def test_something_sent_after_a_rejection_is_caught(rejected):
    assert found("I24") == []
    late = database_now() + timedelta(seconds=5)
    told = Entry("effect.sent", ("run", str(rejected.run_id)), SYSTEM, str(rejected.run_id), data={"effect": "k"})
    record_many([told], at=late)
    assert found("I24")


def test_every_invariant_of_the_list_is_asked_or_named_as_not_asked():
    asked = {one.number for one in all_invariants()}
    assert asked | NOT_ASKED.keys() == {f"I{number:02}" for number in range(1, 27)}
    assert not asked & NOT_ASKED.keys()
    seeded = {number for number, _ in PAID} | {"I04", "I17", "I18", "I24"}
    assert asked == seeded


def test_lateness_is_no_violation_while_nobody_works(waiting):
    Review.objects.update(due_at=database_now() - timedelta(days=3))
    assert found("I19") == []


def test_who_may_decide_is_asked_of_the_past_and_not_of_today(paid):
    """Whoever was allowed then may have left since; whoever was not may be allowed by now."""
    reviewer = Approval.objects.get().reviewer
    take("decide", Group.objects.get(name="clerks"), paid.queue, actor=reviewer)
    assert found("I10") == []
