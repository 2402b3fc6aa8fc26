"""The case in a real browser: nothing chosen for anybody, extremes of content, long documents, right-to-left text."""

import re

import pytest
from playwright.sync_api import Page, expect

from reviews.models import Queue, Review
from tests.browser.conftest import SignIn, press
from tests.browser.test_desk import SIZES, THEMES, violations, widths
from tests.cast import Cast, waiting_bill
from tests.desk import case_url
from tests.papers import difference, found, paper_case, passage, value

pytestmark = pytest.mark.django_db(transaction=True)
LONG_NAME = "Vereinigte Donaudampfschifffahrts-Elektrizitaeten-Hauptbetriebswerkbauunterbeamte"[:80]
RTL = "חשבונית מס מספר 4711"  # a tax invoice, in Hebrew


def settled_in(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def wide(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def forty(everybody: Cast, **more: str) -> Review:
    """Forty differences, each with two values and its passage, on one page."""
    lines = [f"Line {n} costs {n}.00" for n in range(1, 41)]
    options = [{"value": "123456789.00", "source": "invoice"}, {"value": "1.00", "source": "order"}]
    differing = [
        difference(n, passage(1, n - 1, lines[n - 1]), options=options, pointer=f"/read/invoice/f{n}")
        for n in range(1, 41)
    ]
    fields = {f"f{n}": value(f"{n}.00", passage(1, n - 1, lines[n - 1])) for n in range(1, 41)}
    return paper_case(everybody, [lines], found(discrepancies=differing, fields=fields, stops=40, **more))


def test_nothing_is_chosen_and_walking_through_every_field_settles_nothing(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody, differences=3)
    page = sign_in("clerk")
    page.goto(case_url(review))
    assert page.locator("input:checked").count() == 0
    for _ in range(80):
        press(page, "Tab")
    assert page.locator("input:checked").count() == 0
    expect(page.locator("#settled")).to_have_text("0 of 3 settled")


def test_a_number_leads_to_its_passage_and_back_and_lights_it(everybody: Cast, sign_in: SignIn) -> None:
    page = sign_in("clerk", java_script_enabled=False)
    page.goto(case_url(forty(everybody)))
    page.get_by_role("link", name="40: show in the document").click()
    expect(page).to_have_url(re.compile("#h40$"))
    expect(page.locator("#h40")).to_be_in_viewport()
    page.locator('.viewer a[href="#f40"]').click()
    expect(page).to_have_url(re.compile("#f40$"))
    expect(page.locator("#f40")).to_be_in_viewport()


def test_a_pick_tells_at_once_what_would_be_paid(everybody: Cast, sign_in: SignIn) -> None:
    page = sign_in("clerk")
    options = [{"value": "100.00", "source": "invoice"}, {"value": "90.00", "source": "order"}]
    said = found(discrepancies=[difference(1, options=options, pointer="/read/invoice/payable")])
    page.goto(case_url(paper_case(everybody, [["Total 100.00"]], said)))
    page.get_by_role("radio", name=re.compile("90.00")).check()
    expect(page.locator("#consequence")).to_contain_text("€90.00")
    expect(page.locator("#live")).to_have_text("You would pay €90.00")
    expect(page.locator("#settled")).to_have_text("1 of 1 settled")


def test_forty_differences_long_names_and_nine_digits_fit_at_every_width(everybody: Cast, sign_in: SignIn) -> None:
    review = forty(everybody, seller=LONG_NAME, amount="987654321.00")
    page = sign_in("clerk")
    for width, height in (*SIZES, (320, 640)):
        page.set_viewport_size({"width": width, "height": height})
        page.goto(case_url(review))
        settled_in(page)
        assert wide(page) <= 0, width
        assert page.locator(".dis > li").count() == 40
        too_wide = page.evaluate(
            "[...document.querySelectorAll('.file *')].filter(x => x.getBoundingClientRect().right"
            " > x.closest('.file').getBoundingClientRect().right + 1 && !x.closest('.jump,.vh')).length"
        )
        assert too_wide == 0, width


def test_a_long_list_comes_when_its_choice_is_made_with_and_without_scripts(everybody: Cast, sign_in: SignIn) -> None:
    teams = [Queue(name=f"team-{n}", title=f"Accounts {n}", policy=everybody.policy) for n in range(30)]
    Queue.objects.bulk_create(teams)
    review = waiting_bill(everybody, differences=40)
    page = sign_in("clerk")
    page.goto(case_url(review))
    settled_in(page)
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")  # the panes scroll, not the page
    assert page.locator("#target-reroute option").count() == 1
    press(page, "t")
    expect(page.locator("#target-reroute option", has_text="Team: Accounts")).to_have_count(30)
    press(page, "Tab")
    page.keyboard.type("Team: Accounts 17")
    expect(page.locator("#target-reroute")).to_have_value("queue:team-17")
    expect(page.locator("#goes-on")).to_contain_text("Accounts 17")
    page.get_by_role("button", name="Give back").click()
    plain = sign_in("second", java_script_enabled=False)
    plain.goto(case_url(review))
    plain.get_by_role("radio", name="Reroute").check()
    plain.get_by_role("button", name="Save the draft").click()
    plain.get_by_label("Send to").select_option("queue:team-17")


def test_l04_however_much_is_said_before_it_what_would_be_paid_stands_where_one_decides(
    everybody: Cast, sign_in: SignIn
) -> None:
    lines = [f"Nothing to see in line {number}" for number in range(500)]
    padded = {"message": "\n".join([*lines, "and 9,100.00 to somebody else"]), "options": []}
    said = found(amount="9100.00", rationale="\n".join(lines), discrepancies=[difference(1, **padded)])
    review = paper_case(everybody, [lines[:40]], said)
    page = sign_in("clerk")
    for width, height in SIZES[:2]:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(case_url(review))
        expect(page.locator("#q-dec", has_text="9,100.00 EUR")).to_be_in_viewport()
        expect(page.get_by_role("radio", name="Approve")).to_be_in_viewport()


def test_a_case_without_differences_shows_no_list_of_them(everybody: Cast, sign_in: SignIn) -> None:
    review = waiting_bill(everybody, amount="21000.00", differences=0)
    page = sign_in("clerk")
    page.goto(case_url(review))
    expect(page.locator("#diff")).to_have_count(0)
    expect(page.locator("#why")).to_contain_text("21,000.00 EUR")


def test_of_three_hundred_pages_only_those_near_are_loaded_and_folds_open(everybody: Cast, sign_in: SignIn) -> None:
    pages = [[f"Page {n} of the agreement"] for n in range(1, 301)]
    said = found(discrepancies=[difference(1, passage(150, 0, pages[149][0]))])
    review = paper_case(everybody, pages, said)
    page = sign_in("clerk")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith(".webp") else None)
    page.goto(case_url(review))
    settled_in(page)
    page.wait_for_load_state("networkidle")
    assert 1 <= len(asked) <= 4
    assert page.evaluate("document.querySelectorAll('*').length") <= 1_500
    expect(page.get_by_text("148 pages without marks")).to_be_visible()
    page.get_by_text("148 pages without marks").click()
    expect(page.locator("#page-2")).to_be_visible()
    page.goto(f"{case_url(review)}?as=page&find=page+200+of")
    page.locator("#found").get_by_role("link", name="Page 200").click()
    expect(page.locator("#page-200")).to_be_in_viewport()


def test_a_document_is_searched_without_script(everybody: Cast, sign_in: SignIn) -> None:
    review = paper_case(everybody, [["Total 100.00"], ["Bank account changed"]], found())
    page = sign_in("clerk", java_script_enabled=False)
    page.goto(case_url(review))
    page.get_by_label("Find in this document").fill("account changed")
    press(page, "Enter")
    expect(page.locator("#found")).to_contain_text("1 place with “account changed”")
    page.locator("#found").get_by_role("link", name="Page 2").click()
    expect(page.locator("#hit-2-1")).to_be_in_viewport()


def test_right_to_left_text_reads_from_the_right(everybody: Cast, sign_in: SignIn) -> None:
    review = paper_case(everybody, [[RTL, "Total 100.00"]], found())
    page = sign_in("clerk")
    page.goto(f"{case_url(review)}?as=text")
    lines = page.locator(".lines")
    expect(lines).to_contain_text(RTL)
    assert lines.evaluate("x => getComputedStyle(x).unicodeBidi") == "plaintext"
    places = lines.evaluate(
        "x => { const r = document.createRange(), t = x.firstChild; r.setStart(t, 0); r.setEnd(t, 1);"
        " const a = r.getBoundingClientRect().left; r.setStart(t, 8); r.setEnd(t, 9);"
        " return [a, r.getBoundingClientRect().left]; }"
    )
    assert places[0] > places[1]


def test_a_printed_case_is_black_on_white_and_has_the_whole_digest(everybody: Cast, sign_in: SignIn) -> None:
    review = forty(everybody)
    page = sign_in("clerk", color_scheme="dark")
    page.goto(case_url(review))
    page.emulate_media(media="print")
    digest = review.packet["documents"][0]["sha256"]
    expect(page.get_by_text(digest)).to_be_visible()
    expect(page.locator("#printed")).to_contain_text("Printed by Clerk")
    expect(page.locator("#decision")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert wide(page) <= 0


@pytest.mark.slow
def test_no_state_of_a_case_breaks_an_accessibility_rule(everybody: Cast, sign_in: SignIn) -> None:
    first = forty(
        everybody, seller="Kestrel\u202e", rationale="<b>Approved</b>", quotes=["Line 1 costs 1.00", "Nowhere"]
    )
    pages = [[f"Page {n} of the agreement"] for n in range(1, 12)]
    second = paper_case(everybody, pages, found(discrepancies=[difference(1, passage(9, 0, pages[8][0]))]))
    ways = [
        case_url(first),
        f"{case_url(first)}?as=form",
        f"{case_url(second)}?as=text",
        f"{case_url(second)}?find=page",
    ]
    broken = []
    for theme in THEMES:
        page = sign_in("clerk", color_scheme=theme)
        for address in ways:
            page.goto(address)
            for width in widths(page):
                broken += violations(page, f"{address} {width} {theme}")
    assert broken == []
