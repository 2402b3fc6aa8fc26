"""Deciding in a real browser: by keyboard, two people at once, what is hidden until the choice, nothing ever lost."""

import re
from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Error, Page, Response, expect

from audit.models import Event
from reviews import services
from reviews.models import Approval, Comment, Draft, Review
from tests.api import PDF
from tests.cast import ADVICE, Cast, bill, cast, open_review_of, waiting_bill, work
from tests.desk import case_url

from .conftest import SignIn, open_case, press, settled
from .test_desk import SIZES, THEMES, violations

pytestmark = pytest.mark.django_db(transaction=True)
WHY = ADVICE["copy"]
DEAF = 450  # ms: keys are deaf for 400 ms after a swap


@pytest.fixture
def everybody(transactional_db: None) -> Cast:
    return cast(undo_seconds=30)


def clean_case(everybody: Cast, amount: str) -> Review:
    """One without any difference: only its amount stopped it."""
    return open_review_of(bill(everybody, amount=amount))


def heading(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_ten_cases_without_differences_are_decided_in_twenty_keys(everybody: Cast, sign_in: SignIn) -> None:
    titles = [clean_case(everybody, f"{30_000 - number}.00").title for number in range(10)]
    page = sign_in("clerk")
    press(page, "Enter")
    for number, title in enumerate(titles):
        expect(page.get_by_role("heading", level=1)).to_have_text(title)
        if number:
            expect(page.locator("#toast")).to_contain_text(f"KB-{number}: approved.")
        page.wait_for_timeout(DEAF)
        press(page, "a", "Control+Enter")
    expect(page.get_by_text("Nothing is waiting for you")).to_be_visible()
    assert Approval.objects.filter(verdict="approve").count() == 10


def test_the_next_case_is_loaded_ahead_and_shown_in_the_moment_the_answer_comes(
    everybody: Cast, sign_in: SignIn
) -> None:
    first, second = waiting_bill(everybody, amount="9000.00"), waiting_bill(everybody)
    page = sign_in("clerk")
    open_case(page, case_url(first))
    with page.expect_event("requestfinished", lambda sent: sent.headers.get("x-ahead") == "1"):
        page.get_by_role("radio", name="Reject").check()
    with page.expect_response("**/draft/"):
        page.get_by_label("Duplicate").check()
    settled(page)
    assert not Event.objects.filter(kind="review.viewed", subject_id=str(second.pk)).exists()
    assert Review.objects.get(pk=second.pk).claimed_by is None
    loads: list[str] = []
    page.on("request", lambda sent: loads.append(f"{sent.method} {sent.resource_type}"))  # icons are "other"
    page.evaluate(
        "() => addEventListener('desk:next', () => { window.shown = document.querySelector('h1').innerText; })"
    )
    with page.expect_response("**/beat/"):  # the page says by itself that it is shown now
        press(page, "Control+Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(second.title)
        heading(page)
    assert not {"GET document", "GET xhr", "GET fetch"} & set(loads)
    assert page.evaluate("window.shown") == second.title
    assert page.url.endswith(case_url(second))
    told = re.compile(rf"^KB-1: rejected\. Final at [\d:]+\. {re.escape(second.title)}$")
    expect(page.locator("#live")).to_have_text(told)  # one announcement, the result first
    assert Event.objects.filter(kind="review.viewed", subject_id=str(second.pk)).count() == 1
    expect(page.locator("#hold")).to_contain_text("held by you")


def texts(answers: list[Response]) -> list[str]:
    """What came over the network; a body the browser has let go of cannot be read any more."""
    found = []
    for answer in answers:
        if answer.status == 200 and "text/html" in answer.headers.get("content-type", ""):
            with suppress(Error):
                found.append(answer.text())
    assert found, "the page itself at least"
    return found


def test_the_recommendation_is_absent_until_a_choice_is_made_and_changes_nothing(
    everybody: Cast, sign_in: SignIn
) -> None:
    review = waiting_bill(everybody, advice="reject: copy")
    page, bodies = sign_in("clerk"), []
    page.on("response", lambda answer: bodies.append(answer))
    open_case(page, case_url(review))
    assert all(WHY not in text for text in texts(bodies))
    press(page, "t")
    expect(page.get_by_text(WHY)).to_be_visible()
    expect(page.get_by_text("Not measured yet: 0 past cases")).to_be_visible()
    expect(page.get_by_role("radio", name="Reroute")).to_be_checked()


def test_walking_past_a_difference_settles_nothing(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody, differences=3)
    page = sign_in("clerk")
    page.goto(case_url(review))
    for _ in range(60):
        press(page, "Tab")
    expect(page.locator("#settled")).to_have_text("0 of 3 settled")
    expect(page.locator("main input[type=radio]:checked")).to_have_count(0)


def test_two_people_get_one_answer_and_a_conflict_with_both_and_the_draft_survives(
    everybody: Cast, sign_in: SignIn
) -> None:
    review = waiting_bill(everybody)
    one, two = sign_in("clerk"), sign_in("second")
    open_case(two, case_url(review))
    two.get_by_role("radio", name="Reroute").check()
    two.get_by_label("What should be done there?").fill("read it again")
    two.get_by_label("Something was misread").check()
    two.get_by_label("Send to").select_option("step:read")
    expect(two.get_by_text("The run continues there")).to_be_visible()
    services.release(review_id=review.pk, actor=everybody.second)
    expect(two.locator("#bar")).to_contain_text("held by you")
    one.goto(case_url(review))
    one.get_by_role("radio", name="Reject").check()
    one.get_by_label("Duplicate").check()
    press(one, "Control+Enter")
    expect(one.get_by_text("Nothing is waiting for you")).to_be_visible()
    press(two, "Control+Enter")
    alert = two.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text("Clerk")
    expect(alert).to_contain_text("read it again")
    expect(two.locator("#bar")).to_contain_text("rejected")
    expect(two.locator("#bar")).not_to_contain_text(re.compile("held by you|Due|Give back|Snooze"))
    assert Draft.objects.get(user=everybody.second).data["comments"]["reroute"] == "read it again"
    alert.get_by_role("button", name="Ask Clerk to reopen").click()
    expect(two.locator("#toast")).to_contain_text("asked to look again")
    assert Comment.objects.get().mentions == ["clerk"]


def test_new_evidence_is_announced_and_the_text_and_picks_stay(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    open_case(page, case_url(review))
    press(page, "1", "ArrowDown")
    page.get_by_role("radio", name="Approve").check()
    page.get_by_label("Anything to note?").fill("half a thought")
    expect(page.locator("#saved")).to_contain_text("Draft saved")
    services.attach(review_id=review.pk, actor=everybody.second, data=PDF, name="receipt.pdf")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_text("receipt.pdf was added.")).to_be_visible()
    expect(page.get_by_label("Anything to note?")).to_have_value("half a thought")
    expect(page.locator("#settled")).to_have_text("1 of 1 settled")
    press(page, "Escape", ".")
    expect(page.get_by_text("What changed since you looked.")).to_be_visible()
    expect(page.locator("#settled")).to_have_text("1 of 1 settled")
    expect(page.get_by_label("Anything to note?")).to_have_value("half a thought")


def test_a_claim_about_to_lapse_is_announced_and_kept_by_a_button(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    services.claim(review_id=review.pk, actor=everybody.clerk)
    page = sign_in("clerk")
    open_case(page, case_url(review))
    Review.objects.filter(pk=review.pk).update(claimed_until=timezone.now() + timedelta(seconds=100))
    page.evaluate("window.addEventListener('htmx:configRequest', e => { e.detail.parameters.idle = 790; })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_text("No activity for 13 minutes")).to_be_visible()
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator("#hold")).to_contain_text("held by you")
    assert Review.objects.get(pk=review.pk).claimed_until > timezone.now() + timedelta(minutes=10)


def test_readers_see_each_other_and_one_asks_the_other_for_the_case(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    services.claim(review_id=review.pk, actor=everybody.clerk)
    holder, other = sign_in("clerk"), sign_in("second")
    open_case(holder, case_url(review))
    other.goto(case_url(review))
    expect(other.locator("#present")).to_contain_text("Clerk is also reading this")
    other.get_by_role("button", name="Take over: ask Clerk").click()
    expect(other.get_by_text("You have asked for it.")).to_be_visible()
    holder.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    holder.get_by_role("button", name="Hand it over").click()
    expect(holder.get_by_text("Second is working on it until")).to_be_visible()
    assert Review.objects.get(pk=review.pk).claimed_by == everybody.second


def test_offline_the_form_keeps_what_was_typed_and_says_so(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    open_case(page, case_url(review))
    page.route("**/draft/", lambda route: route.abort())
    page.route("**/decide/", lambda route: route.abort())
    page.get_by_role("radio", name="Reject").check()
    expect(page.locator("#saved")).to_have_text("Draft not saved, still in the form")
    press(page, "Control+Enter")
    expect(page.get_by_text("The desk cannot be reached.")).to_be_visible()
    expect(page.get_by_role("radio", name="Reject")).to_be_checked()


def test_undo_works_after_a_reload_and_from_another_tab_and_nothing_moved_meanwhile(
    everybody: Cast, sign_in: SignIn
) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    page.goto(case_url(review))
    press(page, "r")
    page.get_by_label("Duplicate").check()
    press(page, "Control+Enter")
    expect(page.locator("#toast")).to_contain_text("KB-1: rejected.")
    work()
    review.run.refresh_from_db()
    assert review.run.status == "waiting"
    tab = page.context.new_page()
    tab.goto("/runs/")
    expect(tab.locator("#toast")).to_contain_text("KB-1: rejected.")
    press(tab, "z")
    expect(tab.locator("#toast")).to_contain_text("Undone.")
    expect(tab.locator("#live")).to_contain_text("Undone. KB-1: rejected.")
    kinds = list(Event.objects.filter(subject_id=str(review.pk)).values_list("kind", flat=True))
    assert {"review.rejected", "review.recalled"} <= set(kinds)


def test_the_second_of_two_blind_people_gets_nothing_of_the_first_over_the_network(
    everybody: Cast, sign_in: SignIn
) -> None:
    everybody.policy.quorum, everybody.policy.blind = 2, True
    everybody.policy.save()
    review = waiting_bill(everybody, advice="reject: copy")
    first = sign_in("clerk")
    first.goto(case_url(review))
    first.get_by_role("radio", name="Reject").check()
    first.get_by_label("Duplicate").check()
    first.get_by_label("What should the sender know?").fill("only-the-first-says-this")
    press(first, "Control+Enter")
    expect(first.get_by_text("Nothing is waiting for you")).to_be_visible()
    first.goto(case_url(review))
    second, bodies = sign_in("second"), []
    second.on("response", lambda answer: bodies.append(answer))
    open_case(second, case_url(review))
    expect(second.get_by_text("Another person has answered this case.")).to_be_visible()
    with second.expect_response("**/draft/"):
        second.get_by_role("radio", name="Approve").check()
    settled(second)
    for text in texts(bodies):
        assert "only-the-first-says-this" not in text
        assert WHY not in text
        assert "Clerk is also" not in text


@pytest.mark.slow
def test_no_state_of_a_case_breaks_a_rule_or_hides_the_focus(everybody: Cast, sign_in: SignIn) -> None:
    everybody.policy.recommendation = "on_request"
    everybody.policy.save()
    review = waiting_bill(everybody, advice="reject: copy")
    services.comment(review_id=review.pk, actor=everybody.second, text="Called them, @clerk.")
    found: list[str] = []
    for theme in THEMES:
        page = sign_in("clerk", color_scheme=theme)
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.goto(case_url(review))
            found += violations(page, f"open {width} {theme}")
            for name in ("Approve", "Delegate", "Reroute"):
                with page.expect_response("**/draft/"):
                    page.get_by_role("radio", name=name).check()
                settled(page)
                found += violations(page, f"{name} {width} {theme}")
            press(page, "Control+Enter")
            expect(page.get_by_role("group", name="The decision was not recorded")).to_be_focused()
            found += violations(page, f"refused {width} {theme}")
            found += obscured(page, f"{width} {theme}")
    assert found == []


def obscured(page: Page, where: str) -> list[str]:
    """Stops of the focus of which no point can be seen (WCAG 2.4.11)."""
    found = []
    for _ in range(80):
        press(page, "Tab")
        hidden = page.evaluate(HIDDEN)
        if hidden is None:
            break
        found += [f"{where}: {hidden}"] if hidden else []
    return found


HIDDEN = """() => {
  const a = document.activeElement; if (a === document.body) return null;
  const el = a.closest('label') || a, r = el.getBoundingClientRect();
  for (const fx of [.1, .3, .5, .7, .9]) for (const fy of [.2, .5, .8]) {
    const e = document.elementFromPoint(r.left + r.width * fx, r.top + r.height * fy);
    if (e && (e === el || el.contains(e) || e.contains(a) && !e.matches('.dec,.jump,.top,body,html,main'))) return '';
  }
  return a.outerHTML.slice(0, 80);
}"""
