"""Digests of plain data. Pure."""

import hashlib
import json
from typing import Any


def digest(value: Any) -> str:
    """SHA-256, in hex, of the value as JSON with sorted keys and no insignificant space."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
