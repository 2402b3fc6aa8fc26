"""What every browser test may use: the cast, and people signed in with a browser of their own."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cast import Cast, cast

SignIn = Callable[..., Page]
# What a browser says of a refusal, and of a connection that a test has cut, also in the middle of an answer.
EXPECTED = (
    "status of 409",
    "status of 422",
    "ERR_FAILED",
    "ERR_CONNECTION_",
    "ERR_EMPTY_RESPONSE",
    "ERR_SOCKET_NOT_CONNECTED",
    "ERR_INCOMPLETE_CHUNKED_ENCODING",
    "ERR_CONTENT_LENGTH_MISMATCH",
    "htmx:afterRequest",
    "htmx:sendError",
)


@pytest.fixture
def everybody(transactional_db: None) -> Cast:
    return cast(undo_seconds=30)


@pytest.fixture
def sign_in(browser: Browser, browser_context_args: dict[str, Any], live_server: Any) -> Iterator[SignIn]:
    """Opens a browser of their own for a person and signs in. A console error anywhere fails the test; a refusal the
    server is expected to give (409, 422) is not one."""
    contexts, complaints = [], []

    def noted(message: Any) -> None:
        expected = any(words in message.text for words in EXPECTED)
        if message.type in ("error", "warning") and not expected:
            complaints.append(message.text)

    def start(name: str, **options: Any) -> Page:
        context = browser.new_context(**{**browser_context_args, "base_url": live_server.url, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", noted)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/accounts/login/")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill("known")
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_title("My queue – Countersign")
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []
