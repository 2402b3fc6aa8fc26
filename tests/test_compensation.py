"""What was confirmed is taken back, the last first, before a stopped run ends; what is in doubt is for a person."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now

from audit.models import Event
from orchestrator import engine, recovery, services
from orchestrator.connectors.http import HttpConnector
from orchestrator.models import Effect, Incident, Task
from reviews.models import Queue, ReviewPolicy

from .cast import second_admin, work
from .outside import JOURNEY, outside_running

pytestmark = pytest.mark.django_db


@pytest.fixture
def outside(settings):
    with outside_running() as running:
        settings.ERP_BASE_URL = running.url
        yield running


@pytest.fixture
def traveller():
    Queue.objects.create(name="clerks", title="Clerks", policy=ReviewPolicy.objects.create(name="standard"))
    return get_user_model().objects.create_user("traveller")


@pytest.fixture
def operator():
    return get_user_model().objects.create_user("operator")


def journey(actor, source=JOURNEY):
    services.save_workflow(source=source, actor=actor, second=second_admin())
    run = services.start_run(workflow="journey", input={}, actor=actor)[0]
    work()
    run.refresh_from_db()
    return run


def cancel(run, actor):
    services.cancel_run(run_id=run.pk, actor=actor, reason="plans changed")
    run.refresh_from_db()
    work()
    before = run.status
    run.refresh_from_db()
    return before


def resolve(run, resolution, actor, **given):
    incident = run.incidents.get(resolved_at=None)
    services.resolve_incident(
        incident_id=incident.pk, resolution=resolution, reason="looked it up", actor=actor, **given
    )
    work()
    run.refresh_from_db()


def states(run):
    return dict(run.effects.values_list("step", "state"))


def test_a_cancelled_run_takes_back_what_was_confirmed_the_last_first(outside, traveller):
    run = journey(traveller)
    assert (run.status, outside.kinds()) == ("suspended", ["test.reserve", "test.book"])
    assert cancel(run, traveller) == "cancelling"
    assert (run.status, run.outcome) == ("cancelled", "plans changed")
    assert outside.kinds() == ["test.reserve", "test.book", "test.unbook", "test.unbook"]
    assert [payload for *_, payload in outside.journal[2:]] == [
        {"what": "flight 2", "reverses": "R-2"},
        {"what": "room 2", "reverses": "R-1"},
    ]
    assert not run.tasks.filter(status__in=Task.OPEN).exists()


def test_a_run_that_is_being_cancelled_cannot_be_cancelled_again(outside, traveller):
    run = journey(traveller)
    services.cancel_run(run_id=run.pk, actor=traveller, reason="plans changed")
    with pytest.raises(services.Conflict, match="being cancelled"):
        services.cancel_run(run_id=run.pk, actor=traveller, reason="again")


def test_failing_a_run_takes_back_as_well(outside, traveller, operator):
    run = journey(traveller)
    resolve(run, "fail", operator)
    assert run.status == "cancelled"
    assert outside.kinds().count("test.unbook") == 2


def test_a_refused_compensation_holds_the_run_until_a_person_waives_it(outside, traveller, operator):
    run = journey(traveller)
    outside.modes = ["refuse"]
    cancel(run, traveller)
    assert (run.status, run.resumes_to) == ("suspended", "cancelling")
    assert states(run)["flight-undo"] == "failed"
    incident = run.incidents.get(resolved_at=None, kind="effect-refused")
    with pytest.raises(services.InputInvalid, match="expected one of retry, skip"):
        services.resolve_incident(incident_id=incident.pk, resolution="fail", reason="x", actor=operator)
    services.resolve_incident(incident_id=incident.pk, resolution="skip", reason="not refundable", actor=operator)
    resolve(run, "skip", operator)
    assert run.status == "cancelled"
    assert states(run)["room-undo"] == "confirmed"


def test_an_effect_nothing_takes_back_needs_a_waiver(outside, traveller, operator):
    run = journey(traveller, JOURNEY.replace("needs: [ok], compensate: test.unbook", "needs: [ok]"))
    cancel(run, traveller)
    assert run.status == "suspended"
    incident = run.incidents.get(resolved_at=None, kind="not-compensable")
    services.resolve_incident(incident_id=incident.pk, resolution="skip", reason="kept as credit", actor=operator)
    resolve(run, "skip", operator)
    assert run.status == "cancelled"
    assert outside.kinds() == ["test.reserve", "test.book", "test.unbook"]


def test_a_lost_answer_of_a_keyed_effect_is_asked_for_and_booked_once(outside, traveller):
    outside.modes = ["swallow"]
    run = journey(traveller)
    assert states(run) == {"room": "confirmed", "flight": "confirmed"}
    assert outside.kinds() == ["test.reserve", "test.book"]
    assert run.effects.get(step="room").attempts == 2


def test_a_keyed_effect_is_repeated_with_the_same_key(outside, traveller):
    outside.modes = ["lose", "garbage"]
    run = journey(traveller)
    assert outside.kinds() == ["test.reserve", "test.book"]
    assert run.effects.get(step="room").attempts == 3


@pytest.mark.parametrize(("klass", "mode"), [("Q", "swallow"), ("X", "swallow"), ("Q", "lose"), ("X", "lose")])
def test_an_outside_without_keys_gets_one_attempt_and_a_person_in_doubt(outside, traveller, monkeypatch, klass, mode):
    monkeypatch.setattr(HttpConnector, "klass", klass)
    outside.modes = [mode]
    run = journey(traveller)
    posts = [path for method, path in outside.calls if path.endswith("test.reserve")]
    assert len(posts) == 1
    found = klass == "Q" and mode == "swallow"
    assert states(run)["room"] == ("confirmed" if found else "unknown")
    assert run.incidents.filter(kind="effect-in-doubt").exists() is not found


def in_doubt(outside, traveller, monkeypatch, klass="X"):
    monkeypatch.setattr(HttpConnector, "klass", klass)
    outside.modes = ["lose"] * (3 if klass == "K" else 1)
    return journey(traveller)


def test_an_effect_in_doubt_is_declared_confirmed_with_a_reference(outside, traveller, operator, monkeypatch):
    run = in_doubt(outside, traveller, monkeypatch)
    incident = run.incidents.get()
    assert incident.effect.state == "unknown"
    with pytest.raises(services.InputInvalid, match="ref: is empty"):
        services.resolve_incident(incident_id=incident.pk, resolution="confirmed", reason="x", actor=operator)
    resolve(run, "confirmed", operator, ref="R-77")
    assert states(run) == {"room": "confirmed", "flight": "confirmed"}
    assert run.effects.get(step="room").ref == "R-77"
    assert run.decisions.get(step="room").person == operator


def test_who_started_the_run_may_not_say_what_became_of_its_effect(outside, traveller, monkeypatch):
    run = in_doubt(outside, traveller, monkeypatch)
    with pytest.raises(services.InputInvalid, match="actor: started this run"):
        services.resolve_incident(incident_id=run.incidents.get().pk, resolution="failed", reason="x", actor=traveller)


@pytest.mark.parametrize("choice", ["skip", "fail", "retry"])
def test_an_effect_in_doubt_cannot_be_passed_over(outside, traveller, operator, monkeypatch, choice):
    run = in_doubt(outside, traveller, monkeypatch)
    with pytest.raises(services.InputInvalid, match="expected one of confirmed, failed"):
        services.resolve_incident(incident_id=run.incidents.get().pk, resolution=choice, reason="x", actor=operator)


def test_an_effect_declared_failed_fails_the_run(outside, traveller, operator, monkeypatch):
    run = in_doubt(outside, traveller, monkeypatch)
    resolve(run, "failed", operator)
    assert (run.status, states(run)) == ("failed", {"room": "failed"})


def test_a_keyed_effect_in_doubt_is_tried_again_under_its_key(outside, traveller, operator, monkeypatch):
    run = in_doubt(outside, traveller, monkeypatch, klass="K")
    key = run.effects.get().key
    resolve(run, "retry", operator)
    assert outside.journal[0][1] == key
    assert states(run)["room"] == "confirmed"


@pytest.mark.breaks_invariants
def test_a_key_is_not_repeated_once_the_outside_may_have_forgotten_it(outside, traveller, operator, monkeypatch):
    run = in_doubt(outside, traveller, monkeypatch, klass="K")
    Effect.objects.update(sent_at=Now() - timedelta(hours=13))
    calls = len([c for c in outside.calls if c[0] == "POST"])
    resolve(run, "retry", operator)
    assert states(run)["room"] == "unknown"
    assert len([c for c in outside.calls if c[0] == "POST"]) == calls


def test_what_was_sent_before_a_cancellation_is_pursued_and_then_taken_back(outside, traveller):
    services.save_workflow(source=JOURNEY, actor=traveller, second=second_admin())
    run = services.start_run(workflow="journey", input={}, actor=traveller)[0]
    while not (held := engine.claim("effects", 1)):
        engine.drain(lanes=("default",), budget=5)
    outside.modes = ["swallow"]
    engine.record([(held[0], engine.execute(held[0]))])
    services.cancel_run(run_id=run.pk, actor=traveller, reason="plans changed")
    run.refresh_from_db()
    assert run.status == "cancelling"
    work()
    run.refresh_from_db()
    assert (run.status, outside.kinds()) == ("cancelled", ["test.reserve", "test.unbook"])


def test_h08_a_late_answer_is_noted_and_another_reference_is_an_incident(outside, traveller):
    services.save_workflow(source=JOURNEY, actor=traveller, second=second_admin())
    run = services.start_run(workflow="journey", input={}, actor=traveller)[0]
    while not (held := engine.claim("effects", 1)):
        engine.drain(lanes=("default",), budget=5)
    late = engine.execute(held[0])
    Task.objects.filter(pk=held[0].task_id).update(lease_until=Now() - timedelta(seconds=1))
    recovery.expire_leases()
    [again] = engine.claim("effects", 1)
    engine.record([(again, engine.execute(again))])
    engine.record([(held[0], late)])
    assert Event.objects.filter(kind="effect.late_result", run=str(run.pk)).count() == 1
    assert not Incident.objects.exists()
    Effect.objects.filter(step="room").update(ref="R-999")
    engine.record([(held[0], late)])
    assert Incident.objects.get().kind == "second-reference"
