"""The short way to write types (`string?`, `[document]`, `{amount: money}`) as JSON Schema draft 2020-12. No Django."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from orchestrator.said import said as _

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MAX_TEXT = 10_000
MAX_ITEMS = 1_000
MONEY = {
    "type": "object",
    "format": "money",
    "properties": {
        "amount": {"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    },
    "required": ["amount", "currency"],
    "additionalProperties": False,
}
TYPES: Mapping[str, Mapping[str, Any]] = {
    "string": {"type": "string", "maxLength": MAX_TEXT},
    "document": {"type": "string", "format": "document", "minLength": 1, "maxLength": 64},
    "decision": {"type": "string", "format": "decision", "minLength": 1, "maxLength": 64},
    "number": {"type": "number"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "money": MONEY,
    "date": {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
}


def schema_of(written: Any) -> tuple[dict[str, Any], bool]:
    """(schema, required) of one type as written: a name, `[type]`, or a map of fields; a trailing `?` is optional."""
    if isinstance(written, Mapping):
        return object_schema({name: schema_of(value) for name, value in written.items()}), True
    if isinstance(written, list) and len(written) == 1:
        return {"type": "array", "items": schema_of(written[0])[0], "maxItems": MAX_ITEMS}, True
    if not isinstance(written, str):
        raise ValueError(
            _(
                "%(written)r is no type; expected one of %(types)s, a list of one, or a map",
                written=written,
                types=", ".join(TYPES),
            )
        )
    name, required = (written[:-1], False) if written.endswith("?") else (written, True)
    if name.startswith("[") and name.endswith("]"):
        return schema_of([name[1:-1].strip()])[0], required
    if name not in TYPES:
        raise ValueError(
            _(
                "%(name)r is no type%(name2)s; types are %(types)s",
                name=name,
                name2=suggest(name, TYPES),
                types=", ".join(TYPES),
            )
        )
    return dict(TYPES[name]), required


def object_schema(fields: Mapping[str, tuple[Mapping[str, Any], bool]]) -> dict[str, Any]:
    """A closed object schema of {name: (schema, required)}, in the order given."""
    return {
        "type": "object",
        "properties": {name: dict(schema) for name, (schema, _) in fields.items()},
        "required": [name for name, (_, required) in fields.items() if required],
        "additionalProperties": False,
    }


def suggest(name: str, known: Collection[str]) -> str:
    """`; did you mean 'approve'?`, or nothing when no known name is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return _("; did you mean %(value)r?", value=close[0]) if close else ""


def branches(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int = 0) -> list[Mapping[str, Any]]:
    """The alternatives a schema allows, `$ref`, `anyOf`, `oneOf` and `allOf` followed, `null` left out."""
    if depth > 20:
        return [{}]
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return branches(root.get("$defs", {}).get(name, {}), root, depth + 1)
    parts = [part for word in ("anyOf", "oneOf", "allOf") for part in schema.get(word, ())]
    if parts and "properties" not in schema:
        return [found for part in parts for found in branches(part, root, depth + 1)]
    return [] if schema.get("type") == "null" else [schema]


def missing_in(schema: Mapping[str, Any], path: tuple[str, ...]) -> tuple[str, Collection[str]] | None:
    """(first key the schema rules out, the keys it knows there); None where the path exists or cannot be told."""
    level = branches(schema, schema)
    for key in path:
        below = [_child(part, key) for part in level]
        if not below or all(found is None for found in below):
            return key, sorted({name for part in level for name in part.get("properties", {})})
        level = [leaf for found in below if found is not None for leaf in branches(found, schema)]
    return None


def types_at(schema: Mapping[str, Any], path: tuple[str, ...]) -> set[str]:
    """JSON types a value at `path` may have; the empty set where it cannot be told."""
    level = branches(schema, schema)
    for key in path:
        below = [_child(part, key) for part in level]
        level = [leaf for found in below if found is not None for leaf in branches(found, schema)]
    types: set[str] = set()
    for part in level:
        kind = part.get("type")
        if kind is None:
            return set()
        types.update([kind] if isinstance(kind, str) else kind)
    return types - {"null"}


def _child(schema: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    if key in schema.get("properties", {}):
        return schema["properties"][key]
    if schema.get("type") == "array":
        return schema.get("items", {}) if key.isdigit() else None
    if schema.get("type") == "object" or "properties" in schema:
        extra = schema.get("additionalProperties", "properties" not in schema)
        return extra if isinstance(extra, Mapping) else {} if extra else None
    return {} if "type" not in schema else None
