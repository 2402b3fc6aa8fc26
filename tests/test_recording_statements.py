"""What recording an answer costs the database, for a case that has all there is: a document, a draft, a recommendation,
an effect to authorise, time to take it back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from orchestrator.models import Effect
from reviews import services as reviews
from reviews.models import Approval, Draft, Preference, Review

from .api import PDF, Caller
from .cast import Cast, answer, cast, open_review_of, waiting_bill
from .desk import case_url, form_of, signed_in

pytestmark = pytest.mark.django_db
RECORD = 15
AT_ONCE = 4  # to end the step as well, where nobody can take the answer back
NEXT = 8  # to find the next case of the list and claim it
FILLED_IN = {"verdict": "approve", "reason:approve": "other", "comment:approve": "Agreed by phone."}


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements of the block, without the savepoints that stand for BEGIN and COMMIT in a test."""
    found: list[str] = []

    def count(execute: Any, sql: str, *more: Any) -> Any:
        if not sql.startswith(("SAVEPOINT", "RELEASE SAVEPOINT")):
            found.append(sql)
        return execute(sql, *more)

    with connection.execute_wrapper(count):
        yield found


@pytest.fixture
def everybody(settings, tmp_path) -> Cast:
    settings.DOCUMENT_DIR = tmp_path / "documents"
    found = cast(undo_seconds=10)
    answer(full_case(found), found.clerk)  # what a process reads once
    return found


def full_case(everybody: Cast) -> Review:
    review = waiting_bill(everybody, advice="reject: copy")
    reviews.attach(review_id=review.pk, actor=everybody.clerk, data=PDF, name=f"{review.number}.pdf")
    return open_review_of(review.run)


def posted(everybody: Cast, review: Review) -> list[str]:
    """The statements of a form's way through the desk, as its page leaves it."""
    client = signed_in(everybody.clerk)
    shown = form_of(client.get(case_url(review)))
    client.post(case_url(review, "draft"), shown | FILLED_IN)
    with counted() as found:
        response = client.post(case_url(review, "decide"), shown | FILLED_IN)
    assert response.status_code == 302, response.content
    return found


def was_recorded(review: Review) -> None:
    [vote] = Approval.objects.filter(review=review)
    assert vote.seen["shown"] in ("after", "never")
    assert vote.response["undo_until"]
    assert Effect.objects.filter(run=review.run, state="authorised").count() == 1
    assert len(review.packet["documents"]) == 1


def test_an_answer_at_the_desk_takes_at_most_fifteen_statements(everybody):
    Preference.objects.create(user=everybody.clerk, auto_next=False)
    review = full_case(everybody)
    found = posted(everybody, review)
    was_recorded(review)
    assert Draft.objects.exclude(recorded_at=None).count() == 1
    assert len(found) <= RECORD, "\n".join(found)


def test_going_on_to_the_next_case_takes_eight_more(everybody):
    review, following = full_case(everybody), full_case(everybody)
    found = posted(everybody, review)
    was_recorded(review)
    following.refresh_from_db()
    assert following.claimed_by == everybody.clerk
    assert len(found) <= RECORD + NEXT, "\n".join(found)


def test_an_answer_over_the_api_takes_at_most_fifteen_statements(everybody):
    caller, review = Caller(everybody.clerk), full_case(everybody)
    body = {"verdict": "approve", "digest": review.packet_digest, "nonce": "n", "reason": "other"}
    with counted() as found:
        response = caller.post(f"reviews/{review.pk}/decide", body)
    assert response.status_code == 200, response.content
    was_recorded(review)
    assert len(found) <= RECORD, "\n".join(found)


def test_a_rejection_takes_no_more(everybody):
    review = full_case(everybody)
    with counted() as found:
        answer(review, everybody.clerk, "reject")
    assert len(found) <= RECORD - 2, "\n".join(found)


def test_ending_the_step_with_the_answer_takes_four_more(everybody):
    everybody.policy.undo_seconds = 0
    everybody.policy.save()
    review = full_case(everybody)
    with counted() as found:
        answer(review, everybody.clerk)
    assert review.run.tasks.get(step="approve").status == "succeeded"
    assert len(found) <= RECORD + AT_ONCE, "\n".join(found)
