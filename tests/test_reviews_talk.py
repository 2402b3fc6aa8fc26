"""What is said about a case and added to it, who is told, and who may."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from audit.models import Event
from reviews import services
from reviews.errors import Conflict, Invalid, NotAllowed
from reviews.models import Comment, Draft, Notice, Review
from reviews.talk import said_about

from .api import PDF
from .cast import answer, cast, kinds_since, mark, open_review_of, waiting_bill
from .desk import case_url, signed_in, text_of

pytestmark = pytest.mark.django_db
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.fixture
def everybody():
    return cast()


@pytest.fixture
def review(everybody):
    return waiting_bill(everybody)


def test_a_comment_calls_on_people_who_may_see_the_case_and_they_are_told(everybody, review):
    before = mark()
    services.comment(review_id=review.pk, actor=everybody.clerk, text="Seen before, @second? me@second.example")
    assert kinds_since(before) == ["review.commented"]
    assert Comment.objects.get().mentions == ["second"]
    assert [(notice.person, notice.event) for notice in Notice.objects.all()] == [
        (everybody.second, "review.commented")
    ]
    assert "Seen before" in text_of(signed_in(everybody.second).get(case_url(review)))


@pytest.mark.parametrize(("name", "words"), [("outsider", "may not see this case"), ("ghost", "is nobody")])
def test_calling_on_somebody_who_may_not_see_the_case_is_refused_by_name(everybody, review, name, words):
    with pytest.raises(Invalid, match=f"@{name} {words}"):
        services.comment(review_id=review.pk, actor=everybody.clerk, text=f"Look, @{name}")
    assert (Comment.objects.count(), Notice.objects.count()) == (0, 0)
    client = signed_in(everybody.clerk)
    response = client.post(case_url(review, "comment"), {"text": f"Look, @{name}"})
    assert response.status_code == 422
    assert f"Look, @{name}" in text_of(response)


@pytest.mark.parametrize("name", ["auditor", "outsider"])
def test_who_does_not_work_on_a_case_adds_nothing_to_it(everybody, review, name):
    with pytest.raises(NotAllowed):
        services.comment(review_id=review.pk, actor=getattr(everybody, name), text="hello")
    with pytest.raises(NotAllowed):
        services.attach(review_id=review.pk, actor=getattr(everybody, name), data=PDF, name="a.pdf")
    assert Event.objects.filter(kind="decide.refused").count() == 2


def test_a_document_added_opens_the_case_anew_and_what_was_signed_does_not_cover_it(everybody):
    everybody.policy.quorum = 2
    everybody.policy.save()
    review = waiting_bill(everybody)
    answer(review, everybody.clerk)
    services.claim(review_id=review.pk, actor=everybody.second)
    services.save_draft(task_id=review.task_id, actor=everybody.second, data={"comments": {"approve": "typed"}})
    before = mark()
    services.attach(review_id=review.pk, actor=everybody.second, data=PDF, name="letter.pdf")
    assert kinds_since(before) == ["document.stored", "review.attached", "review.made_stale", "review.opened"]
    again = open_review_of(review.run)
    assert (again.round, again.level, again.claimed_by, again.status) == (2, 0, everybody.second, "claimed")
    assert "letter.pdf" in [item["name"] for item in again.packet["documents"]]
    assert again.packet_digest != review.packet_digest
    assert Draft.objects.get().data["comments"] == {"approve": "typed"}


def test_a_file_the_store_refuses_is_refused_with_its_reason_and_changes_nothing(everybody, review):
    client = signed_in(everybody.clerk)
    for data, words in ((b"", "empty"), (EICAR, "malware")):
        given = {"file": SimpleUploadedFile("paper.pdf", data)}
        response = client.post(case_url(review, "attach"), given)
        assert response.status_code == 422
        assert words in text_of(response)
    assert client.post(case_url(review, "attach")).status_code == 422
    assert open_review_of(review.run).round == 1


def test_nothing_is_added_to_a_case_that_is_decided(everybody, review):
    answer(review, everybody.clerk, "reject")
    with pytest.raises(Conflict):
        services.attach(review_id=review.pk, actor=everybody.clerk, data=PDF, name="late.pdf")


def test_questions_and_their_answers_stand_among_what_was_said(everybody, review):
    answer(review, everybody.clerk, "ask", target="user:outsider", comment="Who ordered this?")
    services.answer(review_id=review.pk, actor=everybody.outsider, text="Nobody I know.")
    found = [(said.username, said.did, said.text) for said in said_about(review, everybody.clerk)]
    assert found == [
        ("clerk", "asked", "Who ordered this?"),
        ("outsider", "answered", "Nobody I know."),
    ]


def test_what_the_first_of_two_blind_people_says_is_kept_from_the_second(everybody):
    everybody.policy.quorum, everybody.policy.blind = 2, True
    everybody.policy.save()
    review = waiting_bill(everybody)
    services.comment(review_id=review.pk, actor=everybody.clerk, text="I would pay it")
    answer(review, everybody.clerk)
    review = Review.objects.get(pk=review.pk)
    assert said_about(review, everybody.second) == []
    assert "I would pay it" not in text_of(signed_in(everybody.second).get(case_url(review)))
    assert [said.text for said in said_about(review, everybody.clerk)] == ["I would pay it"]
