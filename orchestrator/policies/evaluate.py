"""A policy set over the facts of a case: which rules fire, which route that means, and why. Pure, and failing closed.

Routes, mildest first: continue < review < escalate < reroute < pause < reject. The strictest of all rules that fire
wins. A rule whose facts may still come is `not_yet`; a rule that cannot be judged is `error` and counts as review; when
nothing fired and nothing failed, the `otherwise` row decides.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from orchestrator.policies import money
from orchestrator.policies.cel import Comparison, Condition, ConditionError, activation, compile_condition
from orchestrator.policies.facts import Facts, sampled, show, typed
from orchestrator.said import said as _
from orchestrator.said import said_by

__all__ = [
    "ROUTES",
    "Evaluation",
    "Near",
    "PolicyError",
    "PolicySet",
    "Rule",
    "RuleTrace",
    "evaluate_policy",
    "sampled",
]
__all__ += ["STRICTNESS", "strictest", "turned"]

ROUTES = ("continue", "review", "escalate", "reroute", "pause", "reject")
STRICTNESS = {route: place for place, route in enumerate(ROUTES)}
NEAR_PERCENT = 10
MAX_RULES = 500
HOLDS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
FACT_IN_REASON = re.compile(r"\{([a-z][a-z0-9_]*)\}")


class PolicyError(ValueError):
    """A policy set that may not be published. `errors` is every objection, as (path, message)."""

    def __init__(self, errors: list[tuple[str, str]]):
        self.errors = errors
        super().__init__("\n".join(f"{path}: {message}" for path, message in errors))


@dataclass(frozen=True, slots=True)
class Rule:
    """`when` is a condition; `level` a group that must approve as well; `near` the percent that counts as close."""

    name: str
    when: str
    route: str
    reason: str = ""
    level: str = ""
    target: str = ""
    order: int = 0
    near: int = NEAR_PERCENT


@dataclass(frozen=True)
class PolicySet:
    """A published policy: immutable, its rules in `order`. `otherwise` defaults to review: silence is no consent."""

    name: str
    number: int
    vocabulary: Mapping[str, str]
    rules: tuple[Rule, ...] = ()
    otherwise: str = "review"
    currency: str = "EUR"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(sorted(self.rules, key=lambda rule: rule.order)))

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """The rules' conditions, compiled; PolicyError names every rule that does not."""
        if errors := self.objections():
            raise PolicyError(errors)
        return tuple(self._compiled(rule) for rule in self.rules)

    @cached_property
    def used(self) -> Mapping[str, str]:
        """{fact: type} of the facts that the rules' conditions use."""
        return {name: kind for condition in self.conditions for name, kind in condition.kinds.items()}

    @cached_property
    def named(self) -> Mapping[str, str]:
        """{fact: type} of the facts that conditions use or reasons show: what a case has to supply."""
        shown = {name for rule in self.rules for name in FACT_IN_REASON.findall(rule.reason)}
        return dict(self.used) | {name: self.vocabulary[name] for name in sorted(shown)}

    def objections(self) -> list[tuple[str, str]]:
        """Everything that keeps this set from being published, as (path, message)."""
        found = [] if self.otherwise in STRICTNESS else [("otherwise", _no_route(self.otherwise))]
        if len(self.rules) > MAX_RULES:
            found.append(
                (
                    "rules",
                    _("has %(n)s rules; at most %(max_rules)s are allowed", n=len(self.rules), max_rules=MAX_RULES),
                )
            )
        names = [rule.name for rule in self.rules]
        for rule in self.rules:
            found += [(f"rules.{rule.name}.{part}", message) for part, message in self._rule_objections(rule)]
            if names.count(rule.name) > 1:
                found.append((f"rules.{rule.name}", _("the name is given twice")))
        return found

    def _rule_objections(self, rule: Rule) -> Iterator[tuple[str, str]]:
        if rule.route not in STRICTNESS:
            yield "route", _no_route(rule.route)
        if not 0 <= rule.near <= 100:
            yield "near", _("is %(near)s; expected 0 to 100 percent", near=rule.near)
        try:
            self._compiled(rule)
        except ConditionError as error:
            yield "when", said_by(error)
        for name in FACT_IN_REASON.findall(rule.reason):
            if name not in self.vocabulary:
                yield "reason", _("names {%(name)s}, which is no fact", name=name)

    def _compiled(self, rule: Rule) -> Condition:
        return compile_condition(rule.when, self.vocabulary, money.digits_of(self.currency))

    def as_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back to an equal set."""
        rules = [{slot: getattr(rule, slot) for slot in Rule.__slots__} for rule in self.rules]
        return {
            "name": self.name,
            "number": self.number,
            "vocabulary": dict(sorted(self.vocabulary.items())),
            "rules": rules,
            "otherwise": self.otherwise,
            "currency": self.currency,
        }

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> PolicySet:
        return cls(**{**found, "rules": tuple(Rule(**rule) for rule in found["rules"])})


@dataclass(frozen=True, slots=True)
class Near:
    """A comparison that a small change would have turned. `value` and `threshold` as the fact's type has them."""

    fact: str
    op: str
    value: int | float
    threshold: int | float
    text: str

    def as_json(self) -> dict[str, Any]:
        return {slot: _plain(getattr(self, slot)) for slot in self.__slots__}


class RuleTrace(NamedTuple):
    """What one rule did. state: fired, not_fired, not_yet, error. values: {fact: value or None}."""

    name: str
    state: str
    route: str
    condition: str
    values: Mapping[str, Any]
    reason: str = ""
    near: Near | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data; floats as decimal text, amounts as whole minor units of the set's currency."""
        return {
            "name": self.name,
            "state": self.state,
            "route": self.route,
            "condition": self.condition,
            "values": {name: _plain(value) for name, value in self.values.items()},
            "reason": self.reason,
            "near": self.near.as_json() if self.near else None,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`fired` in the set's order; `levels` the groups to add, without repeats; `change` what little would have changed
    the route to a stricter one. `by_otherwise`: no rule fired or failed."""

    policy: str
    number: int
    route: str
    fired: tuple[str, ...]
    trace: tuple[RuleTrace, ...]
    levels: tuple[str, ...] = ()
    target: str = ""
    change: str = ""
    by_otherwise: bool = False
    currency: str = "EUR"

    @property
    def pending(self) -> tuple[str, ...]:
        """Rules that could not be judged yet, because a step has still to finish."""
        return tuple(rule.name for rule in self.trace if rule.state == "not_yet")

    @property
    def reasons(self) -> tuple[str, ...]:
        """What a reviewer reads: the reasons of the rules that fired or failed."""
        return tuple(rule.reason for rule in self.trace if rule.state in ("fired", "error") and rule.reason)

    def as_json(self) -> dict[str, Any]:
        """Plain data without floats, to be stored with the decision."""
        return {
            "policy": self.policy,
            "number": self.number,
            "route": self.route,
            "fired": list(self.fired),
            "trace": [rule.as_json() for rule in self.trace],
            "levels": list(self.levels),
            "target": self.target,
            "change": self.change,
            "by_otherwise": self.by_otherwise,
            "currency": self.currency,
        }


def strictest(routes: Collection[str]) -> str:
    """The strictest of the routes; `continue` for none."""
    return max(routes, key=STRICTNESS.__getitem__, default="continue")


def evaluate_policy(policy_set: PolicySet, facts: Facts, *, finished: Collection[str] | None = None) -> Evaluation:
    """Judge every rule once. `finished` are the facts whose steps have finished (default: as `facts` says)."""
    known = set(facts.finished if finished is None else finished)
    case = _Case(policy_set, facts, known)
    trace = tuple(case.judge(*pair) for pair in zip(policy_set.rules, policy_set.conditions, strict=True))
    fired = [rule for rule, traced in zip(policy_set.rules, trace, strict=True) if traced.state == "fired"]
    failed = any(traced.state == "error" for traced in trace)
    route = strictest([rule.route for rule in fired] + ["review"] * failed) if fired or failed else policy_set.otherwise
    return Evaluation(
        policy=policy_set.name,
        number=policy_set.number,
        route=route,
        fired=tuple(rule.name for rule in fired),
        trace=trace,
        levels=tuple(dict.fromkeys(rule.level for rule in fired if rule.level)),
        target=next((rule.target for rule in fired if rule.route == route and rule.target), ""),
        change=_smallest_change(trace, route),
        by_otherwise=not fired and not failed,
        currency=policy_set.currency,
    )


class _Case:
    """One evaluation: the facts in CEL's form, made once for all rules, whatever the caller put into them."""

    def __init__(self, policy_set: PolicySet, facts: Facts, finished: set[str]):
        self.set, self.finished = policy_set, finished
        given = {name: facts.values[name] for name in facts.values.keys() & finished}
        self.facts = typed(given, policy_set.vocabulary, finished=finished, problems=facts.problems)
        self.vocabulary = tuple(sorted(policy_set.vocabulary.items()))
        self.values = self.facts.values
        self.activation = activation(self.vocabulary, self.values)

    def judge(self, rule: Rule, condition: Condition) -> RuleTrace:
        if not self.finished.issuperset(condition.names):
            return RuleTrace(rule.name, "not_yet", rule.route, rule.when, {})
        values = {name: self.values.get(name) for name in condition.names}
        answer = condition.run(self.activation)
        if answer is True:
            return RuleTrace(rule.name, "fired", rule.route, rule.when, values, self.reason(rule))
        if answer is not False or None in values.values():
            missing = [name for name, value in values.items() if value is None]
            why = "; ".join(f"{name}: {self.facts.problems.get(name, 'no value')}" for name in missing) or str(answer)
            return RuleTrace(rule.name, "error", rule.route, rule.when, values, f"{rule.name} cannot be judged ({why})")
        near = self.near(rule, condition) if rule.near and condition.comparisons else None
        return RuleTrace(rule.name, "not_fired", rule.route, rule.when, values, "", near)

    def shown(self, name: str, value: Any) -> str:
        return show(value, self.set.vocabulary[name], self.set.currency)

    def reason(self, rule: Rule) -> str:
        """The rule's reason with its facts filled in; facts are data, so what they contain is not filled in again."""
        text = rule.reason or f"{rule.name}: {rule.when}"
        if "{" not in text:
            return text
        return FACT_IN_REASON.sub(lambda match: self.shown(match[1], self.values.get(match[1])), text)

    def near(self, rule: Rule, condition: Condition) -> Near | None:
        """The closest comparison within the rule's percentage whose turning alone would have fired the rule."""
        close = [
            (abs(self.values[part.fact] - part.value) / abs(part.value), part)
            for part in condition.comparisons
            if part.value and abs(self.values[part.fact] - part.value) * 100 <= rule.near * abs(part.value)
        ]
        for _distance, part in sorted(close, key=lambda pair: pair[0]):
            side = turned(part, self.values[part.fact])
            if condition.run(activation(self.vocabulary, {**self.values, part.fact: side})) is True:
                return self._near(rule, part, side)
        return None

    def _near(self, rule: Rule, part: Comparison, side: int | float) -> Near:
        value = self.values[part.fact]
        up = side > value
        at = part.value if isinstance(side, float) else side
        beyond = ("more than" if up else "less than") if side != at else ("or more" if up else "or less")
        shown = self.shown(part.fact, at)
        bound = f"{shown} {beyond}" if beyond.startswith("or") else f"{beyond} {shown}"
        text = f"{part.fact} of {bound} would mean {rule.route} ({rule.name}); it is {self.shown(part.fact, value)}"
        return Near(part.fact, part.op, value, part.value, text)


def turned(part: Comparison, value: int | float) -> int | float:
    """The value closest to the threshold for which the comparison says the opposite of what it says for `value`."""
    holds, at_threshold = HOLDS[part.op](value, part.value), part.op in ("<=", ">=")
    if holds is not at_threshold:
        return part.value
    up = part.op in (">", "<=")
    if isinstance(part.value, float):
        return math.nextafter(part.value, math.inf if up else -math.inf)
    return part.value + (1 if up else -1)


def _smallest_change(trace: tuple[RuleTrace, ...], route: str) -> str:
    """The nearest miss, relative to its threshold, among the rules that would have made the route stricter."""
    misses = [rule.near for rule in trace if rule.near and STRICTNESS[rule.route] > STRICTNESS[route]]
    return min(misses, key=lambda near: abs(near.value - near.threshold) / abs(near.threshold)).text if misses else ""


def _plain(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else list(value) if isinstance(value, (list, tuple)) else value


def _no_route(route: str) -> str:
    return _("%(route)r is no route; expected one of %(routes)s", route=route, routes=", ".join(ROUTES))
