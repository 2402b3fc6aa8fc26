"""CSV for spreadsheets: RFC 4180, times ISO 8601 UTC, and no cell that a spreadsheet would run as a formula."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from ..canonical import iso_utc

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


def encode(rows: Iterable[tuple[Any, ...]]) -> bytes:
    """One record per event: its columns, and last what it says as canonical JSON."""
    return _records(
        (iso_utc(at, "milliseconds"), str(key), *map(safe, columns), data_of(bytes(body)))
        for at, key, *columns, body in rows
    )


def data_of(body: bytes) -> str:
    """The value of `data` in a canonical record, cut out as it stands.

    Keys are sorted, so `data` stands between `at` and `id`; a quotation mark inside text is escaped, so neither
    pattern occurs in text; and no member after `id` is an object.
    """
    return body[body.index(b',"data":') + 8 : body.rindex(b',"id":"')].decode()


def _records(records: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(records)
    return text.getvalue().encode()


HEADER = _records([[*COLUMNS[:-1], "data"]])
