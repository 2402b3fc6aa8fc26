"""The database was set back to yesterday, and the outside was not."""

import json

import pytest
from django.core.management import call_command

from audit.models import Event
from orchestrator import restoring, services
from orchestrator.effects import effect_key
from orchestrator.models import Booked, ConnectorCheck, Effect, Hold, Incident, LedgerEntry
from orchestrator.resolving import choices_for

from .cast import TAKEN_BACK, answer, cast, second_admin, waiting_bill, work
from .outside import outside_running

pytestmark = pytest.mark.django_db
PAY, REVERSE = "erp.pay_invoice", "erp.reverse_payment"


@pytest.fixture
def everybody():
    return cast()


def booked_meanwhile(run) -> str:
    """What the outside booked after the backup: the run was approved, and we have forgotten it."""
    key = effect_key(run.pk, "pay", 1, PAY)
    LedgerEntry.objects.create(key=key, kind=PAY, payload={"lost": True}, payload_digest="x")
    return key


def test_everything_is_held_until_another_person_has_looked(everybody):
    restoring.after_restore(actor=everybody.admin)
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    work()
    assert Effect.objects.get().state == Effect.State.AUTHORISED
    with pytest.raises(services.SecondPersonNeeded):
        services.release_hold(hold_id=Hold.objects.get().pk, actor=everybody.admin)
    services.release_hold(hold_id=Hold.objects.get().pk, actor=everybody.cfo)
    work()
    assert Effect.objects.get().state == Effect.State.CONFIRMED


@pytest.mark.breaks_invariants
def test_a_run_of_which_the_outside_knows_more_waits_for_an_operator(everybody):
    lost, clean = waiting_bill(everybody).run, waiting_bill(everybody).run
    booked_meanwhile(lost)
    found = restoring.after_restore(actor=everybody.admin)
    assert (found.asked, found.incidents) == (2, [lost.pk])
    incident = Incident.objects.get()
    assert (incident.run_id, incident.kind) == (lost.pk, "restored")
    assert "erp.pay_invoice: the outside has booked it" in incident.detail
    lost.refresh_from_db()
    clean.refresh_from_db()
    assert (lost.status, clean.status) == ("suspended", "waiting")
    services.resolve_incident(
        incident_id=incident.pk, resolution="retry", reason="called the bank", actor=everybody.cfo
    )
    lost.refresh_from_db()
    assert lost.status in ("waiting", "running")


@pytest.mark.breaks_invariants
def test_asked_twice_it_opens_one_incident_and_one_hold(everybody):
    booked_meanwhile(waiting_bill(everybody).run)
    for _ in range(2):
        restoring.after_restore(actor=everybody.admin)
    assert (Incident.objects.count(), Hold.objects.count()) == (1, 1)


def test_the_outside_is_asked_by_key_and_what_was_booked_is_booked_once(everybody, settings):
    """Approved before the backup, sent after it: the same key, and the same booking."""
    with outside_running() as outside:
        settings.ERP_BASE_URL = outside.url
        review = waiting_bill(everybody)
        answer(review, everybody.clerk)
        effect = Effect.objects.get()
        outside.book(PAY, effect.key, {"payload": effect.payload})
        found = restoring.after_restore(actor=everybody.admin)
        assert found.incidents == [review.run_id]
        assert "booked it as R-1" in Incident.objects.get().detail
        services.release_hold(hold_id=Hold.objects.get().pk, actor=everybody.cfo)
        work()
        assert Effect.objects.get().state == Effect.State.AUTHORISED  # the incident holds it
        services.resolve_incident(
            incident_id=Incident.objects.get().pk, resolution="retry", reason="it is ours", actor=everybody.cfo
        )
        work()
        assert outside.kinds() == [PAY]
    effect.refresh_from_db()
    assert (effect.state, effect.ref) == (Effect.State.CONFIRMED, "R-1")


def test_what_cannot_be_asked_is_for_a_person(everybody, settings):
    with outside_running() as outside:
        settings.ERP_BASE_URL = outside.url
        ConnectorCheck.objects.create(base_url=outside.url, klass="X")
        run = waiting_bill(everybody).run
        assert restoring.after_restore(actor=everybody.admin).incidents == [run.pk]
    assert "cannot be asked" in Incident.objects.get().detail


def command(capsys, *args: str) -> tuple[int, dict]:
    code = 0
    try:
        call_command("after_restore", "--as", "admin", "--json", *args)
    except SystemExit as ended:
        code = ended.code
    return code, json.loads(capsys.readouterr().out or "{}")


def test_by_its_statement_bookings_of_forgotten_runs_are_named(everybody, tmp_path, capsys):
    run = waiting_bill(everybody).run
    mine, strange = effect_key(run.pk, "pay", 1, PAY), "countersign-of-a-run-that-is-gone"
    rows = [{"key": mine, "ref": "R-7"}, {"key": strange, "ref": "R-8"}, {"key": "not-ours", "ref": "R-9"}]
    statement = tmp_path / "statement.jsonl"
    statement.write_text("\n".join(map(json.dumps, rows)))
    code, told = command(capsys, "--statement", str(statement))
    assert (code, told["incidents"], told["strangers"]) == (1, [str(run.pk)], [strange])
    assert "booked it as R-7" in Incident.objects.get().detail


def test_where_both_agree_nothing_has_to_be_looked_at(everybody, capsys):
    waiting_bill(everybody)
    assert command(capsys) == (0, {"asked": 1, "incidents": [], "booked": [], "strangers": []})


def test_a_statement_that_cannot_be_read_is_refused(everybody, tmp_path, capsys):
    (tmp_path / "broken").write_text("[1]")
    assert command(capsys, "--statement", str(tmp_path / "broken"))[0] == 2
    assert command(capsys, "--statement", str(tmp_path / "missing"))[0] == 2
    assert not Hold.objects.exists()


def test_what_was_recalled_and_approved_again_has_a_later_key_and_may_only_be_given_up(everybody):
    run = waiting_bill(everybody).run
    key = effect_key(run.pk, "pay", 3, PAY)
    LedgerEntry.objects.create(key=key, kind=PAY, payload={"lost": True}, payload_digest="x")
    found = restoring.after_restore(actor=everybody.admin)
    assert [booking["key"] for booking in found.booked] == [key]
    incident = Incident.objects.get()
    assert (incident.kind, choices_for(incident)) == ("restored-apart", ("fail",))
    key_of_another = Booked.objects.get()
    assert (key_of_another.key, key_of_another.business_key) == (key, "V1/KB1")
    LedgerEntry.objects.all().delete()


def test_what_was_taken_back_after_the_backup_is_not_paid_again(everybody):
    services.save_workflow(source=TAKEN_BACK, actor=everybody.admin, second=second_admin())
    run = waiting_bill(everybody).run
    statement = {effect_key(run.pk, "pay", 1, PAY): {"ref": "R-1"}}
    statement[effect_key(run.pk, "pay-undo", 1, REVERSE)] = {"ref": "R-2"}
    restoring.after_restore(actor=everybody.admin, statement=statement)
    incident = Incident.objects.get()
    assert choices_for(incident) == ("fail",)
    assert "erp.pay_invoice: the outside has booked it as R-1; erp.reverse_payment: the" in incident.detail


def test_what_can_only_be_asked_is_not_sent_again_where_it_is_booked(everybody, settings):
    with outside_running() as outside:
        settings.ERP_BASE_URL = outside.url
        ConnectorCheck.objects.create(base_url=outside.url, klass="Q")
        run = waiting_bill(everybody).run
        outside.book(PAY, effect_key(run.pk, "pay", 1, PAY), {"payload": {}})
        restoring.after_restore(actor=everybody.admin)
    assert choices_for(Incident.objects.get()) == ("fail",)


def test_a_bill_of_a_run_that_is_gone_is_not_paid_when_it_is_sent_in_again(everybody):
    """Its run was begun after the backup. Only the outside still knows that it was paid."""
    strange = {"countersign-gone": {"kind": PAY, "business_key": "V1/4711", "ref": "R-8"}}
    restoring.after_restore(actor=everybody.admin, statement=strange)
    services.release_hold(hold_id=Hold.objects.get().pk, actor=everybody.cfo)
    answer(waiting_bill(everybody, number="4711"), everybody.clerk)
    work()
    assert Effect.objects.get().state == Effect.State.AUTHORISED
    incident = Incident.objects.get()
    assert incident.kind == "effect-not-authorised"
    assert "was booked outside as R-8 before the database was restored" in incident.detail
    assert not LedgerEntry.objects.exists()


def test_the_trail_says_where_it_has_a_gap_and_what_is_known_of_it(everybody):
    mine = waiting_bill(everybody).run
    statement = {effect_key(mine.pk, "pay", 1, PAY): {"ref": "R-7"}, "countersign-gone": {"ref": "R-8"}}
    restoring.after_restore(actor=everybody.admin, statement=statement)
    event = Event.objects.get(kind="database.restored")
    assert event.actor_label == "admin"
    assert event.data["strangers"] == ["countersign-gone"]
    assert [(one["run"], one["ref"]) for one in event.data["booked"]] == [(str(mine.pk), "R-7")]
