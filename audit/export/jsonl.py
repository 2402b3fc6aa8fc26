"""JSON Lines: each line is the exact canonical record, byte for byte as it was written."""

from collections.abc import Iterable

SUFFIX = "jsonl"
MEDIA_TYPE = "application/jsonl"
HEADER = b""
COLUMNS = ("body",)


def encode(rows: Iterable[tuple[bytes]]) -> bytes:
    """One line per event. Canonical JSON never holds a line break, so a line is a record."""
    return b"".join([bytes(body) + b"\n" for (body,) in rows])
