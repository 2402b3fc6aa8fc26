"""Differences as questions: what is about the same value is asked once, so that no two answers can contradict."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Question:
    """Differences about one value (or one, about none). `options` are the distinct values with all their sources;
    answers are filed under the first difference's id."""

    number: int
    items: Sequence[Mapping[str, Any]]
    options: Sequence[tuple[Any, str]]  # (value, "who says so, and who else")

    @property
    def id(self) -> str:
        return str(self.items[0]["id"])

    @property
    def pointer(self) -> str:
        return self.items[0]["pointer"] or ""

    @property
    def anchor(self) -> str:
        """Where it is answered on the page: its first choice, or the whole of it where there is none."""
        return f"{'p' if self.pointer and self.options else 'f'}{self.number}"

    @property
    def stops(self) -> bool:
        return any(item["severity"] == "stop" for item in self.items)

    @property
    def title(self) -> str:
        return "; ".join(dict.fromkeys(item["title"] for item in self.items))

    @property
    def messages(self) -> list[str]:
        return list(dict.fromkeys(item["message"] for item in self.items))

    @property
    def earlier(self) -> list[str]:
        """What other cases it is about, as the steps name them."""
        return list(dict.fromkeys(item["earlier"] for item in self.items if item.get("earlier")))


def questions_of(differences: Sequence[Mapping[str, Any]]) -> list[Question]:
    """The differences of a packet, those about the same pointer together, in the order of the first of each."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for item in differences:
        groups.setdefault(item["pointer"] or f"#{item['id']}", []).append(item)
    return [Question(number, items, options_of(items)) for number, items in enumerate(groups.values(), 1)]


def options_of(items: Sequence[Mapping[str, Any]]) -> list[tuple[Any, str]]:
    """The distinct values, in the order they were named; 24 and 24.00 are one value."""
    values: dict[Any, Any] = {}
    sources: dict[Any, dict[str, None]] = {}
    for option in (option for item in items for option in item["options"]):
        key = same(option["value"])
        values.setdefault(key, option["value"])
        sources.setdefault(key, {})[option["source"]] = None
    return [(value, ", ".join(sources[key])) for key, value in values.items()]


def same(value: Any) -> Any:
    """What makes two values one: numbers by what they come to, anything else (00123, say) as it stands."""
    return Decimal(value) if isinstance(value, str) and NUMBER.fullmatch(value) else (type(value), value)
