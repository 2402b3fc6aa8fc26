"""A page with every marked text in brackets: what is left outside is data, or was forgotten."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real

from audit.models import Event
from orchestrator.models import Decision, PolicyVersion, Run, Workflow, WorkflowVersion
from reviews.models import Queue, Review
from tests.desk import text_of

OPEN, CLOSE = "⟦", "⟧"
READ_ALOUD = ("aria-label", "title", "placeholder", "alt", "data-say")
NOT_PROSE = ("script", "style", "code", "pre", "kbd")
WORD = re.compile(r"\b[A-Za-z][a-z]+\b")
# What is the same in every language: the product's name, formats, standards, initials.
PROPER = {"Countersign", "Ctrl", "Enter", "Esc", "nothing", "like", "it"} | {name for _code, name in settings.LANGUAGES}


class Bracketed(trans_real.DjangoTranslation):
    """A language in which every text is itself, in brackets."""

    def gettext(self, message: str) -> str:
        return f"{OPEN}{message.rpartition(chr(4))[2]}{CLOSE}"

    def ngettext(self, singular: str, plural: str, number: int) -> str:
        return self.gettext(singular if number == 1 else plural)


def put_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
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
        given = dict(attrs)
        names = (*READ_ALOUD, "value") if given.get("type") in ("submit", "button") else READ_ALOUD
        self.found += [given[name] for name in names if given.get(name)]

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
