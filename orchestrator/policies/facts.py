"""Facts: what a policy may know of a case, each with a type. Values that do not fit are problems, never guesses.

| type | value | read from |
|---|---|---|
| bool | bool | true, false |
| int | int (64 bit) | whole numbers, also as text |
| float | finite float | numbers, also as decimal text |
| str | str, up to 10,000 characters | text |
| money | int, minor units of the base currency | an amount and its currency, by the rate table |
| date | ISO 8601 text, `2026-03-31` | the same, or a date |
| list[str] | list of str, up to 1,000 of 1,000 characters | a list of text |
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from orchestrator.definition_model import FactSource, lookup
from orchestrator.policies import money
from orchestrator.said import said as _

MAX_TEXT = 10_000
MAX_ITEMS = MAX_ITEM_TEXT = 1_000
INT64 = 2**63


@dataclass(frozen=True, slots=True)
class Facts:
    """Typed `values`; `problems` tells why a finished fact has none; a fact not `finished` may still come."""

    values: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    finished: frozenset[str] = frozenset()


def gather(
    sources: Mapping[str, FactSource],
    vocabulary: Mapping[str, str],
    *,
    data: Mapping[str, Any],
    finished_steps: Collection[str],
    confidences: Mapping[str, Any] | None = None,
    rates: Mapping[str, Decimal] | None = None,
    base: str = "EUR",
    supplied: Mapping[str, Any] | None = None,
) -> Facts:
    """The facts of `vocabulary` as far as the case knows them.

    data: {"input": …, step: output}; confidences: {step: 0..1}; rates: units of `base` for one unit of a currency;
    supplied: facts the engine itself knows (such as the quality sample). A fact with neither source nor supply counts
    as finished without a value, so that no rule waits for it in vain.
    """
    values: dict[str, Any] = dict(supplied or {})
    problems: dict[str, str] = {}
    finished = set(values)
    for name in vocabulary.keys() - values.keys():
        source = sources.get(name)
        if source and not source.steps <= set(finished_steps):
            continue
        finished.add(name)
        if source is None:
            problems[name] = "the workflow supplies no such fact"
            continue
        try:
            values[name] = _read(source, data, confidences or {}, rates or {}, base)
        except ValueError as error:
            problems[name] = str(error)
    return typed(values, vocabulary, finished=finished, problems=problems)


def typed(
    values: Mapping[str, Any],
    vocabulary: Mapping[str, str],
    *,
    finished: Collection[str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> Facts:
    """Facts from raw values, each held to its type; without `finished`, everything in the vocabulary is finished."""
    good: dict[str, Any] = {}
    bad = dict(problems or {})
    for name, kind in vocabulary.items():
        if name not in values or name in bad:
            continue
        try:
            good[name] = coerce(values[name], kind)
        except ValueError as error:
            bad[name] = str(error)
    return Facts(good, bad, frozenset(vocabulary if finished is None else finished))


def coerce(value: Any, kind: str) -> Any:
    """`value` as the fact type `kind`, or ValueError that says what was expected."""
    if value is None:
        raise ValueError("no value")
    if kind not in _COERCE:
        raise ValueError(f"{kind!r} is no fact type; expected one of {', '.join(_COERCE)}")
    return _COERCE[kind](value)


def sampled(run_key: str, salt: str, percent: Decimal | float | str) -> bool:
    """Whether a run is drawn for the quality sample: always the same answer, not to be foreseen without `salt`."""
    share = Decimal(str(percent))
    if not share.is_finite() or not 0 <= share <= 100:
        raise ValueError(f"percent is {percent}; expected 0 to 100")
    drawn = int.from_bytes(hashlib.sha256(f"{salt}\n{run_key}".encode()).digest()[:8], "big")
    return drawn * 100 < share * 2**64


def show(value: Any, kind: str, currency: str = "EUR") -> str:
    """A fact as a person reads it: `50,000.00 EUR`, `yes`, `0.87`."""
    if value is None:
        return "unknown"
    if kind == "money":
        return f"{money.show(value, money.digits_of(currency))} {currency}"
    if kind == "bool":
        return "yes" if value else "no"
    if kind == "list[str]":
        return ", ".join(value) or "none"
    return f"{value:,}" if kind == "int" else f"{value:g}" if kind == "float" else str(value)


def _read(source: FactSource, data: Mapping, confidences: Mapping, rates: Mapping[str, Decimal], base: str) -> Any:
    if source.kind == "confidence":
        return confidences.get(source.step)
    value = lookup(data.get(source.step), source.path)
    if value is None or source.kind == "value":
        return value
    if source.kind == "count":
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{source.step}.{'.'.join(source.path)} is no list to count")
        return len(value)
    currency = lookup(data.get(source.currency_step), source.currency_path)
    if not isinstance(currency, str):
        raise ValueError("the amount has no currency")
    converted = money.convert(value, currency, rates, base)
    if converted is None:
        raise ValueError(f"no rate from {currency} to {base}")
    return converted


def _whole(value: Any) -> int:
    if isinstance(value, str) and value.lstrip("-").isascii() and value.lstrip("-").isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -INT64 <= value < INT64:
        raise ValueError(f"{value!r:.60} is no whole number")
    return value


def _number(value: Any) -> float:
    decimal_text = isinstance(value, str) and money.DECIMAL.fullmatch(value)
    if isinstance(value, bool) or not (decimal_text or isinstance(value, (int, float, Decimal))):
        raise ValueError(f"{value!r:.60} is no number")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{value!r:.60} is no finite number")
    return number


def _of_type(expected: type, what: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not expected:
            raise ValueError(f"{value!r:.60} is no {what}")
        return value

    return read


def _text(value: Any, limit: int = MAX_TEXT) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise ValueError(f"{value!r:.60} is no text of at most {limit} characters")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("text with half a character (a lone surrogate)")
    return value


def _texts(value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or len(value) > MAX_ITEMS:
        raise ValueError(f"{value!r:.60} is no list of at most {MAX_ITEMS} texts")
    return [_text(item, MAX_ITEM_TEXT) for item in value]


def _day(value: Any) -> str:
    if isinstance(value, datetime) or not isinstance(value, (str, date)):
        raise ValueError(_("%(value).60r is no date", value=value))
    text = str(value)
    if len(text) != 10:
        raise ValueError(_("%(text).60r is no date such as 2026-03-31", text=text))
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError(_("%(text).60r is no date such as 2026-03-31", text=text)) from None


def _minor(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > money.MAX_MINOR:
        raise ValueError(f"{value!r:.60} is no amount in whole minor units")
    return value


_COERCE: Mapping[str, Callable[[Any], Any]] = {
    "bool": _of_type(bool, "yes or no"),
    "int": _whole,
    "float": _number,
    "str": _text,
    "money": _minor,
    "date": _day,
    "list[str]": _texts,
}
TYPES = tuple(_COERCE)
