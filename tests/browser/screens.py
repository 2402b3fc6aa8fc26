"""Pictures of the pages for the documentation, taken from a running demo:

make demo PORT=8000 &  then  python -m tests.browser.screens http://127.0.0.1:8000 docs/screens
"""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from orchestrator.demo import PASSWORD

SIZES = ((1440, 900), (1024, 768), (390, 844))
THEMES = ("light", "dark")
READERS = {
    "queue": "clara",
    "case": "clara",
    "run": "clara",
    "runs": "clara",
    "notices": "clara",
    "me": "clara",
    "help/keys": "clara",
    "start": "ravi",
    "audit": "olga",
    "insights": "maya",
    "holds": "maya",
}


def sign_in(page: Page, base: str, name: str) -> None:
    page.goto(f"{base}/accounts/login/")
    page.fill("[name=username]", name)
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url("**/queue/**")


def address(page: Page, base: str, name: str) -> str:
    """The page's URL; a case and its run are the first of the queue."""
    if name not in ("case", "run"):
        return f"{base}/{name}/"
    page.goto(f"{base}/queue/")
    case = page.locator(".items h3 a").first.get_attribute("href")
    if name == "case":
        return base + str(case)
    page.goto(base + str(case))
    return base + str(page.locator("a[href^='/runs/']").last.get_attribute("href"))


def take(base: str, folder: Path) -> int:
    """Every page of READERS at every size and theme; returns how many pictures were written."""
    folder.mkdir(parents=True, exist_ok=True)
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    taken = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--disable-gpu", *root])
        for theme in THEMES:
            for name, reader in READERS.items():
                context = browser.new_context(color_scheme=theme)
                page = context.new_page()
                sign_in(page, base, reader)
                url = address(page, base, name)
                for width, height in SIZES:
                    page.set_viewport_size({"width": width, "height": height})
                    page.goto(url)
                    page.screenshot(path=str(folder / f"{name.replace('/', '-')}-{width}-{theme}.png"))
                    taken += 1
                context.close()
        browser.close()
    return taken


if __name__ == "__main__":
    print(take(sys.argv[1].rstrip("/"), Path(sys.argv[2])), "pictures")
