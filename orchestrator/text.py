"""Text that can be kept: what a database, a file of the trail and a page can hold alike. Pure."""

import math
from collections.abc import Iterator
from typing import Any


def is_storable(text: str) -> bool:
    """Neither NUL, which PostgreSQL cannot hold, nor a lone surrogate, which UTF-8 cannot carry."""
    return "\0" not in text and text == storable(text)


def storable(text: str) -> str:
    """What of it can be kept, for words of others that are only to be read."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def unstorable(value: Any, path: str = "") -> Iterator[str]:
    """Where plain data holds what no database can: such text, and numbers that are none."""
    match value:
        case str() if not is_storable(value):
            yield f"{path or 'it'}: holds a character that no text has"
        case float() if not math.isfinite(value):
            yield f"{path or 'it'}: is {value}, which is no number"
        case dict():
            for key, inner in value.items():
                yield from unstorable(str(key), f"{path}.{ascii(key)[1:-1]}".strip("."))
                yield from unstorable(inner, f"{path}.{ascii(key)[1:-1]}".strip("."))
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from unstorable(inner, f"{path}.{index}".strip("."))
