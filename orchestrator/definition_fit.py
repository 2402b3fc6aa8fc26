"""Does what a step gives fit what the next one takes? Only what surely cannot fit is said. Pure. No Django."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.said import said as _
from orchestrator.shorthand import branches, suggest

Schema = Mapping[str, Any]
DEPTH = 4


def mismatches(wanted: Schema, given: Schema, *, path: str = "") -> Iterator[str]:
    """What in a value of schema `given` cannot be what schema `wanted` asks for (JSON Schema, each its own root)."""
    yield from _mismatches(wanted, wanted, given, given, path, DEPTH)


def _mismatches(wanted: Schema, w_root: Schema, given: Schema, g_root: Schema, path: str, depth: int) -> Iterator[str]:
    asked, offered = branches(wanted, w_root), branches(given, g_root)
    if len(asked) != 1 or len(offered) != 1 or depth == 0:
        return  # alternatives: it cannot be told which of them it will be
    [want], [have] = asked, offered
    expected, found = _types(want), _types(have)
    if expected and found and not expected & found:
        yield _(
            "%(value)s is %(found)s, expected %(expected)s",
            value=path or "it",
            found=_or(found),
            expected=_or(expected),
        )
        return
    known, closed = have.get("properties"), not have.get("additionalProperties", False)
    for key in want.get("required", ()) if known and closed else ():
        if key not in known:
            yield _("it has no %(path)s%(key)s", path=_join(path, key), key=suggest(key, known))
    for key, part in want.get("properties", {}).items():
        if known and key in known:
            yield from _mismatches(part, w_root, known[key], g_root, _join(path, key), depth - 1)
    if "items" in want and "items" in have:
        yield from _mismatches(want["items"], w_root, have["items"], g_root, f"{path}[]", depth - 1)


def _types(schema: Schema) -> set[str]:
    """The JSON types a value may have; an integer is a number too."""
    kind = schema.get("type")
    types = {kind} if isinstance(kind, str) else set(kind or ())
    return types | ({"number"} if "integer" in types else set()) | ({"integer"} if "number" in types else set())


def _or(types: set[str]) -> str:
    return "/".join(sorted(types))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
