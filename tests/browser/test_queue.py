"""The queue in a real browser: by keyboard, what is new, coming back to the same row, several at once."""

from datetime import timedelta

import pytest
from django.db.models import F
from playwright.sync_api import expect

from reviews.models import Review
from reviews.services import claim
from tests.cast import Cast, answer, cast, waiting_bill

from .conftest import SignIn, press, settled
from .test_desk import THEMES, violations, widths

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def everybody(transactional_db: None) -> Cast:
    return cast(undo_seconds=30)


def test_new_cases_are_announced_and_the_list_stays_until_it_is_asked_for(everybody: Cast, sign_in: SignIn) -> None:
    first = waiting_bill(everybody)
    page = sign_in("clerk")
    second = waiting_bill(everybody, amount="9000.00")
    page.evaluate("htmx.trigger('#news', 'look')")
    expect(page.locator("#news")).to_contain_text("1 new case arrived. Your list has not moved.")
    expect(page.locator("#live")).to_contain_text("1 new case arrived")
    expect(page.locator(".items h3 a")).to_have_text([first.title])
    expect(page.locator("#v-mine")).to_contain_text("2")
    press(page, ".")
    expect(page.locator(".items h3 a")).to_have_text([second.title, first.title])


def test_a_count_that_changed_does_not_keep_what_arrives_after_it_from_being_announced(
    everybody: Cast, sign_in: SignIn
) -> None:
    waiting_bill(everybody)
    gone = waiting_bill(everybody)
    Review.objects.update(opened_at=F("opened_at") - timedelta(minutes=1))
    page = sign_in("clerk")
    expect(page.locator("#v-mine")).to_contain_text("2")
    answer(gone, everybody.second, "reject")
    page.evaluate("htmx.trigger('#news', 'look')")
    expect(page.locator("#v-mine")).to_contain_text("1")
    settled(page)
    waiting_bill(everybody)
    page.evaluate("htmx.trigger('#news', 'look')")
    expect(page.locator("#live")).to_contain_text("1 new case arrived")


def test_an_empty_list_fills_by_itself(everybody: Cast, sign_in: SignIn) -> None:
    page = sign_in("clerk")
    expect(page.get_by_role("heading", name="Nothing is waiting for you")).to_be_visible()
    review = waiting_bill(everybody)
    page.evaluate("htmx.trigger('#news', 'look')")
    expect(page.get_by_role("link", name=review.title)).to_be_visible()


def test_coming_back_from_a_case_finds_the_same_row_selected(everybody: Cast, sign_in: SignIn) -> None:
    reviews = [waiting_bill(everybody, amount=f"{9 - n}000.00") for n in range(3)]
    page = sign_in("clerk")
    press(page, "j", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(reviews[1].title)
    page.go_back()
    expect(page.locator(".items .sel h3 a")).to_have_text(reviews[1].title)
    press(page, "j", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(reviews[2].title)
    press(page, "u")
    expect(page.locator(".items .sel h3 a")).to_have_text(reviews[2].title)


def test_rows_are_selected_and_handed_over_by_keyboard(everybody: Cast, sign_in: SignIn) -> None:
    for _ in range(2):
        waiting_bill(everybody)
    page = sign_in("clerk")
    expect(page.locator("#bulk")).to_be_hidden()
    press(page, "x", "j", "x")
    expect(page.locator("#bulk")).to_be_visible()
    press(page, "d")
    expect(page.get_by_role("heading", level=1)).to_have_text("Delegate 2 cases")
    page.get_by_label("To", exact=True).select_option("second")
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#toast")).to_contain_text("2 cases handed over.")
    assert Review.objects.filter(delegated_to=everybody.second).count() == 2


def test_one_key_takes_back_all_that_was_handed_over_but_what_changed_meanwhile(
    everybody: Cast, sign_in: SignIn
) -> None:
    first, second = waiting_bill(everybody), waiting_bill(everybody)
    page = sign_in("clerk")
    for left in (None, second):
        for row in page.get_by_role("checkbox").all():
            row.check()
        press(page, "d")
        page.get_by_label("To", exact=True).select_option("second")
        page.get_by_role("button", name="Record").click()
        expect(page.locator("#toast")).to_contain_text("2 cases handed over.")
        if left:
            claim(review_id=left.pk, actor=everybody.second)
        press(page, "z")
        if not left:
            expect(page.locator("#toast")).to_contain_text("2 cases taken back.")
            expect(page.locator(".items li")).to_have_count(2)
    expect(page.get_by_role("heading", level=1)).to_have_text("1 of 2 not done")
    expect(page.locator(".card li b")).to_have_text(second.number)
    expect(page.locator(".card li p")).to_have_text("Since then: Review claimed (Second).")
    assert {row.pk: row.delegated_to for row in Review.objects.all()} == {first.pk: None, second.pk: everybody.second}


def test_rows_are_ticked_with_a_finger_on_a_phone_and_acted_on_together(everybody: Cast, sign_in: SignIn) -> None:
    for _ in range(2):
        waiting_bill(everybody)
    page = sign_in("clerk", viewport={"width": 390, "height": 844}, has_touch=True)
    for box in page.locator(".items [type=checkbox]").all():
        place = box.bounding_box()
        assert place
        assert min(place["width"], place["height"]) >= 24
        box.tap()
        expect(box).to_be_checked()
    expect(page.get_by_role("heading", level=1)).to_have_text("My queue")
    page.locator("#bulk").get_by_role("button", name="Delegate").tap()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delegate 2 cases")


def test_select_similar_follows_the_selected_row(everybody: Cast, sign_in: SignIn) -> None:
    first, second = waiting_bill(everybody, amount="900.00"), waiting_bill(everybody)
    page = sign_in("clerk", viewport={"width": 1024, "height": 768})
    similar = page.get_by_role("link", name="Select similar")
    for key, review in (("j", first), ("k", second)):
        press(page, key)
        expect(similar).to_have_attribute("href", f"/queue/?view=mine&like={review.task_id}")
    similar.click()
    expect(page.locator(".items :checked")).to_have_count(2)
    press(page, "j")  # here nothing more is offered, and nothing is missing either
    expect(page.locator("#peek h2")).to_contain_text("900.00")


def test_one_key_puts_the_selected_case_aside(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    page.set_viewport_size({"width": 1440, "height": 900})
    press(page, "h")
    expect(page.locator("#toast")).to_contain_text(f"{review.number}: put aside until")
    assert Review.objects.get().snoozed_by == everybody.clerk
    press(page, "z")
    expect(page.locator("#toast")).to_contain_text("Undone.")
    assert Review.objects.get().snoozed_by is None


def test_the_filter_stays_through_cases_and_reload(everybody: Cast, sign_in: SignIn) -> None:
    waiting_bill(everybody, flagged=False)
    page = sign_in("clerk")
    page.get_by_label("Sort order").focus()
    page.get_by_label("Sort order").select_option("oldest")
    page.wait_for_url("**sort=oldest**")
    expect(page.get_by_label("Sort order")).to_be_focused()
    page.reload()
    expect(page.get_by_label("Sort order")).to_have_value("oldest")


def test_everything_in_the_queue_works_without_script(everybody: Cast, sign_in: SignIn) -> None:
    waiting_bill(everybody)
    page = sign_in("clerk", java_script_enabled=False)
    page.get_by_role("checkbox").first.check()
    page.locator("#bulk").get_by_role("button", name="Snooze").click()
    page.get_by_label("Until", exact=True).select_option("hour")
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#toast")).to_contain_text("1 case put aside.")
    page.locator("#v-snoozed").click()
    expect(page.locator(".items")).to_contain_text("put it aside until")


@pytest.mark.slow
def test_no_state_of_the_queue_breaks_an_accessibility_rule(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    waiting_bill(everybody, differences=2)
    found = []
    for theme in THEMES:
        page = sign_in("clerk", color_scheme=theme)
        addresses = ["", "?view=snoozed", "?view=blind", "?view=clerks&sort=oldest", "?q=kestrel", "?q=nothing"]
        for address in [*addresses, f"?like={review.task_id}"]:
            page.goto(f"/queue/{address}")
            for width in widths(page):
                found += violations(page, f"{address} {width} {theme}")
        page.locator("#bulk").get_by_role("button", name="Reroute").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Reroute")
        for width in widths(page):
            found += violations(page, f"bulk {width} {theme}")
    assert found == []


def test_the_counts_of_the_views_stand_under_each_other_in_any_font(everybody: Cast, sign_in: SignIn) -> None:
    page = sign_in("clerk")
    for width in (1440, 1024):
        page.set_viewport_size({"width": width, "height": 768})
        page.goto("/queue/")
        for spacing in ("0", "2px"):  # as wide as a wide font
            page.evaluate("wide => document.querySelector('#views').style.letterSpacing = wide", spacing)
            right = "all => all.map(x => Math.round(x.getBoundingClientRect().right))"
            assert len(set(page.locator("#views a .num").evaluate_all(right))) == 1, (width, spacing)
