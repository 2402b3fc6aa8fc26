"""Pages by key: the next page begins behind the last row shown, so nothing is counted and nothing is skipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

PAGE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one page; `next` is the cursor of the page behind it, or empty."""

    rows: Sequence[Any]
    next: str = ""


def newest_first(rows: QuerySet[Any], field: str, cursor: str) -> Page:
    """A page of `rows` by (`field`, id) descending. A cursor nobody made begins at the first page."""
    place = _place(cursor)
    if place:
        at, pk = place
        rows = rows.filter(Q(**{f"{field}__lt": at}) | Q(**{field: at, "pk__lt": pk}))
    found = list(rows.order_by(f"-{field}", "-pk")[: PAGE + 1])
    shown = found[:PAGE]
    more = len(found) > PAGE
    return Page(shown, f"{getattr(shown[-1], field).isoformat()}_{shown[-1].pk}" if more else "")


def _place(cursor: str) -> tuple[datetime, UUID] | None:
    at, _, pk = cursor.partition("_")
    try:
        return datetime.fromisoformat(at), UUID(pk)
    except ValueError:
        return None
