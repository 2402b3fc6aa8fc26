"""A table of figures: what the page shows, what a picture is drawn from, and what the CSV says. Pure."""

import csv
import io
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.utils.formats import date_format
from django.utils.safestring import SafeString

from audit.export.csv import safe
from orchestrator.templatetags.parts import grouped, money, percent, span
from orchestrator.words import later as _

from ..measured import Frequency

TEXT, COUNT, SHARE, SPAN, MONEY, DAY = "text", "count", "share", "span", "money", "day"
NINE_TENTHS = 0.9
SHORT = 12  # rows that are shown without unfolding


@dataclass(frozen=True, slots=True)
class Column:
    """`key` heads it in the CSV, `title` on the page."""

    key: str
    title: Any
    kind: str = TEXT


@dataclass(frozen=True, slots=True)
class Table:
    """Rows hold plain values: counts, shares of 1, spans in seconds, amounts in the base currency; None where there is
    nothing to say."""

    key: str
    title: Any
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    note: Any = ""
    chart: SafeString = field(default_factory=SafeString)

    @property
    def is_long(self) -> bool:
        return len(self.rows) > SHORT

    @property
    def cells(self) -> list[list[tuple[str, bool]]]:
        """Each cell as people read it, and whether it is a number."""
        return [
            [(shown(column.kind, value), column.kind not in (TEXT, DAY)) for column, value in self._paired(row)]
            for row in self.rows
        ]

    def _paired(self, row: Sequence[Any]) -> list[tuple[Column, Any]]:
        return list(zip(self.columns, row, strict=True))

    @property
    def csv(self) -> str:
        """RFC 4180, the same rows; numbers as they are, shares of 1, spans in seconds."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([column.key for column in self.columns])
        writer.writerows([[plain(value) for value in row] for row in self.rows])
        return text.getvalue()


def plain(value: Any) -> str:
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)


def shown(kind: str, value: Any) -> str:
    """A value of that kind as people read it."""
    if value is None:
        return "–"
    if kind == SHARE:
        return percent(value)
    if kind == SPAN:
        return span(timedelta(seconds=value)) or "0 s"
    if kind == MONEY:
        return money(value, settings.BASE_CURRENCY)
    if kind == DAY:
        return day(value)
    return grouped(value) if kind == COUNT else str(value)


def whole(value: float) -> str:
    """A count, as it stands beside its bar."""
    return grouped(int(value))


def day(value: date) -> str:
    return date_format(value, "MONTH_DAY_FORMAT")


def middle(values: Sequence[Any]) -> Any:
    """The median; None of nothing."""
    return statistics.median(values) if values else None


def high(values: Sequence[Any]) -> Any:
    """What nine of ten stay within: the nearest rank. None of nothing."""
    return sorted(values)[math.ceil(NINE_TENTHS * len(values)) - 1] if values else None


SHARE_COLUMNS = (
    Column("share", _("Share"), SHARE),
    Column("low", _("From"), SHARE),
    Column("high", _("To"), SHARE),
)


def shares(part: int, whole: int) -> list[float | None]:
    """A share with its interval, for SHARE_COLUMNS."""
    return [part / whole, *Frequency(part, whole).interval] if whole else [None, None, None]
