"""Which part of the trail is asked for: the same on the page, in the export and in the command."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext

from .kinds import KINDS, NOUNS


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty means any. `since` is included, `until` is not; `actor` is an id, user name or name, `q` any id."""

    kinds: tuple[str, ...] = ()
    actor: str = ""
    runs: tuple[str, ...] = ()
    workflow: str = ""
    queue: str = ""
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""

    def as_data(self) -> dict[str, Any]:
        """The filters that are set, for the record of an export."""
        return {name: value for name, value in asdict(self).items() if value}


def kinds_of(name: str) -> tuple[str, ...]:
    """The kinds behind a filter value: a kind itself, or all of a noun (`review`)."""
    return (name,) if name in KINDS else tuple(kind for kind in KINDS if kind.startswith(f"{name}."))


def first_instant(day: date) -> datetime:
    """Midnight at the start of `day` in the current time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


def after(day: date) -> datetime:
    return first_instant(day + timedelta(days=1))


def parse_instant(text: str, *, field: str, end: bool = False) -> datetime:
    """An instant from ISO 8601: a time, or a day (with `end`, the instant after it). Without a zone, the current one.

    ValueError names the field, the value and the expectation.
    """
    try:
        if len(text) == len("2026-01-31"):
            day = date.fromisoformat(text)
            return after(day) if end else first_instant(day)
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else timezone.make_aware(at)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{field}: {text!r}; expected a day (2026-01-31) or a time (2026-01-31T14:00Z)") from error


def grouped_kinds() -> Iterable[tuple[str, Any]]:
    """The kinds under their nouns, the whole noun first: choices of a select, made anew for each reader's language."""
    yield "", gettext("Anything")
    for noun, words in NOUNS.items():
        every = gettext("%(noun)s: all") % {"noun": words}
        yield str(words), [(noun, every), *((kind, KINDS[kind]) for kind in kinds_of(noun))]
