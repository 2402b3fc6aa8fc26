"""A control case in the browser: it looks like any other, tells what was expected once it is answered, and the next
case comes."""

import re

import pytest
from playwright.sync_api import Page, expect

from orchestrator import services as runs
from reviews.models import Review
from tests.cast import Cast, open_review_of, work
from tests.control import WHY, case_of, mailbox, planted
from tests.desk import case_url

from .conftest import SignIn

pytestmark = pytest.mark.django_db(transaction=True)
EXPECTED = "This was a control case, and the answer was as expected."


@pytest.fixture
def waiting(everybody: Cast) -> tuple[Review, Review]:
    """A control case and an ordinary one like it, handed in by the same account."""
    box = mailbox()
    review = planted(everybody, box)
    run, _ = runs.start_run(
        workflow="pay-bills", input={"amount": "1000.00", "number": "KB-7", "differences": 1}, actor=box
    )
    work()
    return review, open_review_of(run)


def reject(page: Page, review: Review) -> None:
    page.goto(case_url(review))
    page.get_by_role("radio", name="Reject").check()
    page.get_by_label("Amount is wrong").check()
    page.get_by_role("button", name="Record decision").click()


def read(page: Page, review: Review) -> list[str]:
    """What the page says, but for times (tests/test_control_cases_hidden.py compares the whole)."""
    page.goto(case_url(review))
    expect(page.locator("#choice")).to_be_visible()
    return [page.locator(part).inner_text() for part in ("h1", "#why", "#diff", "#vals", "#choice")]


def test_it_reads_like_any_other_and_tells_once_it_is_answered(waiting: tuple[Review, Review], sign_in: SignIn) -> None:
    review, ordinary = waiting
    page = sign_in("clerk")
    assert read(page, review) == read(page, ordinary)
    reject(page, review)
    told = page.get_by_role("dialog")
    expect(told).to_contain_text(EXPECTED)
    expect(told).to_contain_text(f"Expected: rejected. Given: rejected. {WHY}")
    expect(page).to_have_url(re.compile(str(ordinary.task_id)))
    expect(told.get_by_role("status")).to_contain_text(EXPECTED)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    told.get_by_role("button", name="Close").click()
    expect(told).to_be_hidden()
    page.goto(case_url(review))
    expect(page.locator("#feedback")).to_contain_text(EXPECTED)
    expect(page.get_by_role("link", name="Ask for a reversal")).to_have_count(0)
    assert case_of(review).caught


def test_it_tells_and_is_closed_without_script(waiting: tuple[Review, Review], sign_in: SignIn) -> None:
    review, ordinary = waiting
    page = sign_in("clerk", java_script_enabled=False)
    reject(page, review)
    told = page.get_by_role("dialog")
    expect(told).to_contain_text(EXPECTED)
    expect(page).to_have_url(re.compile(str(ordinary.task_id)))
    told.get_by_role("button", name="Close").click()
    expect(told).to_be_hidden()
