"""Pictures of the pages for the documentation, taken from a running demo:

make demo PORT=8000 &  then  python -m tests.browser.screens http://127.0.0.1:8000 docs/screens [NAME …]

So that there is something to see, a reversal is asked for, and a workflow and a webhook are handed over: nothing that
waits is decided.
"""

import os
import shutil
import sys
from collections.abc import Callable, Collection
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from orchestrator.demo import PASSWORD

SIZES = ((1440, 900), (1024, 768), (390, 844))
THEMES = ("light", "dark")
TABS = ("flow", "quality", "calibration", "cost")
HOOK = "https://erp.example.org/countersign"
PRINTED = "case"


def sign_in(page: Page, base: str, name: str) -> None:
    page.context.clear_cookies()
    page.goto(f"{base}/accounts/login/")
    page.fill("[name=username]", name)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/queue/**")


def case(page: Page, base: str) -> str:
    """The first of the queue."""
    page.goto(f"{base}/queue/")
    return base + str(page.locator(".items h3 a").first.get_attribute("href"))


def run(page: Page, base: str) -> str:
    """That of the first case."""
    page.goto(case(page, base))
    return base + str(page.locator("a[href^='/runs/']").last.get_attribute("href"))


def reversal(page: Page, base: str) -> str:
    """Asking for one, of an answer of somebody that was carried out and not asked about yet."""
    page.goto(f"{base}/runs/?status=succeeded")
    runs = [str(link.get_attribute("href")) for link in page.locator("main a[href^='/runs/']").all()]
    for address in runs:
        page.goto(f"{base}{address}?step=approve")
        if not (link := page.locator("main a.btn[href^='/cases/']")).count():
            continue
        link.first.click()
        if (ask := page.locator("a[href$='/reversal/']")).count():
            return base + str(ask.first.get_attribute("href"))
    raise LookupError("no case whose answer could be reversed")


def reversal_case(page: Page, base: str) -> str:
    """The case in which others look at it; asked for by a clerk where none waits."""
    listed = f"{base}/queue/?view=reversals"
    page.goto(listed)
    if not page.locator(".items h3 a").count():
        sign_in(page, base, "clara")
        page.goto(reversal(page, base))
        page.fill("[name=why]", "The goods never came: the receipt belongs to another order.")
        page.locator("main form .btn.pri").click()
        sign_in(page, base, "felix")
        page.goto(listed)
        expect(page.locator(".items h3 a").first).to_be_visible(timeout=20_000)
    return base + str(page.locator(".items h3 a").first.get_attribute("href"))


def record(page: Page, base: str) -> str:
    """The newest of the trail."""
    page.goto(f"{base}/audit/")
    return base + str(page.locator("#record .btn").first.get_attribute("href"))


def settled(page: Page, base: str) -> str:
    """One that was answered."""
    page.goto(f"{base}/queue/?view=done")
    return base + str(page.locator(".items h3 a").last.get_attribute("href"))


def policy(page: Page, base: str) -> str:
    """That of payments."""
    page.goto(f"{base}/admin/orchestrator/policy/")
    return base + str(page.locator("#result_list tbody a", has_text="Payments").first.get_attribute("href"))


def handed_over(page: Page, base: str) -> str:
    """A workflow as the second admin finds it."""
    sign_in(page, base, "ada")
    page.goto(f"{base}/admin/orchestrator/workflow/")
    page.locator("#result_list tr", has_text="expense-claim").locator("th a").click()
    found = page.url
    page.locator(".object-tools a", has_text="Hand over a new version").click()
    source = page.locator("[name=source]")
    source.fill(source.input_value().replace("title: Expense claim\n", "title: Expense claims\n"))
    page.locator("#content-main form [type=submit]").click()
    sign_in(page, base, "amir")
    return found


def webhook(page: Page, base: str) -> str:
    """One that stands still until somebody else puts it in force, as they find it."""
    listed = f"{base}/admin/orchestrator/webhookendpoint/"
    sign_in(page, base, "ada")
    page.goto(listed)
    if not page.locator("#result_list").count():
        page.goto(f"{listed}add/")
        page.fill("[name=name]", "erp")
        page.fill("[name=url]", HOOK)
        page.locator("[name=_save]").click()
    sign_in(page, base, "amir")
    page.goto(listed)
    return base + str(page.locator("#result_list tbody th a").first.get_attribute("href"))


def at(path: str) -> Callable[[Page, str], str]:
    return lambda page, base: f"{base}/{path}"


PAGES: dict[str, tuple[str, Callable[[Page, str], str]]] = {  # name: who reads it, where it is
    "queue": ("clara", at("queue/")),
    "case": ("clara", case),
    "settled": ("clara", settled),
    "run": ("clara", run),
    "runs": ("clara", at("runs/")),
    "notices": ("clara", at("notices/")),
    "me": ("clara", at("me/")),
    "help-keys": ("clara", at("help/keys/")),
    "start": ("ravi", at("start/")),
    "audit": ("olga", at("audit/")),
    "record": ("olga", record),
    "insights": ("maya", at("insights/")),
    **{f"insights-{tab}": ("maya", at(f"insights/?tab={tab}")) for tab in TABS[1:]},
    "holds": ("maya", at("holds/")),
    "reversal": ("clara", reversal),
    "reversal-case": ("felix", reversal_case),
    "admin": ("amir", at("admin/")),
    "policy": ("ada", policy),
    "handed-over": ("amir", handed_over),
    "webhook": ("amir", webhook),
}


def take(base: str, folder: Path, names: Collection[str] = ()) -> int:
    """Every page, or those of these names, at every size and theme; returns how many pictures were written."""
    folder.mkdir(parents=True, exist_ok=True)
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    taken = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--disable-gpu", *root])
        for theme in THEMES:
            for name, (reader, address) in PAGES.items():
                if names and name not in names:
                    continue
                context = browser.new_context(color_scheme=theme)
                page = context.new_page()
                sign_in(page, base, reader)
                url = address(page, base)
                for width, height in SIZES:
                    page.set_viewport_size({"width": width, "height": height})
                    page.goto(url)
                    page.screenshot(path=str(folder / f"{name}-{width}-{theme}.png"))
                    taken += 1
                if (name, theme) == (PRINTED, THEMES[0]):
                    page.pdf(path=str(folder / f"{name}.pdf"), format="A4")
                context.close()
        browser.close()
    return taken


if __name__ == "__main__":
    print(take(sys.argv[1].rstrip("/"), Path(sys.argv[2]), sys.argv[3:]), "pictures")
