"""Canonical JSON: one value, one sequence of bytes. A subset of RFC 8785 in which nothing can be ambiguous.

Objects with keys `[a-z0-9_]+` in code-point order, arrays, strings, booleans, null and integers below 2**53 in
magnitude; UTF-8, no insignificant space, no floats. `plain()` brings ordinary Python data into that form.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

INTEGER_LIMIT = 2**53  # beyond it, JavaScript and many JSON readers lose digits
_is_key = re.compile(r"[a-z0-9_]+").fullmatch
_dump = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False).encode


def encode(value: Any) -> bytes:
    """The canonical bytes of `value`. TypeError or ValueError names the path of what has no canonical form."""
    _check(value, "$")
    return encode_plain(value)


def encode_plain(value: Any) -> bytes:
    """The canonical bytes of what `plain()` returned, which needs no second look. For the hot path."""
    try:
        return _dump(value).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{error.object[error.start : error.end]!r}: expected text that UTF-8 can carry") from error


def digest(value: Any) -> str:
    """SHA-256 of the canonical bytes, 64 hexadecimal digits."""
    return hashlib.sha256(encode(value)).hexdigest()


def plain(value: Any, path: str = "$") -> Any:
    """`value` as canonical JSON can carry it.

    Decimals, floats and integers of 2**53 and more become decimal strings; dates and times ISO 8601 (UTC, `Z`); UUIDs
    strings; tuples and sets lists. An object with a key that is not `[a-z0-9_]+` becomes a list of `[key, value]`
    sorted by key. TypeError names the path of anything else, ValueError that of a time without a zone.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if kind is dict:
        if all(type(key) is str and _is_key(key) for key in value):
            return {key: plain(item, f"{path}.{key}") for key, item in value.items()}
        return _pairs(value, path)
    if kind is list or kind is tuple:
        return [plain(item, f"{path}[{place}]") for place, item in enumerate(value)]
    return _plain_scalar(value, path)


def iso_utc(at: datetime, timespec: str = "auto") -> str:
    """ISO 8601 in UTC, ending in `Z`. ValueError for a time without a zone, which names no instant."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()}: expected a time with a zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"


def _plain_scalar(value: Any, path: str) -> Any:
    if isinstance(value, str):  # enumerations and marked-safe text are text
        return str.__str__(value)
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return int(value) if abs(value) < INTEGER_LIMIT else int.__repr__(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, datetime):
        return iso_utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return plain(dict(value), path)
    if isinstance(value, list | tuple):
        return plain(list(value), path)
    if isinstance(value, set | frozenset):
        return sorted((plain(item, path) for item in value), key=encode)
    raise TypeError(
        f"{path}: {type(value).__name__} has no plain form; expected JSON data, a decimal, a time or a UUID"
    )


def _pairs(value: dict[Any, Any], path: str) -> Any:
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"{path}: key {key!r} is {type(key).__name__}; expected text")
    texts = {str.__str__(key): item for key, item in value.items()}
    if all(map(_is_key, texts)):
        return plain(texts, path)
    return [[key, plain(texts[key], f"{path}[{key!r}]")] for key in sorted(texts)]


def _check(value: Any, path: str) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not (isinstance(key, str) and _is_key(key)):
                raise TypeError(f"{path}: key {key!r}; expected lower-case letters, digits and underscores")
            if type(item) is not str:
                _check(item, f"{path}.{key}")
    elif isinstance(value, int):
        if abs(value) >= INTEGER_LIMIT:
            raise ValueError(f"{path}: {value} is 2**53 or more in magnitude; expected a smaller integer, or text")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check(item, f"{path}[{place}]")
    else:
        raise TypeError(f"{path}: {type(value).__name__} {value!r} has no canonical form; use plain() or text")
