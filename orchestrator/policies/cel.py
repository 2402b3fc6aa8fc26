"""Conditions in CEL, type-checked before they are saved, and failing closed when they run. No Django.

What may be written is told in `tokens`. CEL returns errors as values whose `.value()` is a true text, and takes True
for 1: so facts are held to their types before (`facts.coerce`), and only a CEL bool counts as an answer. The C++
library bounds what runs: 10,000 iterations, recursion 32, linear-time patterns (RE2).
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from orchestrator.policies import facts as fact_types
from orchestrator.policies.tokens import WORDS, Comparison, ConditionError, prepare
from orchestrator.said import said as _

__all__ = [
    "Comparison",
    "Condition",
    "ConditionError",
    "Outcome",
    "activation",
    "check_vocabulary",
    "compile_condition",
]

CEL_TYPES = {
    "bool": cel.Type.BOOL,
    "int": cel.Type.INT,
    "float": cel.Type.DOUBLE,
    "str": cel.Type.STRING,
    "money": cel.Type.INT,
    "date": cel.Type.STRING,
    "list[str]": cel.Type.List(cel.Type.STRING),
}
assert CEL_TYPES.keys() == set(fact_types.TYPES)
MAX_FACTS = 200
FACT_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
RESERVED = WORDS | {"as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop"}
RESERVED |= {"package", "namespace", "null", "return", "var", "void", "while"}
BOOL = cel.Type.BOOL
PLACE = re.compile(r"<input>:1:([0-9]+): (.*)")
NO_OVERLOAD = re.compile(r"found no matching overload for '(.+?)' applied to '(.*)'")
TYPE_WORDS = {"double": "float", "string": "text", "int": "whole number or amount", "list(string)": "list of text"}

Vocabulary = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`fired` is None when the condition could not be judged; `error` then says why. `used`: the facts it names."""

    fired: bool | None
    error: str = ""
    used: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition. `names` are the facts it uses, `kinds` their types."""

    source: str
    names: tuple[str, ...]
    kinds: Mapping[str, str]
    comparisons: tuple[Comparison, ...]
    vocabulary: Vocabulary = field(repr=False)
    expression: Any = field(repr=False, compare=False)

    def evaluate(self, facts: Mapping[str, Any]) -> Outcome:
        """Judge raw facts: a missing or ill-typed fact is an error, unless CEL is sure that the condition holds."""
        found = fact_types.typed({name: facts.get(name) for name in self.names}, self.kinds)
        used = {name: found.values.get(name) for name in self.names}
        answer = self.run(activation(self.vocabulary, found.values))
        if answer is True or (isinstance(answer, bool) and not found.problems):
            return Outcome(answer, "", used)
        problems = "; ".join(f"{name}: {problem}" for name, problem in found.problems.items())
        return Outcome(None, problems or str(answer), used)

    def run(self, facts: Any) -> bool | str:
        """True, False, or the text of an error, for an `activation` over typed facts."""
        try:
            answer = self.expression.eval(facts).value()
            return answer if answer is True or answer is False else _plain(str(answer)) or "no answer"
        except Exception as error:  # whatever the library raises, a condition that fails may never count as "no"
            return _plain(str(error)) or type(error).__name__


def compile_condition(source: str, vocabulary: Mapping[str, str], currency_digits: int = 2) -> Condition:
    """A checked condition over `vocabulary` ({fact: type}); ConditionError says what to change and where."""
    return _compile(source, tuple(sorted(vocabulary.items())), currency_digits)


def activation(vocabulary: Vocabulary, values: Mapping[str, Any]) -> Any:
    """Typed values in the form conditions run on; make it once and use it for every condition of the vocabulary."""
    return _environment(vocabulary).Activation(dict(values))


def check_vocabulary(vocabulary: Mapping[str, str]) -> list[tuple[str, str]]:
    """Objections to fact names and types, as (fact, message)."""
    found: list[tuple[str, str]] = [
        ("", _("has %(n)s facts; at most %(max_facts)s are allowed", n=len(vocabulary), max_facts=MAX_FACTS))
    ] * (len(vocabulary) > MAX_FACTS)
    for name, kind in vocabulary.items():
        if not FACT_NAME.fullmatch(name) or name in RESERVED:
            found.append(
                (
                    name,
                    _("%(name)r is no fact name; expected small letters, digits and _, and no word of CEL", name=name),
                )
            )
        if kind not in CEL_TYPES:
            found.append(
                (
                    name,
                    _("%(kind)r is no type; expected one of %(cel_types)s", kind=kind, cel_types=", ".join(CEL_TYPES)),
                )
            )
    return found


@lru_cache(maxsize=256)
def _environment(vocabulary: Vocabulary) -> Any:
    if objections := check_vocabulary(dict(vocabulary)):
        raise ConditionError("; ".join(message for _name, message in objections))
    return cel.NewEnv(variables={name: CEL_TYPES[kind] for name, kind in vocabulary})


@lru_cache(maxsize=4096)
def _compile(source: str, vocabulary: Vocabulary, currency_digits: int) -> Condition:
    kinds = dict(vocabulary)
    environment = _environment(vocabulary)
    prepared = prepare(source, kinds, currency_digits)
    try:
        expression = environment.compile(prepared.text)
    except (RuntimeError, ValueError) as error:
        raise _explained(str(error), source, prepared.offsets) from None
    if expression.return_type() != BOOL:
        given = TYPE_WORDS.get(expression.return_type().name().lower(), expression.return_type().name().lower())
        raise ConditionError(_("a condition must be true or false; this one gives a %(given)s", given=given))
    used = {name: kinds[name] for name in prepared.names}
    return Condition(source, prepared.names, used, prepared.comparisons, vocabulary, expression)


def _explained(error: str, source: str, offsets: tuple[tuple[int, int], ...]) -> ConditionError:
    match = PLACE.search(error)
    if match is None:
        return ConditionError(_plain(error))
    column, message = int(match[1]) - 1, match[2].removesuffix(" [INVALID_ARGUMENT]")
    index = bisect.bisect_right(offsets, (column, len(source))) - 1
    if overload := NO_OVERLOAD.fullmatch(message):
        operator = overload[1].strip("_@").replace("_", " ")
        operands = [TYPE_WORDS.get(kind, kind) for kind in overload[2].strip("()").split(", ")]
        message = _(
            "'%(operator)s' does not work between %(operands)s", operator=operator, operands=" and ".join(operands)
        )
    elif message.startswith("Syntax error"):
        message = (
            _("the condition breaks off here") if "<EOF>' expecting" in message else _("this is not expected here")
        )
    return ConditionError(message, source, offsets[index][1] if index >= 0 else 0)


def _plain(error: str) -> str:
    """The library's message without status words and source dump."""
    first = error.splitlines()[0] if error else ""
    return re.sub(r"^[A-Z_]+: (ERROR: )?|\s*\[[A-Z_]+\]$", "", first)[:300]
