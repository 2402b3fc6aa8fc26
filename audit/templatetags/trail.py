"""What the pages of the trail need to show records to people."""

from datetime import datetime
from typing import Any

from django import template
from django.utils.formats import date_format

register = template.Library()
BADGES = {"agent": "who bot", "policy": "who sys", "system": "who sys"}


@register.filter
def initials(name: str) -> str:
    """Two letters for a badge: `Mara Lindholm` is ML, `invoices.read` is IN."""
    words = name.split()
    return "".join(word[0] for word in (words[0], words[-1])).upper() if len(words) > 1 else name[:2].upper()


@register.filter(expects_localtime=True)
def exact(moment: datetime | None, form: str = "DATETIME_FORMAT") -> str:
    """A moment in one of the locale's formats that end in minutes, to the second: `20 Nov 2026, 14:07:12`."""
    return f"{date_format(moment, form)}:{moment:%S}" if moment else ""


@register.filter
def badge(actor_kind: str) -> str:
    """The classes of the badge of a person, an agent, or the machinery."""
    return BADGES.get(actor_kind, "who")


@register.filter
def short(key: str) -> str:
    """An id short enough for a table. Its end: ids made one after the other begin alike."""
    text = str(key)
    return text if len(text) <= 24 else f"…{text[-12:]}"


@register.filter
def lines(data: Any) -> list[tuple[str, Any]]:
    """Nested data as (path, value), one line per value, in order: `{"a": {"b": [1]}}` is `[("a › b › 1", 1)]`."""
    return list(_lines(data, ()))


def _lines(value: Any, path: tuple[str, ...]) -> Any:
    inner = value.items() if isinstance(value, dict) else enumerate(value, 1) if isinstance(value, list) else None
    if inner is None or not value:
        yield " › ".join(path), value
        return
    for key, item in inner:
        yield from _lines(item, (*path, str(key).replace("_", " ")))
