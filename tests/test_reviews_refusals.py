"""Who may not answer, by which rule, on every way; and that each refusal is in the trail."""

from datetime import timedelta

import pytest

from audit.models import Event
from orchestrator.grants import give, take
from orchestrator.models import AgentAccount, LedgerEntry
from reviews import services
from reviews.errors import Held, Invalid, NotAllowed, OutOfTime, Stale
from reviews.models import Approval, Review
from reviews.policies import VERDICTS

from .cast import answer, cast, kinds_since, mark, person, waiting_bill

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody():
    return cast()


def refused(review, actor, verdict="approve", **given):
    before = mark()
    with pytest.raises(NotAllowed) as error:
        answer(review, actor, verdict, **given)
    assert kinds_since(before) == ["decide.refused"]
    event = Event.objects.order_by("at", "id").last()
    assert (event.actor_id, event.queue) == (str(actor.pk), review.queue.name)
    assert Approval.objects.count() == 0
    return error.value.rule


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_requester_is_refused_on_every_way(everybody, verdict):
    review = waiting_bill(everybody)
    targets = {"reroute": "step:read", "ask": "user:clerk", "delegate": "user:clerk"}
    assert refused(review, everybody.requester, verdict, target=targets.get(verdict, "")) == "requester"


def test_nobody_can_hand_the_case_to_the_requester(everybody):
    review = waiting_bill(everybody)
    with pytest.raises(Invalid, match="Whoever asked for this may not decide it"):
        answer(review, everybody.clerk, "delegate", target="user:requester")
    with pytest.raises(Invalid, match="Whoever asked for this may not decide it"):
        services.reassign(review_id=review.pk, actor=everybody.manager, to=everybody.requester)
    assert Review.objects.get(pk=review.pk).delegated_to is None


def test_the_requester_cannot_hold_the_case_either(everybody):
    review = waiting_bill(everybody)
    with pytest.raises(NotAllowed):
        services.claim(review_id=review.pk, actor=everybody.requester)


def test_an_outsider_an_auditor_and_a_superuser_are_refused_by_the_queue(everybody):
    review = waiting_bill(everybody)
    for actor in (everybody.outsider, everybody.auditor, everybody.admin):
        assert refused(review, actor) == "queue"


def test_a_permission_on_the_whole_model_opens_no_queue(everybody):
    from django.contrib.auth.models import Permission

    everybody.outsider.user_permissions.set(Permission.objects.filter(content_type__app_label="reviews"))
    assert refused(waiting_bill(everybody), everybody.outsider) == "queue"


def test_a_permission_on_another_queue_opens_no_queue(everybody):
    give("decide", everybody.outsider, everybody.seniors, actor=everybody.admin)
    assert refused(waiting_bill(everybody), everybody.outsider) == "queue"


def test_a_permission_taken_away_after_the_page_was_opened_is_gone(everybody):
    review = waiting_bill(everybody)
    third = person("third")
    give("decide", third, everybody.clerks, actor=everybody.admin)
    services.view(review=review, actor=third)
    take("decide", third, everybody.clerks, actor=everybody.admin)
    assert refused(review, third) == "queue"


def test_an_account_switched_off_after_the_page_was_opened_is_refused(everybody):
    review = waiting_bill(everybody)
    type(everybody.clerk).objects.filter(pk=everybody.clerk.pk).update(is_active=False)
    assert refused(review, everybody.clerk) == "active"


def test_an_agent_is_refused_whatever_it_was_granted(everybody):
    AgentAccount.objects.create(agent="some.agent", user=everybody.clerk)
    assert refused(waiting_bill(everybody), everybody.clerk) == "agent"


def test_a_digest_of_another_case_is_stale_and_records_nothing(everybody):
    review, other = waiting_bill(everybody), waiting_bill(everybody)
    with pytest.raises(Stale) as error:
        answer(review, everybody.clerk, digest=other.packet_digest)
    assert (error.value.status, error.value.code, error.value.review) == (409, "stale", str(review.pk))
    assert Approval.objects.count() == 0


def test_a_page_opened_25_hours_ago_cannot_decide(everybody):
    review = waiting_bill(everybody)
    Review.objects.filter(pk=review.pk).update(opened_at=review.opened_at - timedelta(hours=25))
    with pytest.raises(OutOfTime) as error:
        answer(review, everybody.clerk)
    assert error.value.status == 409
    services.view(review=review, actor=everybody.clerk)
    assert answer(review, everybody.clerk)["review_status"] == "approved"


def test_a_case_somebody_else_holds_is_left_to_them(everybody):
    review = waiting_bill(everybody)
    services.claim(review_id=review.pk, actor=everybody.clerk)
    for act in (lambda: answer(review, everybody.second), lambda: claim(review, everybody.second)):
        with pytest.raises(Held, match="Clerk is working on this case"):
            act()
    assert answer(review, everybody.clerk)["review_status"] == "approved"


def claim(review, actor):
    return services.claim(review_id=review.pk, actor=actor)


def test_a_claim_that_ran_out_is_anybodys_and_the_draft_stays(everybody):
    review = claim(waiting_bill(everybody), everybody.clerk)
    services.save_draft(task_id=review.task_id, actor=everybody.clerk, data={"comment": "half a sen"})
    Review.objects.filter(pk=review.pk).update(claimed_until=review.opened_at)
    assert claim(review, everybody.second).claimed_by == everybody.second
    with pytest.raises(Held):
        answer(review, everybody.clerk)
    assert review.task.drafts.get(user=everybody.clerk).data == {"comment": "half a sen"}


def test_claiming_and_giving_back_leave_one_event_each(everybody):
    review, before = waiting_bill(everybody), mark()
    claim(review, everybody.clerk)
    claim(review, everybody.clerk)
    services.release(review_id=review.pk, actor=everybody.second)
    services.release(review_id=review.pk, actor=everybody.clerk)
    assert kinds_since(before) == ["review.claimed", "review.released"]
    assert Review.objects.get(pk=review.pk).status == "open"


@pytest.mark.parametrize(
    ("pointer", "value", "words"),
    [
        ("/read/invoice/nothing", "1", "leads nowhere"),
        ("/input/amount", "1", "leads nowhere"),
        ("read", "1", "leads nowhere"),
        ("/read/invoice", "1", "single value"),
        ("/read/invoice/payable", 12.5, "single value"),
        ("/read/invoice/payable", 12, "expected str"),
        ("/read/invoice/payable", "1.0E9", "no amount"),
        ("/read/invoice/payable", "１２", "no amount"),
        ("/read/invoice/payable", "NaN", "no amount"),
        ("/read/invoice/payable", "1,000.00", "no amount"),
        ("/read/invoice/due_date", "31.12.2026", "no date"),
        ("/read/invoice/iban", "DE89370400440532013001", "no IBAN"),
        ("/read/invoice/seller/name", "a\x00b", "plain text"),
        ("/vendor/flagged", "no", "expected bool"),
    ],
)
def test_a_correction_that_cannot_stand_is_named(everybody, pointer, value, words):
    review = waiting_bill(everybody)
    with pytest.raises(Invalid, match=words) as error:
        answer(review, everybody.clerk, corrections={pointer: value})
    assert [field for field, _ in error.value.errors] == [f"corrections.{pointer}"]
    assert LedgerEntry.objects.count() == 0


def test_who_may_not_see_the_queue_may_not_look_and_an_auditor_may_only_look(everybody):
    review = waiting_bill(everybody)
    with pytest.raises(NotAllowed):
        services.view(review=review, actor=everybody.outsider)
    assert services.view(review=review, actor=everybody.auditor)["allowed"] == []
    assert services.view(review=review, actor=everybody.requester)["allowed"] == []
