"""What the machine side would answer: when a person gets it, what is on record of it, and how often people agreed."""

import pytest

from audit.models import Event
from reviews.errors import Invalid
from reviews.measured import ENOUGH
from reviews.models import Approval, ReasonCode, Review
from reviews.reasons import codes_of
from reviews.recommending import shown_to
from reviews.revealing import reveal

from .api import Caller
from .cast import ADVICE, answer, cast, waiting_bill
from .desk import case_url, signed_in, text_of

pytestmark = pytest.mark.django_db
WHY = ADVICE["copy"]


@pytest.fixture
def everybody():
    return cast()


@pytest.fixture
def review(everybody):
    return waiting_bill(everybody, advice="reject: copy")


def policy_says(everybody, mode, **more):
    for name, value in {"recommendation": mode, **more}.items():
        setattr(everybody.policy, name, value)
    everybody.policy.save()


def on_page(everybody, review):
    return WHY in text_of(signed_in(everybody.clerk).get(case_url(review)))


def over_the_api(everybody, review):
    return WHY in text_of(Caller(everybody.clerk).get(f"reviews/{review.pk}"))


@pytest.mark.parametrize(
    ("mode", "at_once", "on_request", "after_choice"),
    [
        ("always", True, True, True),
        ("on_request", False, True, True),
        ("after_choice", False, False, True),
        ("never", False, False, False),
    ],
)
def test_each_mode_shows_it_when_it_says_and_before_that_it_is_nowhere(
    everybody, review, mode, at_once, on_request, after_choice
):
    policy_says(everybody, mode)
    for choice, expected in ((None, at_once), ("", on_request), ("approve", after_choice)):
        if choice is not None:
            reveal(review_id=review.pk, actor=everybody.clerk, choice=choice)
        assert on_page(everybody, review) is expected
        assert over_the_api(everybody, review) is expected


def on_the_run(everybody, review):
    """Whether any step's page of the run, or its document, tells it."""
    client, steps = signed_in(everybody.clerk), ("read", "vendor", "check", "approve")
    pages = [text_of(client.get(f"/runs/{review.run_id}/", {"step": step})) for step in steps]
    return WHY in "".join([*pages, text_of(Caller(everybody.clerk).get(f"runs/{review.run_id}"))])


def test_the_run_does_not_tell_before_the_case_does(everybody, review):
    assert not on_the_run(everybody, review)
    reveal(review_id=review.pk, actor=everybody.clerk, choice="approve")
    assert on_the_run(everybody, review)


def test_what_one_person_was_shown_another_was_not(everybody, review):
    reveal(review_id=review.pk, actor=everybody.clerk, choice="reject")
    assert shown_to(Review.objects.get(pk=review.pk), everybody.clerk).why == WHY
    assert shown_to(Review.objects.get(pk=review.pk), everybody.second) is None


def test_that_it_was_opened_before_choosing_is_on_record(everybody, review):
    policy_says(everybody, "on_request")
    reveal(review_id=review.pk, actor=everybody.clerk)
    assert Event.objects.get(kind="review.revealed").data["chosen"] == "nothing"
    answer(review, everybody.clerk, "reject")
    assert Approval.objects.get().seen["shown"] == "before"


def test_a_choice_changed_after_it_was_shown_is_counted(everybody, review):
    reveal(review_id=review.pk, actor=everybody.clerk, choice="approve")
    reveal(review_id=review.pk, actor=everybody.clerk, choice="reject")
    answer(review, everybody.clerk, "reject", seconds_open=7, opened=["why"])
    seen = Approval.objects.get().seen
    assert (seen["shown"], seen["first_choice"], seen["changed"]) == ("after", "approve", True)
    assert (seen["seconds"], seen["opened"]) == (7, ["why"])


def test_an_approval_against_it_says_why_and_one_with_it_need_not(everybody, review):
    with pytest.raises(Invalid) as refused:
        answer(review, everybody.clerk, reason="", comment="settled")
    assert refused.value.errors[0][0] == "reason"
    agreed = waiting_bill(everybody, differences=0, amount="21000.00", advice="approve: clean")
    assert answer(agreed, everybody.clerk, reason="")["review_status"] == "approved"


def test_where_it_is_never_shown_it_is_not_spoken_of_either(everybody, review):
    policy_says(everybody, "never")
    assert answer(review, everybody.clerk, reason="", comment="settled")["review_status"] == "approved"


@pytest.mark.parametrize("verdict", ["reject", "reroute", "escalate"])
def test_rejecting_sending_elsewhere_and_escalating_say_why(everybody, review, verdict):
    with pytest.raises(Invalid) as refused:
        answer(review, everybody.clerk, verdict, reason="", target="queue:seniors")
    assert ("reason") in [field for field, _ in refused.value.errors]


def test_a_policy_may_want_the_reason_in_words(everybody, review):
    policy_says(everybody, "after_choice", wants_words=True)
    with pytest.raises(Invalid) as refused:
        answer(review, everybody.clerk, "reject")
    assert refused.value.errors[0][0] == "comment"


def test_a_policy_may_have_reasons_of_its_own(everybody, review):
    for code, words, active in (("no_order", "No order", True), ("old", "Retired", False)):
        ReasonCode.objects.create(policy=everybody.policy, verdict="reject", code=code, words=words, is_active=active)
    codes = codes_of(everybody.policy)
    assert codes["reject"] == [("no_order", "No order")]
    assert dict(codes["reroute"])["misread"]
    page = text_of(signed_in(everybody.clerk).get(case_url(review)))
    assert "No order" in page
    assert "Retired" not in page
    assert "Suspected fraud" not in page


def test_the_rate_is_measured_on_what_people_answered_and_waits_for_enough(everybody):
    advice = "escalate: copy"
    answer(waiting_bill(everybody, advice=advice), everybody.clerk, "escalate")
    review = waiting_bill(everybody, advice=advice)
    reveal(review_id=review.pk, actor=everybody.clerk, choice="approve")
    shown = shown_to(Review.objects.get(pk=review.pk), everybody.clerk)
    assert (shown.agreed.enough, shown.agreed.seen) == (False, 1)
    assert "Not measured yet" in text_of(signed_in(everybody.clerk).get(case_url(review)))
    fifty_more_answers(Approval.objects.get())
    shown = shown_to(Review.objects.get(pk=review.pk), everybody.clerk)
    assert (shown.agreed.held, shown.agreed.seen, shown.agreed.enough) == (26, ENOUGH + 1, True)
    assert "26 of 51" in text_of(signed_in(everybody.clerk).get(case_url(review)))


def fifty_more_answers(one):
    """Like `one`; every second of them is another answer than was recommended."""
    known = {name: getattr(one, name) for name in ("review", "round", "level", "reviewer", "at", "packet_digest")}
    known |= {"recommended": one.recommended, "recommended_by": one.recommended_by}
    verdicts = ["escalate", "reroute"] * (ENOUGH // 2)
    Approval.objects.bulk_create(
        Approval(verdict=verdict, nonce=f"n{number}", **known) for number, verdict in enumerate(verdicts)
    )
