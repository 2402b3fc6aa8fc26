"""What the queue tells a person of their own day: how much, how long it typically took, what others changed."""

from datetime import timedelta

import pytest

from .cast import answer, cast, waiting_bill
from .desk import signed_in, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_day")]


def shown(user):
    """The box: {what: how much}."""
    page = text_of(signed_in(user).get("/queue/", {"view": "mine"}))
    box = page.split('class="dl rr sm hide-n day"')[1].split("</dl>")[0]
    parts = [part.split(">")[-1] for part in box.replace("</dd>", "</dt>").split("</dt>")[:-1]]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_a_day_without_answers_tells_of_none():
    assert shown(cast().clerk) == {"Decided": "0"}


def test_the_typical_time_is_the_middle_one_of_the_persons_own_answers_today():
    everybody = cast(undo_seconds=10)
    for seconds in (10, 190, 4000):
        answer(waiting_bill(everybody), everybody.clerk, "reject", seconds_open=seconds)
    answer(waiting_bill(everybody), everybody.clerk, "reject")
    answer(waiting_bill(everybody), everybody.second, "reject", seconds_open=1)
    assert shown(everybody.clerk) == {"Decided": "4", "Typical time": "3 min", "Changed by second reviewer": "0"}


def test_another_answer_or_a_correction_after_it_counts_as_changed_and_agreement_does_not():
    everybody = cast(quorum=2, undo_seconds=10)
    agreed, refused, corrected, alone = (waiting_bill(everybody) for _ in range(4))
    for review in (agreed, refused, corrected, alone):
        answer(review, everybody.clerk)
    answer(agreed, everybody.second)
    answer(refused, everybody.second, "reject")
    answer(corrected, everybody.second, corrections={"/read/invoice/lines/0/unit_price": "90.00"})
    assert shown(everybody.clerk) == {"Decided": "4", "Changed by second reviewer": "2"}
    assert shown(everybody.second)["Changed by second reviewer"] == "0", "who came after changed, and was not changed"


def test_the_same_corrections_made_without_sight_of_each_other_are_agreement():
    everybody = cast(quorum=2, undo_seconds=10)
    type(everybody.policy).objects.update(blind=True)
    same, other = waiting_bill(everybody), waiting_bill(everybody)
    given = {"/read/invoice/lines/0/unit_price": "90.00"}
    for review in (same, other):
        answer(review, everybody.clerk, corrections=given)
    answer(same, everybody.second, corrections=given)
    answer(other, everybody.second)
    assert shown(everybody.clerk)["Changed by second reviewer"] == "1"


def test_yesterday_is_no_part_of_it():
    everybody = cast()
    answer(waiting_bill(everybody), everybody.clerk, "reject", seconds_open=10)
    assert shown(everybody.clerk)["Decided"] == "1"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("reviews.inbox.start_of_day", lambda now: now + timedelta(days=1))
        assert shown(everybody.clerk) == {"Decided": "0"}
