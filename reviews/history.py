"""What happened on a case before: every judgement, every source read, and what it took so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from .findings import label
from .lookalikes import visible
from .models import Review
from .paper import shown
from .passages import Texts

SHORTEST = 4  # letters of a key that names a row beyond doubt


@dataclass(frozen=True, slots=True)
class Change:
    """A value somebody corrected."""

    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Quote:
    """Words an agent quoted. `founded`: whether they stand in the document; None: not to be checked."""

    words: str
    where: str
    founded: bool | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One judgement. `said` is free text of whoever made it; `taken_back`: it was recalled and no longer counts."""

    item: Mapping[str, Any]
    at: datetime | None
    said: str
    taken_back: bool
    repeats: bool
    changes: Sequence[Change]
    quotes: Sequence[Quote]


def history_of(packet: Mapping[str, Any], texts: Texts) -> list[Entry]:
    """Every judgement, newest first. A policy that says again what it said before is told without its words."""
    recalled = {item.get("recalls") for item in packet["decisions"] if item.get("recalls")}
    entries, fired_before = [], None
    for item in packet["decisions"]:
        is_policy = item["actor_kind"] == "policy"
        fired = item.get("fired")
        repeats = is_policy and fired is not None and fired == fired_before
        fired_before = fired if is_policy else fired_before
        entries.append(_entry(item, texts, item["id"] in recalled, repeats))
    return entries[::-1]


def _entry(item: Mapping[str, Any], texts: Texts, taken_back: bool, repeats: bool) -> Entry:
    changes = [
        Change(name_of(one["pointer"]), _shown(one["pointer"], one["old"]), _shown(one["pointer"], one["new"]))
        for one in item.get("corrected") or ()
    ]
    quotes = [
        Quote(visible(one["quote"]), place_of(one), texts.holds(one["document"], one))
        for one in item.get("quotes") or ()
    ]
    said = "" if repeats else visible(item["rationale"])
    return Entry(item, parse_datetime(item["at"]), said, taken_back, repeats, changes, quotes)


def _shown(pointer: str, value: Any) -> str:
    return visible(shown(pointer, value))


def name_of(pointer: str) -> str:
    """`/read/invoice/lines/0/unit_price` is Unit price, line 1."""
    parts = pointer.strip("/").split("/")
    line = next((int(part) + 1 for part in parts if part.isdecimal()), None)
    return label(parts[-1]) + (gettext(", line %(line)s") % {"line": line} if line else "")


def place_of(passage: Mapping[str, Any]) -> str:
    if passage.get("page"):
        return gettext("page %(page)s") % {"page": passage["page"]}
    return gettext("line %(line)s") % {"line": passage["line"]} if passage.get("line") else ""


def sources_of(packet: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every read, newest first. It `conflicts` where a difference of the same step names the row that was read."""
    rows = [
        {**item, "at": parse_datetime(item["at"]), "conflicts": conflicts(item, packet)} for item in packet["sources"]
    ]
    return rows[::-1]


def conflicts(source: Mapping[str, Any], packet: Mapping[str, Any]) -> bool:
    key = str(source["query"]).rpartition("=")[2].strip()
    if not source["rows"] or len(key) < SHORTEST:
        return False
    found = [
        item for item in packet["differences"] if item["step"] == source.get("step") and item["severity"] == "stop"
    ]
    return any(key in words for item in found for words in (item["message"], *(o["source"] for o in item["options"])))


@dataclass(frozen=True, slots=True)
class Spent:
    """What the case took so far: machine time, time spent waiting for people, and what agents cost."""

    machine: timedelta
    waiting: timedelta
    cost: Decimal


def spent_on(review: Review) -> Spent:
    """Of a case that is decided, the waiting ended with the answer."""
    machine = timedelta(milliseconds=review.packet.get("machine_ms", 0))
    began = review.task.started_at or review.opened_at
    cost = sum((Decimal(item.get("cost") or 0) for item in review.packet["decisions"]), Decimal(0))
    return Spent(machine, max((review.settled_at or timezone.now()) - began, timedelta()), cost)
