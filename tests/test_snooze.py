"""Putting a case aside: it leaves the lists of what to do and comes back by the clock alone."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.log import database_now
from reviews import services
from reviews.errors import Conflict, Held, Invalid, NotAllowed
from reviews.models import Review

from .cast import answer, cast, inbox_of, kinds_since, mark, waiting_bill
from .desk import case_url, signed_in, text_of

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def everybody():
    return cast()


def snooze(review, actor, ahead=HOUR):
    return services.snooze(review_id=review.pk, actor=actor, until=database_now() + ahead)


def inbox(user):
    return list(inbox_of(user))


def pass_the_snooze(review):
    """As if its time had come: nothing else is written."""
    Review.objects.filter(pk=review.pk).update(snoozed_until=database_now() - timedelta(seconds=1))


def test_a_snoozed_case_is_in_nobodys_inbox_until_its_time_without_anybody_waking_it(everybody):
    review, before = waiting_bill(everybody), mark()
    snooze(review, everybody.clerk)
    assert inbox(everybody.clerk) == inbox(everybody.second) == []
    assert kinds_since(before) == ["review.snoozed"]
    pass_the_snooze(review)
    assert inbox(everybody.clerk) == [review]


def test_the_clock_runs_on_so_it_comes_back_at_the_latest_when_it_is_due(everybody):
    review = waiting_bill(everybody)
    snoozed = snooze(review, everybody.clerk, timedelta(days=3))
    assert snoozed.snoozed_until == snoozed.due_at == review.due_at


def test_a_policy_may_stop_the_clock_and_waking_gives_back_what_has_not_passed(everybody):
    everybody.policy.snooze_stops_clock = True
    everybody.policy.save()
    review = waiting_bill(everybody)
    snoozed = snooze(review, everybody.clerk, timedelta(days=3))
    assert snoozed.due_at - review.due_at > timedelta(days=2.9)
    assert snoozed.band == 3
    woken = services.wake(review_id=review.pk, actor=everybody.second)
    assert woken.snoozed_until is None
    assert abs(woken.due_at - review.due_at) < timedelta(minutes=1)
    again = snooze(review, everybody.clerk, timedelta(days=2))
    claimed = services.claim(review_id=review.pk, actor=everybody.second)
    assert (claimed.status, claimed.snoozed_until) == ("claimed", None)
    assert claimed.due_at < again.due_at


def test_an_overdue_case_may_be_put_aside_past_its_time(everybody):
    review = waiting_bill(everybody)
    Review.objects.filter(pk=review.pk).update(due_at=database_now() - HOUR)
    assert snooze(review, everybody.clerk).snoozed_until > database_now()


def test_a_held_case_is_given_back_and_one_that_others_hold_is_left_alone(everybody):
    review = waiting_bill(everybody)
    services.claim(review_id=review.pk, actor=everybody.clerk)
    with pytest.raises(Held):
        snooze(review, everybody.second)
    assert snooze(review, everybody.clerk).status == "open"


def test_a_time_that_has_passed_or_is_too_far_ahead_is_refused(everybody):
    review = waiting_bill(everybody)
    for ahead in (-HOUR, timedelta(days=91)):
        with pytest.raises(Invalid, match=r"until: .* expected a time in the next 90 days"):
            snooze(review, everybody.clerk, ahead)


def test_only_who_may_act_on_a_case_may_put_it_aside_and_only_while_it_is_open(everybody):
    review, before = waiting_bill(everybody), mark()
    for name in ("outsider", "auditor", "requester", "admin"):
        with pytest.raises(NotAllowed):
            snooze(review, getattr(everybody, name))
    assert kinds_since(before) == ["decide.refused"] * 4
    answer(review, everybody.clerk)
    for act in (
        lambda: snooze(review, everybody.clerk),
        lambda: services.wake(review_id=review.pk, actor=everybody.clerk),
    ):
        with pytest.raises(Conflict):
            act()


def test_answering_a_snoozed_case_ends_the_snooze(everybody):
    review = waiting_bill(everybody)
    snooze(review, everybody.clerk)
    answer(review, everybody.second, "delegate", target="user:clerk")
    assert inbox(everybody.clerk) == [review]


def test_the_page_puts_aside_until_one_of_its_times_or_one_of_ones_own(everybody):
    review, client = waiting_bill(everybody), signed_in(everybody.clerk)
    response = client.post(case_url(review, "snooze") + "?wf=pay-bills", {"until": "hour"})
    assert response.url == "/queue/?wf=pay-bills"
    assert "KB-1: put aside until" in text_of(client.get(response.url))
    at = timezone.localtime(database_now() + 2 * HOUR).replace(second=0, microsecond=0)
    client.post(case_url(review, "snooze"), {"until": "at", "at": f"{at:%Y-%m-%dT%H:%M}"})
    assert Review.objects.get().snoozed_until == at
    client.post(case_url(review, "wake"))
    assert Review.objects.get().snoozed_until is None


def test_the_page_says_what_is_wrong_with_a_time(everybody):
    review, client = waiting_bill(everybody), signed_in(everybody.clerk)
    for given, status in (
        ({"until": "at"}, 422),
        ({"until": "never"}, 422),
        ({"until": "at", "at": "2020-01-01T10:00"}, 422),
    ):
        assert client.post(case_url(review, "snooze"), given).status_code == status
    assert client.get(case_url(review, "snooze")).status_code == 405
    assert signed_in(everybody.outsider).post(case_url(review, "snooze"), {"until": "hour"}).status_code == 404
    assert signed_in(everybody.auditor).post(case_url(review, "snooze"), {"until": "hour"}).status_code == 403


def test_the_sweeper_moves_cases_to_the_band_their_time_has_come_to(everybody):
    review = waiting_bill(everybody)
    assert review.band == 2
    for due, band in ((25 * HOUR, 3), (1.5 * HOUR, 1), (-HOUR, 0)):
        now = review.due_at - due
        Review.objects.filter(pk=review.pk).update(band=3)
        services.regroup(now=now)
        review.refresh_from_db()
        assert review.band == band
        assert services.regroup(now=now) == 0
