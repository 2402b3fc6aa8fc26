"""How fast one account may go: P10 for those who hand in, U27 for those who decide."""

import pytest

from audit.models import Event
from orchestrator.grants import give
from orchestrator.models import Run, Workflow
from reviews.models import Approval

from .api import Caller
from .cast import answer, bill, cast, waiting_bill

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody(settings):
    settings.SUBMISSIONS_PER_MINUTE = settings.DECISIONS_PER_MINUTE = 2
    found = cast()
    for person in (found.requester, found.second):
        give("start_run", person, Workflow.objects.get(), actor=found.admin)
    return found


def hand_in(caller, number, **headers):
    return caller.post(
        "runs", {"workflow": "pay-bills", "input": {"amount": "1.00", "number": f"N-{number}"}}, **headers
    )


def agree(caller, review):
    given = {"verdict": "approve", "digest": review.packet_digest, "nonce": str(review.pk), "reason": "other"}
    return caller.post(f"reviews/{review.pk}/decide", given)


def test_p10_more_submissions_than_a_minute_may_have_are_refused_and_nothing_is_started(everybody):
    caller = Caller(everybody.requester)
    assert [hand_in(caller, n).status_code for n in range(3)] == [201, 201, 429]
    refused = hand_in(caller, 3)
    assert (refused.json()["code"], refused["Retry-After"]) == ("too_many_requests", "10")
    assert Run.objects.count() == 2
    assert hand_in(Caller(everybody.second), 4).status_code == 201


def test_p10_the_form_says_so_too(everybody, client):
    bill(everybody)
    bill(everybody)
    client.force_login(everybody.requester)
    refused = client.post("/start/pay-bills/", {"amount": "1.00", "number": "N-9"})
    assert refused.status_code == 422
    assert "within a minute: wait a moment" in refused.content.decode()
    assert Run.objects.count() == 2


def test_u27_more_answers_than_can_be_thought_about_are_refused_and_on_record(everybody, settings, client):
    settings.SUBMISSIONS_PER_MINUTE = 0
    reviews = [waiting_bill(everybody) for _ in range(3)]
    caller = Caller(everybody.clerk)
    assert [agree(caller, review).status_code for review in reviews] == [200, 200, 429]
    told = Event.objects.get(kind="decide.refused")
    assert (told.actor_id, told.data["rule"]) == (str(everybody.clerk.pk), "pace")
    client.force_login(everybody.clerk)
    given = {"verdict": "approve", "digest": reviews[2].packet_digest, "nonce": "n", "review": str(reviews[2].pk)}
    refused = client.post(f"/cases/{reviews[2].task_id}/decide/", given)
    assert refused.status_code == 429
    assert "Wait a moment" in refused.content.decode()
    assert Approval.objects.count() == 2
    answer(reviews[2], everybody.second)


def test_the_minute_passes_and_zero_is_no_limit(everybody, settings):
    caller = Caller(everybody.requester)
    settings.SUBMISSIONS_PER_MINUTE = 0
    assert [hand_in(caller, n).status_code for n in range(4)] == [201] * 4
    settings.SUBMISSIONS_PER_MINUTE = 5
    assert hand_in(caller, 9).status_code == 201


def test_u27_what_a_person_may_give_in_a_minute_is_answers_of_any_kind(everybody):
    """Questions cost others as much as approvals do, and are counted where all answers are."""
    caller = Caller(everybody.clerk)
    reviews = [waiting_bill(everybody) for _ in range(3)]
    for review in reviews[:2]:
        given = {"verdict": "ask", "target": "user:second", "comment": "Is it ours?", "nonce": str(review.pk)}
        assert caller.post(f"reviews/{review.pk}/decide", given | {"digest": review.packet_digest}).status_code == 200
    assert agree(caller, reviews[2]).status_code == 429
    assert agree(Caller(everybody.second), reviews[2]).status_code == 200
