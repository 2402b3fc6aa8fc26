"""Who holds and who reads a case, what readers hear of, what becomes of drafts, and asking for a reversal."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from audit.models import Event
from reviews import services
from reviews.errors import Conflict, Invalid, NotAllowed
from reviews.models import Approval, Draft, Notice, Review
from reviews.presence import Beat, beat

from .api import PDF
from .cast import answer, cast, kinds_since, mark, open_review_of, reversals, waiting_bill, work
from .desk import case_url, decide, form_of, signed_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def everybody():
    return cast()


@pytest.fixture
def review(everybody):
    return waiting_bill(everybody)


def fresh(review):
    return Review.objects.select_related("run", "claimed_by", "wanted_by", "queue__policy").get(pk=review.pk)


def heard(review, actor, **said):
    newest = review.task.reviews.order_by("-round").select_related("run", "claimed_by", "wanted_by").first()
    return beat(review=newest, actor=actor, said=Beat(**said))


def runs_out_in(review, **left):
    Review.objects.filter(pk=review.pk).update(claimed_until=timezone.now() + timedelta(**left))


def test_readers_hear_of_each_other_and_forget_who_has_left(everybody, review):
    heard(review, everybody.second)
    assert heard(review, everybody.clerk).others == ["Second"]
    from reviews.models import Presence

    Presence.objects.update(at=timezone.now() - timedelta(minutes=2))
    assert heard(review, everybody.clerk).others == []


def test_who_works_on_a_case_holds_it_for_longer_and_who_does_not_is_warned(everybody, review):
    services.claim(review_id=review.pk, actor=everybody.clerk)
    runs_out_in(review, seconds=100)
    told = heard(review, everybody.clerk, idle=780, held=True)
    assert told.lapses_at is not None
    assert heard(review, everybody.clerk, idle=3, held=True).lapses_at is None
    assert fresh(review).claimed_until > timezone.now() + timedelta(minutes=14)


def test_a_claim_that_ran_out_goes_back_to_the_team_and_the_draft_stays(everybody, review):
    client = signed_in(everybody.clerk)
    client.post(case_url(review, "draft"), {"comment:approve": "half a thought"}, headers={"HX-Request": "true"})
    runs_out_in(review, seconds=-1)
    services.sweep_reviews()
    assert fresh(review).status == "open"
    assert heard(review, everybody.clerk, held=True).lapsed
    services.claim(review_id=review.pk, actor=everybody.second)
    client.post(case_url(review, "draft"), {"comment:approve": "a whole thought"}, headers={"HX-Request": "true"})
    assert fresh(review).claimed_by == everybody.second
    assert Draft.objects.get(user=everybody.clerk).data["comments"]["approve"] == "a whole thought"


def test_the_holder_is_asked_and_hands_over(everybody, review):
    services.claim(review_id=review.pk, actor=everybody.clerk)
    before = mark()
    services.ask_to_take_over(review_id=review.pk, actor=everybody.second)
    assert kinds_since(before) == ["review.takeover_asked"]
    assert Notice.objects.get().person == everybody.clerk
    assert fresh(review).claimed_by == everybody.clerk
    assert heard(review, everybody.clerk).wanted_by == "Second"
    services.hand_over(review_id=review.pk, actor=everybody.clerk)
    assert (fresh(review).claimed_by, fresh(review).wanted_by) == (everybody.second, None)


def test_after_the_lease_it_is_taken_without_asking(everybody, review):
    services.claim(review_id=review.pk, actor=everybody.clerk)
    runs_out_in(review, seconds=-1)
    services.ask_to_take_over(review_id=review.pk, actor=everybody.second)
    assert fresh(review).claimed_by == everybody.second


def test_who_may_not_decide_a_case_cannot_ask_for_it(everybody, review):
    services.claim(review_id=review.pk, actor=everybody.clerk)
    with pytest.raises(NotAllowed):
        services.ask_to_take_over(review_id=review.pk, actor=everybody.requester)


def test_a_hand_over_ends_when_it_said_and_the_team_has_the_case_again(everybody, review):
    answer(review, everybody.clerk, "delegate", target="user:second", hours=4)
    assert fresh(review).delegated_to == everybody.second
    Review.objects.update(delegated_until=Now() - timedelta(seconds=1))
    before = mark()
    services.sweep_reviews()
    assert kinds_since(before) == ["review.released"]
    assert fresh(review).delegated_to is None


@pytest.mark.parametrize("hours", [0, 721])
def test_a_hand_over_lasts_an_hour_to_thirty_days(everybody, review, hours):
    with pytest.raises(Invalid) as refused:
        answer(review, everybody.clerk, "delegate", target="user:second", hours=hours)
    assert refused.value.errors[0][0] == "hours"


def test_a_case_is_not_asked_about_for_ever(everybody, review):
    everybody.policy.max_rounds = 2
    everybody.policy.save()
    for _ in range(2):
        answer(review, everybody.clerk, "ask", target="user:outsider", comment="Who?")
        services.answer(review_id=review.pk, actor=everybody.outsider, text="Me.")
    with pytest.raises(Invalid, match="as often as it may be"):
        answer(review, everybody.clerk, "ask", target="user:outsider", comment="Who?")


def test_new_evidence_is_told_to_readers_and_shown_when_they_ask(everybody, review):
    client = signed_in(everybody.clerk)
    shown = form_of(client.get(case_url(review)))
    client.post(case_url(review, "draft"), {"pick:d1": "1"}, headers={"HX-Request": "true"})
    services.attach(review_id=review.pk, actor=everybody.second, data=PDF, name="receipt.pdf")
    told = text_of(client.post(case_url(review, "beat"), {"digest": shown["digest"]}))
    assert "receipt.pdf was added." in told
    page = text_of(client.get(f"{case_url(review)}?since={shown['digest']}"))
    assert "What changed since you looked" in page
    assert 'value="1" checked' in page
    late = client.post(case_url(review, "decide"), shown | {"verdict": "approve", "pick:d1": "1"})
    assert late.status_code == 409


def test_a_cancelled_case_says_so_with_the_reason(everybody, review):
    from orchestrator.services import cancel_run

    cancel_run(run_id=review.run_id, actor=everybody.requester, reason="entered twice")
    assert "entered twice" in heard(review, everybody.clerk, digest=review.packet_digest).ended


def test_a_beat_with_nothing_new_to_say_is_204(everybody, review):
    client = signed_in(everybody.clerk)
    first = client.post(case_url(review, "beat"), {"digest": review.packet_digest})
    said = text_of(first).split('name="said" value="')[1].split('"')[0]
    again = client.post(case_url(review, "beat"), {"digest": review.packet_digest, "said": said})
    assert (first.status_code, again.status_code) == (200, 204)


def test_loading_ahead_is_recorded_as_that_and_neither_reserves_nor_counts_as_seen(everybody, review):
    client, before = signed_in(everybody.clerk), mark()
    client.get(case_url(review), headers={"X-Ahead": "1"})
    assert kinds_since(before)[-1] == "review.loaded_ahead"
    assert not Event.objects.filter(kind="review.viewed").exists()
    assert fresh(review).claimed_by is None
    client.post(case_url(review, "beat"), {"digest": review.packet_digest, "ahead": "1"})
    assert Event.objects.filter(kind="review.viewed").count() == 1


def test_a_page_that_has_the_next_case_is_told_to_show_it(everybody, review):
    following = waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    shown = form_of(client.get(case_url(review))) | {"verdict": "reject", "reason:reject": "duplicate"}
    headers = {"HX-Request": "true", "X-Ahead": case_url(following)}
    response = client.post(case_url(review, "decide"), shown, headers=headers)
    assert (response.status_code, response["HX-Reswap"]) == (200, "none")
    assert "desk:next" in response["HX-Trigger-After-Settle"]
    assert "KB-1: rejected." in text_of(response)
    assert fresh(following).claimed_by == everybody.clerk


def test_what_was_recorded_is_no_draft_any_more_until_it_is_undone(everybody):
    everybody.policy.undo_seconds = 30
    everybody.policy.save()
    review = waiting_bill(everybody)
    client = signed_in(everybody.clerk)
    fields = {"verdict": "reject", "reason:reject": "duplicate", "comment:reject": "sent twice"}
    client.post(case_url(review, "draft"), fields, headers={"HX-Request": "true"})
    decide(client, review, "reject", reason__reject="duplicate", comment__reject="sent twice")
    assert Draft.objects.get().recorded_at is not None
    client.post(reverse("undo", args=[fresh(review).answer["decision"]]))
    assert "sent twice" in text_of(client.get(case_url(review)))


def test_a_refused_answer_is_kept_as_a_draft(everybody, review):
    decide(signed_in(everybody.clerk), review, "reject", comment__reject="no code yet")
    assert Draft.objects.get().data["comments"]["reject"] == "no code yet"


def test_reasons_seconds_and_what_was_opened_are_on_record(everybody, review):
    decide(signed_in(everybody.clerk), review, "reject", reason__reject="duplicate", looked="why vals why")
    seen = Approval.objects.get().seen
    assert seen["opened"] == ["why", "vals"]
    assert seen["seconds"] >= 0


def test_a_reversal_is_asked_of_those_above_once_the_time_to_undo_is_over(everybody, review):
    reversals(everybody)
    told = answer(review, everybody.clerk)
    work()
    client, before = signed_in(everybody.clerk), mark()
    late = client.post(reverse("undo", args=[told["decision"]]))
    assert late.status_code == 409
    assert "Ask for a reversal" in text_of(late)
    address = reverse("reversal", args=[told["decision"]])
    assert client.post(address, {"why": " "}).status_code == 422
    assert client.post(address, {"why": "The goods never came."}).status_code == 302
    assert "review.reversal_asked" in kinds_since(before)
    work()  # the case of the reversal opens, and they are told of it
    assert {notice.person for notice in Notice.objects.all()} == {everybody.manager, everybody.cfo}
    assert "The goods never came." in text_of(client.get(case_url(review)))
    assert client.post(address, {"why": "Again"}).status_code == 409


def test_while_it_can_be_undone_no_reversal_is_asked_for(everybody):
    everybody.policy.undo_seconds = 30
    everybody.policy.save()
    told = answer(waiting_bill(everybody), everybody.clerk)
    with pytest.raises(Conflict, match="can still be undone"):
        services.ask_for_reversal(decision_id=told["decision"], actor=everybody.clerk, why="wrong")


def test_whoever_was_second_may_ask_the_first_to_look_again(everybody, review):
    answer(review, everybody.second, "reject", reason="duplicate")
    client = signed_in(everybody.clerk)
    assert client.post(case_url(review, "reopen")).status_code == 302
    assert Notice.objects.get().person == everybody.second


def test_only_legal_targets_are_offered(everybody):
    from reviews.answer import Answer
    from reviews.choices import choices_of

    review = open_review_of(waiting_bill(everybody).run)
    offered = choices_of(review, everybody.clerk, Answer(), ["reroute", "delegate"], None)
    names = {target.name for target in offered[0].targets}
    assert names == {"step:read", "step:vendor", "step:check", "queue:seniors"}
    assert all(target.note for target in offered[0].targets)
    assert {target.name for target in offered[1].targets} == {"user:second", "user:manager", "user:cfo"}


def test_where_there_are_many_people_a_few_are_listed_and_anybody_is_named(everybody):
    from reviews.choices import MOST_PEOPLE

    people = get_user_model().objects
    people.bulk_create(people.model(username=f"other-{n:03}", first_name="Other") for n in range(MOST_PEOPLE + 5))
    review = open_review_of(waiting_bill(everybody).run)
    client = signed_in(everybody.clerk)
    listed = re.findall(r'value="user:([^"]+)"', text_of(client.get(case_url(review) + "targets/ask/")))
    assert len(listed) == MOST_PEOPLE
    assert {"second", "manager", "cfo"} <= set(listed)  # who may decide here comes first
    unlisted = next(f"other-{n:03}" for n in range(MOST_PEOPLE + 5) if f"other-{n:03}" not in listed)
    posted = {"verdict": "ask", "comment:ask": "Known to you?", "digest": review.packet_digest}
    refused = client.post(case_url(review, "decide"), posted | {"person:ask": "nobody-of-ours", "nonce": "n1"})
    assert refused.status_code == 422
    assert "nobody-of-ours" in text_of(refused)
    client.post(case_url(review, "decide"), posted | {"person:ask": unlisted, "nonce": "n2"})
    assert fresh(review).asked.username == unlisted
