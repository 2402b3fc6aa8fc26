"""The hold switch: whatever it covers is not sent until a second person lets it go on."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import formats
from django.utils.timezone import localtime

from orchestrator import services
from orchestrator.models import Effect, Hold, LedgerEntry, Task

from .cast import answer, cast, waiting_bill, work
from .desk import signed_in, text_of

pytestmark = pytest.mark.django_db
COVERS = [("all", ""), ("kind", "erp.pay_invoice"), ("connector", "ledger"), ("agent", "cast.check")]
SPARES = [("kind", "erp.reverse_payment"), ("connector", "bank"), ("agent", "cast.other")]


def pulled(scope, value, actor) -> Hold:
    return services.pull_hold(scope=scope, value=value, reason="bank is closed", actor=actor)


def approved(everybody) -> Effect:
    """The effect of a case that was approved, as far as it got."""
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    work()
    return Effect.objects.get(run=review.run)


@pytest.mark.parametrize(("scope", "value"), COVERS)
def test_what_a_hold_covers_waits_without_an_attempt_until_it_is_released(scope, value):
    everybody = cast()
    hold = pulled(scope, value, everybody.manager)
    effect = approved(everybody)
    assert (effect.state, effect.attempts, LedgerEntry.objects.count()) == ("authorised", 0, 0)
    assert effect.run.status == "running"
    services.release_hold(hold_id=hold.pk, actor=everybody.cfo)
    Task.objects.filter(status="retry_wait").update(ready_at=Now())
    work()
    effect.refresh_from_db()
    assert (effect.state, effect.attempts, LedgerEntry.objects.count()) == ("confirmed", 1, 1)
    assert effect.run.tasks.get(step="pay").attempts == 1


@pytest.mark.parametrize(("scope", "value"), SPARES)
def test_what_a_hold_does_not_cover_goes_on(scope, value):
    everybody = cast()
    pulled(scope, value, everybody.manager)
    assert approved(everybody).state == "confirmed"


def test_people_go_on_deciding_while_effects_are_held():
    everybody = cast()
    pulled("all", "", everybody.manager)
    effect = approved(everybody)
    answer(waiting_bill(everybody), everybody.clerk, "reject", reason="duplicate")
    services.cancel_run(run_id=effect.run_id, actor=everybody.requester, reason="not needed")
    effect.refresh_from_db()
    effect.run.refresh_from_db()
    assert (effect.state, effect.run.status, effect.attempts) == ("void", "cancelled", 0)


def test_whoever_pulled_a_hold_does_not_release_it():
    everybody = cast()
    hold = pulled("all", "", everybody.manager)
    with pytest.raises(services.SecondPersonNeeded, match="somebody else has to let them go on"):
        services.release_hold(hold_id=hold.pk, actor=everybody.manager)
    with pytest.raises(IntegrityError, match="hold_released_by_a_second_person"), transaction.atomic():
        Hold.objects.filter(pk=hold.pk).update(released_by=everybody.manager, released_at=Now())
    services.release_hold(hold_id=hold.pk, actor=everybody.cfo)
    with pytest.raises(services.Conflict, match="no longer in force"):
        services.release_hold(hold_id=hold.pk, actor=everybody.cfo)


def test_a_case_that_changed_while_it_was_held_is_not_sent_as_it_was():
    """No point of no return without recomputed digests: what was approved is what goes out, or nothing does."""
    everybody = cast()
    hold = pulled("all", "", everybody.manager)
    effect = approved(everybody)
    Effect.objects.filter(pk=effect.pk).update(policy_digest="another")
    services.release_hold(hold_id=hold.pk, actor=everybody.cfo)
    Task.objects.filter(status="retry_wait").update(ready_at=Now())
    work()
    effect.refresh_from_db()
    effect.run.refresh_from_db()
    assert (effect.state, effect.attempts) == ("authorised", 0)
    assert effect.run.incidents.get().kind == "effect-not-authorised"


def test_every_page_tells_what_is_held_by_whom_and_since_when(settings):
    settings.TIME_ZONE = "Asia/Tokyo"
    everybody = cast()
    first, second = pulled("connector", "bank", everybody.manager), pulled("all", "", everybody.admin)
    Hold.objects.update(pulled_at=first.pulled_at)  # at the same moment: in the order they were made
    page = text_of(signed_in(everybody.clerk).get("/queue/"))
    told = [f"On hold: {hold}." for hold in (first, second)]
    assert page.index(told[0]) < page.index(told[1])
    for hold in (first, second):
        hold.refresh_from_db()
        since = formats.date_format(localtime(hold.pulled_at), "DATETIME_FORMAT")
        assert f"{hold.pulled_by.get_full_name() or hold.pulled_by.username}, {since}: bank is closed" in page
