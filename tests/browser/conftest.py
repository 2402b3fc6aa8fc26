"""What every browser test may use: the cast, people signed in with a browser of their own, how to wait for a page."""

import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.servers.basehttp import ThreadedWSGIServer
from django.test.testcases import LiveServerThread
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.cast import Cast, cast
from tests.desk import signed_in

expect.set_options(timeout=20_000)  # what is right comes at once, and on a busy machine in the end
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


class WatchedServer(ThreadedWSGIServer):
    """Knows which connections are open, and which answers were failures of the server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.open, self.changed = 0, threading.Condition()
        self.failures: list[str] = []

    def set_app(self, application: Any) -> None:
        def watched(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            def begun(status: str, *rest: Any) -> Any:
                if status.startswith("5"):
                    self.failures.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}: {status}")
                return start_response(status, *rest)

            return application(environ, begun)

        super().set_app(watched)

    def process_request(self, *args: Any) -> None:
        with self.changed:
            self.open += 1
        super().process_request(*args)

    def close_request(self, request: Any) -> None:
        super().close_request(request)
        with self.changed:
            self.open -= 1
            self.changed.notify_all()

    def rest(self) -> list[str]:
        """Waits until nobody is connected any more, so that no answer is being made while the database is emptied;
        returns what has failed since the last time."""
        host, port = self.server_address[:2]
        urllib.request.urlopen(f"http://{host}:{port}/healthz").close()  # whoever came before has been let in
        with self.changed:
            assert self.changed.wait_for(lambda: not self.open, 60), f"{self.open} connections are still open"
            failures, self.failures = self.failures, []
        return failures


LiveServerThread.server_class = WatchedServer


@pytest.fixture
def everybody(transactional_db: None) -> Cast:
    return cast(undo_seconds=30)


@pytest.fixture
def site(live_server: Any) -> Iterator[str]:
    """Where the pages are. An answer that is a failure of the server fails the test."""
    yield live_server.url
    assert live_server.thread.httpd.rest() == []


@pytest.fixture
def sign_in(site: str, browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[SignIn]:
    """Opens a browser of their own for a person who has signed in. A console error anywhere fails the test; a refusal
    the server is expected to give (409, 422) is not one."""
    contexts, complaints = [], []

    def noted(message: Any) -> None:
        expected = any(words in message.text for words in EXPECTED)
        if message.type in ("error", "warning") and not expected:
            complaints.append(message.text)

    def start(name: str, **options: Any) -> Page:
        options = {**browser_context_args, "base_url": site, **options}
        contexts.append(context := browser.new_context(**options))
        enter(context, name, options["base_url"])
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", noted)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/queue/")
        expect(page).to_have_title("My queue – Countersign")
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []


def enter(context: BrowserContext, name: str, url: str) -> None:
    """With the cookie that the form would give: tests/test_services.py signs in with that."""
    session = signed_in(get_user_model().objects.get(username=name)).cookies[settings.SESSION_COOKIE_NAME]
    context.add_cookies([{"name": session.key, "value": session.value, "url": url}])


def press(page: Page, *keys: str) -> None:
    """Once the page listens: what a test waited for may have been seen while its script was still on its way."""
    page.wait_for_load_state("domcontentloaded")
    for key in keys:
        page.keyboard.press(key)


def open_case(page: Page, address: str) -> None:
    """Until the server knows that the page is open, which that tells by itself a second later."""
    with page.expect_response("**/beat/"):
        page.goto(address)
    settled(page)


def settled(page: Page) -> None:
    """Until all that the page has asked for has been answered and is shown."""
    expect(page.locator(".htmx-request,.htmx-swapping,.htmx-settling,.htmx-added")).to_have_count(0)
