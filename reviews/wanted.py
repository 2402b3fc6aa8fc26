"""What the address of a list asks for. Its parts are named here one by one: nothing else reaches the database."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import BadRequest
from django.utils.translation import gettext

from orchestrator.words import later as _

from .models import Review, band_of
from .querysets import URGENCY

SORTS = {
    "due": _("By due band, then exposure"),
    "oldest": _("Oldest first"),
    "newest": _("Newest first"),
    "exposure": _("Largest exposure"),
}
# Columns of an order go all the same way, so that "behind this row" is one comparison, which an index answers.
ORDERS = {"due": URGENCY, "oldest": ("opened_at", "id"), "newest": ("opened_at", "id"), "exposure": ("rank", "id")}
DESCENDING = ("newest",)
OWNERS = {
    "": _("Any owner"),
    "free": _("Held by nobody"),
    "mine": _("Held by me"),
    "others": _("Held by somebody else"),
}
MINE, ALL = "mine", "all"
LONGEST_SEARCH = 100
SLUG = re.compile(r"[-\w]{0,60}")
CURSOR = re.compile(r"[-+.:~\w]{0,200}")


class Unknown(BadRequest):
    """The address asks for something there is not. A link of ours never does."""

    def __init__(self, name: str, value: str, expected: str) -> None:
        super().__init__(
            gettext("%(name)s: %(value)r; expected %(expected)s")
            % {"name": name, "value": value[:60], "expected": expected}
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """`view` names one of inbox.OWN_VIEWS, `all`, or a queue; `like` a case that the others resemble. A search without
    a view looks everywhere."""

    view: str = MINE
    wf: str = ""
    why: str = ""
    owner: str = ""
    sort: str = "due"
    q: str = ""
    like: str = ""
    cursor: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Wanted":
        """From a query string, of which other parts are not looked at. Unknown."""
        given = {name: query[name].strip() for name in cls.__slots__ if name in query}
        for name, (legal, expected) in LEGAL.items():
            if name in given and not legal(given[name]):
                raise Unknown(name, given[name], expected)
        found = cls(**{name: value for name, value in given.items() if value})
        if found.q and not given.get("view"):
            found = replace(found, view=ALL, sort=given.get("sort") or "newest")
        if found.cursor:
            cursor_values(found.cursor, found.order)
        return found

    @classmethod
    def strictly(cls, query: Mapping[str, str]) -> "Wanted":
        """The same, where nothing but these parts may stand. Unknown."""
        for name in query:
            if name not in cls.__slots__:
                raise Unknown(name, query[name], gettext("one of %(parts)s") % {"parts": ", ".join(cls.__slots__)})
        return cls.of(query)

    @property
    def is_narrowed(self) -> bool:
        return bool(self.wf or self.why or self.q or self.owner or self.like)

    @property
    def has_words(self) -> bool:
        """It is found by the words of its cases."""
        return bool(self.q or self.why)

    @property
    def query(self) -> str:
        """The query string without the cursor. It travels with a case, so that the next one is of the same list."""
        defaults = Wanted()
        parts = {name: getattr(self, name) for name in Wanted.__slots__ if name != "cursor"}
        said = {name: value for name, value in parts.items() if value != getattr(defaults, name)}
        return urlencode({"view": self.view, **said} if self.q else said)

    @property
    def order(self) -> Sequence[str]:
        """The columns of its order."""
        return ORDERS[self.sort]

    @property
    def descends(self) -> bool:
        return self.sort in DESCENDING

    @property
    def key(self) -> list[Any]:
        """Where the page before this one ended; empty for the first."""
        return cursor_values(self.cursor, self.order) if self.cursor else []


def cursor_of(row: Review, order: Sequence[str], now: datetime) -> str:
    return "~".join(v.isoformat() if isinstance(v, datetime) else str(v) for v in key_of(row, order, now))


def key_of(row: Review, order: Sequence[str], now: datetime) -> list[Any]:
    """Where a row stands in an order; one that is no longer live, where it would stand."""
    band = band_of(row.due_at, now) if row.band is None else row.band
    return [band if name == "band" else getattr(row, name) for name in order]


READERS: Mapping[str, Callable[[str], Any]] = {
    "band": int,
    "rank": int,
    "due_at": datetime.fromisoformat,
    "opened_at": datetime.fromisoformat,
    "id": UUID,
}
LARGEST = 2**63


def cursor_values(cursor: str, order: Sequence[str]) -> list[Any]:
    """Unknown for a cursor that is none of this order's."""
    try:
        values = [READERS[name](part) for name, part in zip(order, cursor.split("~"), strict=True)]
    except ValueError:
        raise Unknown("cursor", cursor, gettext("the one behind Show more")) from None
    naive = any(isinstance(value, datetime) and value.tzinfo is None for value in values)
    if naive or any(isinstance(value, int) and abs(value) >= LARGEST for value in values):
        raise Unknown("cursor", cursor, gettext("the one behind Show more"))
    return values


def is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return not text


def is_search(text: str) -> bool:
    return len(text) <= LONGEST_SEARCH and "\0" not in text


LEGAL: dict[str, tuple[Any, str]] = {
    **dict.fromkeys(("view", "wf", "why"), (SLUG.fullmatch, _("letters, digits and hyphens, 60 at most"))),
    "owner": (OWNERS.__contains__, _("one of %(names)s") % {"names": ", ".join(filter(None, OWNERS))}),
    "sort": (lambda text: not text or text in SORTS, _("one of %(sorts)s") % {"sorts": ", ".join(SORTS)}),
    "q": (is_search, _("text of at most %(longest_search)s characters") % {"longest_search": LONGEST_SEARCH}),
    "like": (is_uuid, _("the id of a case")),
    "cursor": (CURSOR.fullmatch, _("the one behind Show more")),
}
