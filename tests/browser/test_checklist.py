"""The rest of the checklist: layouts of keyboards, keys off, no script on any page, forced colours, extremes."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from audit.models import Event
from orchestrator import services as runs
from orchestrator.grants import give
from reviews import services
from reviews.models import Approval, Comment, Preference, Review
from tests.cast import Cast, answer, bill, group, open_review_of, second_admin, waiting_bill, work
from tests.desk import case_url
from tests.papers import found, paper_case, value

from .conftest import SignIn, press
from .test_desk import SIZES, THEMES, violations, widths

pytestmark = pytest.mark.django_db(transaction=True)
RTL_NAME = "شركة المحامل الدقيقة 4711"
LONG_NAME = "Vereinigte Donaudampfschifffahrts-Elektrizitaeten-Hauptbetriebswerkbauunterbeamtengesellschaft"[:80]
# What keyboards of other layouts send: the character, and the place of the key on an American one.
AZERTY = {"a": "KeyQ", "z": "KeyW", "/": "Period", "?": "KeyM"}
QWERTZ = {"z": "KeyY", "/": "Digit7", "?": "Minus"}
POLISH = {"e": "KeyE", "/": "Slash", "?": "Slash"}
SHIFTED = {"/": ("AZERTY", "QWERTZ"), "?": ("AZERTY", "QWERTZ", "POLISH")}
LAYOUTS = {"AZERTY": AZERTY, "QWERTZ": QWERTZ, "POLISH": POLISH}
PRESS = """([key, code, shiftKey]) => (document.activeElement ?? document.body).dispatchEvent(
  new KeyboardEvent('keydown', { key, code, shiftKey, bubbles: true, cancelable: true }))"""


def press_on(page: Page, layout: str, key: str) -> None:
    code = LAYOUTS[layout].get(key, f"Key{key.upper()}")
    page.evaluate(PRESS, [key, code, layout in SHIFTED.get(key, ())])


def every_page(everybody: Cast, review: Review) -> list[str]:
    give("start_run", group("clerks"), review.run.version.workflow, actor=everybody.admin)
    pages = ["/queue/", "/queue/?view=done", "/queue/?q=KB", case_url(review), f"/runs/{review.run_id}/", "/runs/"]
    return [*pages, "/audit/", "/insights/", "/me/", "/help/keys/", "/start/", "/start/pay-bills/", "/notices/"]


def checked(page: Page) -> Any:
    return page.locator("[name=verdict]:checked")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_keys_work_by_the_character_they_make_on_every_layout(everybody: Cast, sign_in: SignIn, layout: str) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    page.goto(case_url(review))
    for key, verdict in zip("artide", ("approve", "reject", "reroute", "ask", "delegate", "escalate"), strict=True):
        press_on(page, layout, key)
        expect(checked(page)).to_have_value(verdict)
    press_on(page, layout, "/")
    expect(page.get_by_role("searchbox", name="Search cases")).to_be_focused()
    press(page, "Escape")
    press_on(page, layout, "?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    answer(review, everybody.clerk, "reject")


def test_what_has_a_key_has_a_control_as_well(everybody: Cast, sign_in: SignIn) -> None:
    page = sign_in("clerk")
    page.get_by_role("link", name="Keyboard shortcuts").click()
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    page.get_by_role("searchbox", name="Search cases").fill("KB-1")
    press(page, "Enter")
    expect(page.get_by_text("in number, vendor, values or documents")).to_be_visible()


def test_with_keys_off_words_that_are_dictated_do_nothing_anywhere(everybody: Cast, sign_in: SignIn) -> None:
    Preference.objects.create(user=everybody.clerk, single_keys=False)
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    for address in ("/queue/", case_url(review), f"/runs/{review.run_id}/", "/audit/"):
        page.goto(address)
        before = page.url
        for words in ("arte", "reject", "zhxjk./?+-nu g"):
            page.keyboard.type(words)
        assert page.url == before
        expect(page.locator(":checked[type=radio]")).to_have_count(0)
        expect(page.locator("main :focus, main details[open]")).to_have_count(0)
    assert not Approval.objects.exists()


def test_every_page_can_be_read_without_script(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk", java_script_enabled=False)
    for address in every_page(everybody, review):
        answered = page.goto(address)
        assert answered is not None
        assert answered.status == 200, address
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        buttons = page.locator("main button:visible").all()
        lost = [button.inner_text() for button in buttons if not leads_somewhere(button)]
        assert lost == [], address


def leads_somewhere(button: Any) -> bool:
    """Whether a press sends a form; zooming and printing are the browser's own."""
    return bool(
        button.get_attribute("data-zoom-by")
        or button.get_attribute("data-print") is not None
        or button.get_attribute("form")
        or button.locator("xpath=ancestor::form").count()
    )


def test_without_script_a_case_is_refused_put_right_recorded_undone_spoken_of_and_put_aside(
    everybody: Cast, sign_in: SignIn
) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk", java_script_enabled=False)
    page.goto(case_url(review))
    page.get_by_role("radio", name="Reject").check()
    page.get_by_role("button", name="Record decision").click()
    refused = page.get_by_role("group", name="The decision was not recorded")
    refused.get_by_role("link", name="Choose a reason").click()
    expect(page).to_have_url(re.compile("#r-reject$"))
    expect(page.get_by_role("group", name="Reason").get_by_role("radio").first).to_be_focused()
    page.get_by_label("Duplicate").check()
    page.get_by_role("button", name="Record decision").click()
    expect(page.locator("#toast")).to_contain_text("KB-1: rejected.")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toast")).to_contain_text("Undone.")
    page.locator("#talk textarea").fill("Called them.")
    page.locator("#talk").get_by_role("button").first.click()
    expect(page.get_by_text("Called them.")).to_be_visible()
    assert Comment.objects.get().text == "Called them."
    page.goto(case_url(review))
    page.get_by_text("Snooze", exact=False).first.click()
    page.get_by_role("button", name="Put aside").click()
    expect(page.locator("#toast")).to_contain_text("put aside until")
    assert open_review_of(review.run).snoozed_until is not None


@pytest.mark.slow
def test_forced_colours_break_no_rule_and_show_what_is_chosen(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    found: list[str] = []
    for theme in THEMES:
        page = sign_in("clerk", forced_colors="active", color_scheme=theme)
        for address in every_page(everybody, review):
            page.goto(address)
            for width in widths(page):
                found += violations(page, f"{address} {width} {theme}")
        page.goto(case_url(review))
        page.get_by_role("radio", name="Reject").check()
        page.locator("h1").click()
        chosen = page.locator(".pick label:has(:checked)")
        for width in widths(page):
            assert chosen.evaluate("x => getComputedStyle(x).outlineStyle") == "solid", width
    assert found == []


def test_names_of_eighty_letters_and_names_from_the_right_fit_every_list(everybody: Cast, sign_in: SignIn) -> None:
    for number in (LONG_NAME, RTL_NAME):
        bill(everybody, number=number, amount="987654321.00", differences=1)
    page = sign_in("clerk")
    for width, height in (*SIZES, (320, 640)):
        page.set_viewport_size({"width": width, "height": height})
        for address in ("/queue/", "/runs/", case_url(Review.objects.earliest("opened_at"))):
            page.goto(address)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (address, width)
    page.goto("/queue/")
    expect(page.get_by_role("link", name=RTL_NAME)).to_be_visible()


def test_every_decision_can_be_reached_by_thumb(everybody: Cast, sign_in: SignIn) -> None:
    page = sign_in("clerk")
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        page.goto(case_url(waiting_bill(everybody)))
        places = page.locator(".pick label").evaluate_all(
            "all => all.map(x => x.getBoundingClientRect()).map(r => [r.left, r.right, r.height])"
        )
        assert len(places) == 6
        assert all(left >= 0 and right <= width and height >= 44 for left, right, height in places)


def test_on_a_small_screen_the_button_is_beside_the_choices_and_stays_when_one_is_made(
    everybody: Cast, sign_in: SignIn
) -> None:
    page = sign_in("clerk", viewport={"width": 1024, "height": 768})
    page.goto(case_url(waiting_bill(everybody)))
    button, reject = page.get_by_role("button", name="Record decision"), page.locator(".pick label").nth(1)
    assert abs((button.bounding_box() or {})["y"] - (reject.bounding_box() or {})["y"]) < 4
    reject.click()
    expect(page.get_by_role("group", name="Reason")).to_be_visible()
    for width, height in ((1024, 768), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        expect(button).to_be_in_viewport(ratio=1)


def test_a_run_of_sixty_steps_folds_what_has_finished(everybody: Cast, sign_in: SignIn) -> None:
    steps = ["  s1: {agent: cast.read, title: Warm MAMMOTHS and a long list of vendors}"]
    steps += [f"  s{n}: {{agent: cast.read, needs: [s{n - 1}]}}" for n in range(2, 61)]
    head = ["workflow: long", "title: A long one", "input: {amount: string, number: string}", "steps:"]
    runs.save_workflow(source="\n".join(head + steps), actor=everybody.admin, second=second_admin())
    run, _ = runs.start_run(workflow="long", input={"amount": "1.00", "number": "KB-60"}, actor=everybody.requester)
    work()
    page = sign_in("requester")
    page.goto(f"/runs/{run.pk}/")
    assert page.locator(".dag a").count() < 60
    expect(page.locator(".steps tbody tr")).to_have_count(60)
    assert page.evaluate("document.querySelectorAll('*').length") <= 1_500
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.goto(f"/runs/{run.pk}/?graph=whole")
    assert page.evaluate("document.querySelectorAll('*').length") <= 1_500
    assert page.locator("#g-s1 title").text_content().startswith("Warm MAMMOTHS and a long list of vendors")
    right = "x => x.getBoundingClientRect().right"
    past = f"a => [...a.querySelectorAll('text')].some(x => ({right})(x) > ({right})(a.querySelector('rect')))"
    assert page.locator(".dag a").evaluate_all(f"all => all.filter({past}).length") == 0


def test_a_blind_second_person_and_a_conflict_break_no_rule(everybody: Cast, sign_in: SignIn) -> None:
    everybody.policy.quorum, everybody.policy.blind = 2, True
    everybody.policy.save()
    review = waiting_bill(everybody)
    answer(review, everybody.second)
    found: list[str] = []
    for theme in THEMES:
        page = sign_in("clerk", color_scheme=theme)
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.goto(case_url(review))
            expect(page.get_by_text("Another person has answered this case.")).to_be_visible()
            found += violations(page, f"blind {width} {theme}")
    everybody.policy.quorum, everybody.policy.blind = 1, False
    everybody.policy.save()
    for theme in THEMES:
        page, other = sign_in("clerk", color_scheme=theme), waiting_bill(everybody)
        page.goto(case_url(other))
        page.get_by_role("radio", name="Approve").check()
        page.get_by_label("The check was mistaken").check()
        expect(page.locator("#saved")).to_contain_text("Draft saved")
        services.release(review_id=other.pk, actor=everybody.clerk)
        answer(other, everybody.second, "reject", comment="A copy of KB-0.")
        page.get_by_role("button", name="Record decision").click()
        expect(page.get_by_role("alert")).to_be_focused()
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            found += violations(page, f"conflict {width} {theme}")
    assert found == []


def test_a_record_and_a_case_are_printed_and_a_graph_is_gone_to_by_key(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody)
    page = sign_in("clerk")
    event = Event.objects.filter(subject_id=str(review.pk)).first()
    assert event is not None
    for address in ("/audit/", event.get_absolute_url()):
        page.goto(address)
        page.evaluate("window.print = () => document.body.dataset.printed = 'yes'")
        page.keyboard.press("p")
        expect(page.locator("body[data-printed=yes]")).to_have_count(1)
    page.goto(case_url(review))
    page.evaluate("window.print = () => document.body.dataset.printed = 'yes'")
    page.get_by_role("button", name="Print the case").click()
    expect(page.locator("body[data-printed=yes]")).to_have_count(1)
    page.goto(f"/runs/{review.run_id}/")
    page.keyboard.press("g")
    expect(page.get_by_role("region", name="Workflow graph")).to_be_focused()


def test_a_preview_that_takes_its_time_says_so(everybody: Cast, sign_in: SignIn) -> None:
    waiting_bill(everybody)
    second = waiting_bill(everybody, number="KB-2", amount="10.00")
    page = sign_in("clerk")
    held: list[Route] = []
    page.route("**/peek/*", lambda route: held.append(route))
    page.get_by_role("link", name=second.title).focus()
    said = "x => getComputedStyle(x, '::after').content"
    expect(page.locator("#peek.htmx-request")).to_have_count(1)
    assert page.locator("#peek").evaluate(said) == '"Still fetching the case"'
    held[0].continue_()
    expect(page.locator("#peek")).to_contain_text(second.title)
    assert page.locator("#peek").evaluate(said) == "none"


def test_keys_lead_from_case_to_case_in_the_order_of_the_list_without_leaving_the_page(
    everybody: Cast, sign_in: SignIn
) -> None:
    cases = []
    for amount in ("900.00", "800.00", "700.00"):
        said = found(amount=amount, seller=f"Vendor {amount}")
        said["reading"]["lines"] = [{"name": value("Bearing"), "quantity": value("2")}]
        cases.append(paper_case(everybody, [["Invoice"]], said))
    page = sign_in("clerk")
    page.route("**/beat/", lambda route: route.fulfill(status=204))
    page.goto(case_url(cases[0]) + "?view=mine&as=form")
    expect(page.locator(".inv tbody tr")).to_have_count(1)
    page.evaluate("document.body.dataset.here = 'still'")
    for key, shown in (("j", cases[1]), ("j", cases[2]), ("k", cases[1])):
        page.keyboard.press(key)
        expect(page.get_by_role("heading", name=shown.title, level=1)).to_be_focused()
        expect(page).to_have_url(re.compile(f"{shown.task_id}/"))
        expect(page.locator("#live")).to_have_text(shown.title)
    expect(page.locator("body[data-here=still]")).to_have_count(1)
