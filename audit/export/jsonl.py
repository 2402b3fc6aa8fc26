"""JSON Lines: each line is the exact canonical record, byte for byte as it was written."""

SUFFIX = "jsonl"
MEDIA_TYPE = "application/jsonl"
HEADER = b""
COLUMNS = ("body",)


def line(row: tuple[bytes]) -> bytes:
    """One record. Canonical JSON never holds a line break, so the line is the record."""
    return bytes(row[0]) + b"\n"
