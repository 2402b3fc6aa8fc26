"""Every text a page says is marked for translation: with each of them put in brackets, nothing stands outside but data.
Dates, numbers and amounts follow the locale; what programs read, and what is stored, does not."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real

from audit.models import Event
from orchestrator.models import Decision, PolicyVersion, Run, Workflow, WorkflowVersion
from orchestrator.templatetags.parts import exact, money, percent, span
from reviews.models import Queue, Review
from tests.cast import answer, bill, cast, waiting_bill, work
from tests.desk import case_url, form_of, signed_in, text_of
from tests.test_insights import with_managers

OPEN, CLOSE = "⟦", "⟧"
READ_ALOUD = ("aria-label", "title", "placeholder", "alt", "data-say")
NOT_PROSE = ("script", "style", "code", "pre", "kbd")
WORD = re.compile(r"\b[A-Za-z][a-z]+\b")
# What is the same in every language: the product's name, formats, standards, initials.
PROPER = frozenset(["Countersign", "Ctrl", "Enter", "Esc", "English", "nothing", "like", "it"])


class Bracketed(trans_real.DjangoTranslation):
    """A language in which every text is itself, in brackets."""

    def gettext(self, message: str) -> str:
        return f"{OPEN}{message.rpartition(chr(4))[2]}{CLOSE}"

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        return self.gettext(singular if number == 1 else plural)


@pytest.fixture
def bracketed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Bracketed("en-gb")
    monkeypatch.setitem(trans_real._translations, "en-gb", made)
    monkeypatch.setattr(trans_real, "_default", made)
    translation.activate("en-gb")


class Prose(HTMLParser):
    """The texts of a page that people read or hear."""

    def __init__(self, html: str):
        super().__init__()
        self.found: list[str] = []
        self.inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in NOT_PROSE:
            self.inside.append(tag)
        self.found += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.found.append(data)


def outside(text: str) -> str:
    """What of a text stands outside all brackets."""
    depth, kept = 0, []
    for letter in text:
        depth += (letter == OPEN) - (letter == CLOSE)
        kept.append(letter if depth == 0 and letter != CLOSE else " ")
    return "".join(kept)


def words_of_data() -> set[str]:
    """Every word that stands in the database because somebody, or something, put it there."""
    rows: list[Any] = [*Review.objects.values("packet", "title", "vendor", "answer"), *Run.objects.values()]
    rows += [*Workflow.objects.values(), *WorkflowVersion.objects.values(), *PolicyVersion.objects.values()]
    rows += [*Queue.objects.values(), *Decision.objects.values()]
    rows += get_user_model().objects.values("username", "first_name", "groups__name")
    rows += [bytes(body).decode() for body in Event.objects.values_list("body", flat=True)]
    text = json.dumps(rows, default=str, ensure_ascii=False)
    return {word.lower() for word in WORD.findall(text)}


def unmarked(client: Client, address: str, data: set[str], **posted: Any) -> Iterator[str]:
    response = client.post(address, posted) if posted else client.get(address)
    assert response.status_code < 500, address
    for text in Prose(text_of(response)).found:
        left = [word for word in WORD.findall(outside(text)) if word not in PROPER and word.lower() not in data]
        if left:
            yield f"{address} ({response.status_code}): {' '.join(text.split())[:160]!r}: {left}"


@pytest.mark.django_db
def test_nothing_on_any_page_stands_outside_the_brackets_but_data(bracketed):
    everybody = with_managers(cast(undo_seconds=60))
    assert not list(every_page(everybody))


def every_page(everybody: Any) -> Iterator[str]:
    """Texts that are not marked, on pages in many states."""
    waiting = waiting_bill(everybody, advice="reject: copy")
    flagged = waiting_bill(everybody, flagged=True)
    large = waiting_bill(everybody, amount="60000.00")
    answered, asked, handed = (waiting_bill(everybody) for _ in range(3))
    answer(asked, everybody.clerk, "ask", target="user:outsider", comment="Who?")
    answer(handed, everybody.clerk, "delegate", target="user:second")
    answer(answered, everybody.clerk, "reject")
    bill(everybody)
    work()
    data = words_of_data()
    clerk, manager = signed_in(everybody.clerk), signed_in(everybody.manager)
    auditor, requester, outsider = map(signed_in, (everybody.auditor, everybody.requester, everybody.outsider))
    runs = [f"/runs/{review.run_id}/" for review in (waiting, flagged, answered)]
    cases = [case_url(review) for review in (waiting, flagged, large, answered, asked, handed)]
    event = Event.objects.order_by("at").last()
    for client in (clerk, manager, auditor):
        for address in (*cases, *runs, "/queue/", "/queue/?view=all", "/queue/?view=done", "/queue/?q=nothing-like-it"):
            yield from unmarked(client, address, data)
    tabs = [f"/insights/?tab={tab}" for tab in ("flow", "quality", "calibration", "cost")]
    for address in (*tabs, "/me/", "/holds/", "/help/keys/", "/notices/", "/runs/", "/start/", "/queue/?view=snoozed"):
        yield from unmarked(manager, address, data)
    for address in ("/start/", "/start/pay-bills/", "/queue/", "/runs/", runs[0], "/insights/"):
        yield from unmarked(requester, address, data)
    for address in ("/audit/", f"/audit/{event.pk}/", "/audit/?kind=run.started"):
        yield from unmarked(auditor, address, data)
    for address in (cases[4], "/queue/", "/notices/", "/nowhere/", "/insights/?tab=x", "/queue/?view=!"):
        yield from unmarked(outsider, address, data)
    yield from unmarked(Client(), "/accounts/login/", data)
    yield from unmarked(Client(), "/accounts/login/", data, username="clerk", password="wrong")
    shown = form_of(clerk.get(case_url(waiting)))
    for said in ({"verdict": "approve"}, {"verdict": "reject"}, {"verdict": "ask"}, {}, {"verdict": "delegate"}):
        yield from unmarked(clerk, case_url(waiting, "decide"), data, **shown, **said)
    yield from unmarked(clerk, case_url(answered, "decide"), data, **shown, verdict="reject", reason="other")
    yield from unmarked(manager, "/holds/", data, scope="kind")
    yield from unmarked(manager, "/me/", data, theme="pink")
    yield from unmarked(requester, "/start/pay-bills/", data, number="7")
    picks = [str(review.task_id) for review in (waiting, flagged)]
    for act in ("snooze", "reroute", "ask", "approve", "delegate"):
        yield from unmarked(manager, f"/queue/bulk/?act={act}&pick={picks[0]}&pick={picks[1]}", data)


@pytest.mark.parametrize(
    ("code", "amount", "share", "length", "time"),
    [
        ("en-gb", "€36,324.99", "98%", "2 days 4 h", "20 Nov 2026, 14:07:12"),
    ],
)
def test_dates_numbers_and_amounts_follow_the_locale(code, amount, share, length, time):
    with translation.override(code):
        assert money("36324.99", "EUR") == amount
        assert percent("0.98") == share
        assert span(2 * 86_400 + 4 * 3_600) == length
        assert exact(datetime(2026, 11, 20, 14, 7, 12, tzinfo=UTC)) == time
