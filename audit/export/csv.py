"""CSV for spreadsheets: RFC 4180, times ISO 8601 UTC, and no cell that a spreadsheet would run as a formula."""

import csv
import io
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ..canonical import encode_plain, iso_utc

SUFFIX = "csv"
MEDIA_TYPE = "text/csv; charset=utf-8"
COLUMNS = (
    "at",
    "id",
    "kind",
    "actor_kind",
    "actor_id",
    "actor_label",
    "subject_type",
    "subject_id",
    "run",
    "workflow",
    "queue",
    "body",
)
# OWASP, CSV injection; the full-width forms are read as formulas by spreadsheets in East Asian locales.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe(cell: str) -> str:
    """`cell`, with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _record(cells: Iterable[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def line(row: tuple[Any, ...]) -> bytes:
    """One record: the columns, and last what the event says as canonical JSON."""
    at: datetime = row[0]
    data = encode_plain(json.loads(row[-1])["data"])
    return _record([iso_utc(at, "milliseconds"), *(safe(str(cell)) for cell in row[1:-1]), safe(data.decode())])


HEADER = _record([*COLUMNS[:-1], "data"])
