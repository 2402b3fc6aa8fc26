"""Lists by key: the next page begins behind the last row, so that nothing is counted, skipped or shown twice."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext
from ninja import Query

from .errors import invalid

PAGE, MOST = 50, 200
Limit = Annotated[int, Query(ge=1, le=MOST, description="Rows of a page.")]
Cursor = Annotated[str, Query(max_length=200, description="The `next` of the page before.")]


def page(
    rows: QuerySet[Any],
    show: Callable[[Any], dict[str, Any]],
    *,
    by: str,
    cursor: str,
    limit: int,
    descending: bool = True,
) -> dict[str, Any]:
    """{"items", "next"} of `rows` by (`by`, primary key). ApiError 422 for a cursor that was not made here."""
    after, sign = ("lt", "-") if descending else ("gt", "")
    if cursor:
        at, pk = _place(cursor)
        # The first condition is what an index can start from.
        rows = rows.filter(Q(**{f"{by}__{after}e": at}) & (Q(**{f"{by}__{after}": at}) | Q(**{f"pk__{after}": pk})))
    found: Sequence[models.Model] = list(rows.order_by(f"{sign}{by}", f"{sign}pk")[: limit + 1])
    shown = found[:limit]
    more = len(found) > limit
    return {"items": [show(row) for row in shown], "next": _cursor(shown[-1], by) if more else None}


def _cursor(row: models.Model, by: str) -> str:
    return urlsafe_b64encode(f"{getattr(row, by).isoformat()} {row.pk}".encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, UUID]:
    try:
        at, pk = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        return datetime.fromisoformat(at), UUID(pk)
    except ValueError:
        raise invalid(
            ("cursor", gettext("was not made by this list; leave it out to begin at the first page"))
        ) from None
