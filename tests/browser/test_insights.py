"""The four tabs of figures in a real browser: at every width, in both themes, without script."""

import pytest
from playwright.sync_api import expect

from reviews.models import Measured
from tests.browser.conftest import SignIn
from tests.browser.test_desk import SIZES, THEMES, violations
from tests.cast import Cast, answer, waiting_bill
from tests.test_insights import with_managers

pytestmark = pytest.mark.django_db(transaction=True)
TABS = ("flow", "quality", "calibration", "cost")


@pytest.mark.slow
def test_figures_break_no_rule_and_scroll_nowhere_sideways(everybody: Cast, sign_in: SignIn) -> None:
    with_managers(everybody)
    answer(waiting_bill(everybody), everybody.clerk, seconds_open=40)
    for tenth, held in ((8, 30), (9, 58)):
        about = {"workflow": "pay-bills", "kind": "field", "actor": "cast.read", "name": "payable"}
        Measured.objects.create(**about, tenth=tenth, seen=60, held=held)
    found = []
    for theme in THEMES:
        page = sign_in("manager", color_scheme=theme)
        for tab in TABS:
            page.goto(f"/insights/?tab={tab}")
            for width, height in (*SIZES, (320, 640)):
                page.set_viewport_size({"width": width, "height": height})
                found += violations(page, f"{tab} {width} {theme}")
                wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                found += [f"{tab} {width}: {wide} pixels too wide"] if wide > 0 else []
    assert found == []


def test_tabs_periods_and_fields_are_chosen_without_script(everybody: Cast, sign_in: SignIn) -> None:
    with_managers(everybody)
    answer(waiting_bill(everybody), everybody.clerk)
    page = sign_in("manager", java_script_enabled=False)
    page.get_by_role("link", name="Insights").click()
    page.get_by_role("link", name="7 days", exact=True).click()
    page.get_by_role("link", name="Quality").click()
    expect(page).to_have_url("/insights/?tab=quality&days=7")
    table = page.get_by_role("table", name="How final answers compare with what was recommended")
    expect(table.get_by_role("row").last).to_contain_text("Pay bills")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of: How final answers compare").click()
    assert download.value.suggested_filename == "quality-answers-7-days.csv"
