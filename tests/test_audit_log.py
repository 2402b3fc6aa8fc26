"""The only writer of the trail: exact bytes, a closed list of kinds, never outside a transaction."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction

from audit import log
from audit.kinds import KINDS
from audit.log import (
    SYSTEM,
    Actor,
    Entry,
    OutsideTransaction,
    UnknownKind,
    database_now,
    one_moment,
    person,
    record,
    record_many,
)
from audit.models import Event, Pending
from tests.trail import NOON, entry, happened, happened_all

MARA = Actor("person", "7", "Mara Lindholm")


@pytest.mark.django_db
def test_the_record_is_exactly_these_bytes(monkeypatch):
    monkeypatch.setattr(log, "uuid7", lambda: UUID("019aa0e5-2d80-7000-8000-000000000001"))
    event = happened(
        "review.approved",
        subject=("review", "r-9"),
        actor=MARA,
        at=datetime(2026, 11, 20, 14, 5, 6, 789_999, tzinfo=UTC),
        run="run-1",
        workflow="invoice-to-pay",
        queue="ap-exceptions",
        data={"amount": Decimal("12806.40"), "corrections": {"/lines/0/price": "1.10"}, "note": "größer"},
    )
    assert (
        bytes(Event.objects.get(pk=event.pk).body)
        == (
            '{"actor":{"id":"7","kind":"person"},"at":"2026-11-20T14:05:06.789Z",'
            '"data":{"amount":"12806.40","corrections":[["/lines/0/price","1.10"]],"note":"größer"},'
            '"id":"019aa0e5-2d80-7000-8000-000000000001","kind":"review.approved","queue":"ap-exceptions","run":"run-1",'
            '"subject":["review","r-9"],"v":1,"workflow":"invoice-to-pay"}'
        ).encode()
    )


@pytest.mark.django_db
def test_the_columns_repeat_the_record_and_the_name_stays_beside_it():
    facts = {"run": "run-1", "workflow": "invoice-to-pay", "queue": "ap-exceptions"}
    written = happened("review.viewed", subject=("review", "r-9"), actor=MARA, **facts)
    event = Event.objects.get(pk=written.pk)
    body = json.loads(bytes(event.body))
    assert [event.subject_type, event.subject_id] == body["subject"]
    assert {"kind": event.actor_kind, "id": event.actor_id} == body["actor"]
    assert (event.run, event.workflow, event.queue, event.kind) == (*facts.values(), body["kind"])
    assert datetime.fromisoformat(body["at"]) == event.at
    assert event.actor_label == "Mara Lindholm"
    assert b"Mara" not in bytes(event.body)


@pytest.mark.django_db
def test_every_event_waits_for_its_place_in_the_tree():
    events = happened_all([entry(), entry("run.succeeded"), entry("run.failed")])
    assert set(Pending.objects.values_list("event_id", flat=True)) == {event.pk for event in events}
    assert [event.pk for event in Event.objects.oldest_first()] == [event.pk for event in events]


@pytest.mark.django_db
def test_recording_nothing_writes_nothing():
    assert happened_all([]) == []
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_one_event_carries_the_time_of_the_database():
    with transaction.atomic():
        before = database_now()
        event = record("queue.changed", subject=("queue", 4), actor=SYSTEM)
        after = database_now()
    assert before <= event.at <= after <= before + timedelta(minutes=1)
    assert event.at.microsecond % 1000 == 0
    assert event.subject_id == "4"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", json.loads(event.body)["at"])


@pytest.mark.django_db
def test_a_kind_that_is_not_listed_is_refused_and_nothing_is_written():
    with pytest.raises(UnknownKind, match=r"'run\.exploded' is not in audit/kinds\.py"):
        happened_all([entry(), entry("run.exploded")])
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_recorded():
    with pytest.raises(OutsideTransaction):
        record("run.started", subject=("run", "r1"), actor=SYSTEM)
    with pytest.raises(OutsideTransaction):
        record_many([entry()], at=NOON)
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_event_disappears_with_the_change_it_tells_of():
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record("run.started", subject=("run", "r1"), actor=SYSTEM)
        _ = 1 / 0
    assert not Event.objects.exists()
    assert not Pending.objects.exists()


@pytest.mark.django_db
def test_data_without_a_plain_form_is_refused_by_its_path():
    with pytest.raises(TypeError, match=r"\$\.output\.page: bytes"):
        happened(data={"output": {"page": b"%PDF"}})


@pytest.mark.django_db
def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="expected a time with a zone"):
        happened(at=datetime(2026, 11, 20))


@pytest.mark.django_db
def test_a_batch_is_two_statements_whatever_its_size(django_assert_num_queries):
    entries = [entry(subject=("run", f"r{n}")) for n in range(64)]
    with transaction.atomic(), django_assert_num_queries(2):
        record_many(entries, at=NOON)


@pytest.mark.django_db
def test_what_happens_in_one_moment_is_written_together_in_its_order(django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(2), one_moment(NOON):
        told = [record(kind, subject=("run", "r1"), actor=SYSTEM) for kind in ("run.started", "run.waiting")]
    assert [(event.pk, event.at) for event in Event.objects.oldest_first()] == [(event.pk, NOON) for event in told]
    assert Pending.objects.count() == 2


@pytest.mark.django_db
def test_a_moment_that_fails_leaves_nothing_and_none_lasts_beyond_its_end():
    with pytest.raises(ZeroDivisionError), transaction.atomic(), one_moment(NOON):
        record("run.started", subject=("run", "r1"), actor=SYSTEM)
        _ = 1 / 0
    assert not Event.objects.exists()
    with transaction.atomic():
        assert record("run.started", subject=("run", "r1"), actor=SYSTEM).at != NOON
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_moment_outside_a_transaction_is_refused():
    with pytest.raises(OutsideTransaction), one_moment(NOON):
        pass


@pytest.mark.django_db
def test_a_person_is_recorded_by_key_and_by_full_name_or_else_account_name():
    user = get_user_model()(pk=7, username="mara")
    assert person(user) == Actor("person", "7", "mara")
    user.first_name, user.last_name = "Mara", "Lindholm"
    assert person(user) == MARA


def test_an_actor_is_one_of_four_kinds():
    with pytest.raises(ValueError, match="kind: 'robot'; expected one of agent, person, policy, system"):
        Actor("robot", "1", "R2")


def test_every_kind_is_a_noun_and_a_verb_and_has_words_for_people():
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", kind) for kind in KINDS)
    assert all(words and words[0].isupper() and not words.endswith(".") for words in KINDS.values())
    assert max(map(len, KINDS)) <= Event._meta.get_field("kind").max_length


def test_entries_do_not_share_their_data():
    assert Entry("run.started", ("run", "1"), SYSTEM).data is not Entry("run.started", ("run", "2"), SYSTEM).data
