"""Looking at pages as a person would: signed in, with the parts of a page that matter."""

import re
from html.parser import HTMLParser
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from reviews.models import Review

MOST_NODES = 1_500  # elements a page may have: beyond, every change of it is felt


def signed_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def admin_named(name: str) -> Client:
    """A new superuser, signed in."""
    return signed_in(get_user_model().objects.create_superuser(name))


def case_url(review: Review, what: str = "") -> str:
    return reverse(f"case{what and '-'}{what}", args=[review.task_id])


def text_of(response: Any) -> str:
    return response.content.decode()


class _Nodes(HTMLParser):
    found = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found += 1


def nodes_of(page: str) -> int:
    """Elements of a page as a browser has them, which makes none of its own where all are written out."""
    parser = _Nodes()
    parser.feed(page)
    return parser.found


def form_of(response: Any) -> dict[str, str]:
    """The hidden fields of the decision form: what binds the answer to what was shown."""
    return dict(
        re.findall(r'<input type="hidden" name="(review|round|digest|nonce|opened)" value="([^"]*)"', text_of(response))
    )


def decide(client: Client, review: Review, verdict: str, query: str = "", **fields: str) -> Any:
    """Opens the case, fills in the form and posts it."""
    shown = form_of(client.get(case_url(review) + query))
    given = {name.replace("__", ":"): value for name, value in fields.items()}
    return client.post(case_url(review, "decide") + query, shown | {"verdict": verdict} | given)
