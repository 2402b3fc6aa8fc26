"""Why a case stopped, in business words: each rule with its values and limits, what nearly fired as well, and the
smallest change that would have sent it another way."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.utils.translation import gettext, pgettext_lazy

from orchestrator.policies.cel import Comparison, Condition, activation
from orchestrator.policies.evaluate import ROUTES, STRICTNESS, PolicySet, turned
from orchestrator.policies.facts import coerce, show
from orchestrator.templatetags.parts import words
from orchestrator.words import later as _

from .lookalikes import objections, visible
from .measured import Frequency
from .standing import Standing

SEVERE = {"pause", "escalate", "reject"}
SAMPLE = "sample"
WOULD = {  # what a route means for a case
    "continue": _("it would have gone on without a person"),
    "review": _("a person would have been asked"),
    "escalate": _("it would have gone up"),
    "reroute": _("it would have gone elsewhere"),
    "pause": _("everything would have been stopped"),
    "reject": _("it would have been rejected"),
}
BEYOND = {">": _("more than {}"), ">=": _("{} or more"), "<": _("less than {}"), "<=": _("{} or less")}
NONE = pgettext_lazy("how many", "none")
COUNTED = {("<=", 0): NONE, ("<", 1): NONE, (">", 0): _("one or more"), (">=", 1): _("one or more")}
FACT = re.compile(r"\b([a-z][a-z0-9_]*): ")
SENTENCE = re.compile(r"(?<=[a-z0-9)]{3}[.?]) (?=[A-Z0-9])")  # not after "B.V." or "Dr."
OPPOSITE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A value a rule looked at. `limit`: what made the rule fire, in words; "" where it compares with nothing."""

    name: str
    value: str
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why it stopped, with the tone its route calls for. `rate`: how often people changed something in such cases."""

    item: Mapping[str, Any]
    tone: str
    icon: str
    facts: Sequence[Fact] = ()
    rate: Frequency | None = None

    @property
    def words(self) -> str:
        """The rule's own words; where it could not be judged, what was missing."""
        text = str(self.item["text"])
        lead = f"{self.item['rule']} cannot be judged ("
        if not text.startswith(lead):
            return visible(text)
        missing = FACT.sub(lambda found: f"{words(found[1])}: ", text.removeprefix(lead).removesuffix(")"))
        return visible(gettext("A rule could not be judged. %(missing)s.") % {"missing": missing})

    @property
    def parts(self) -> tuple[str, str]:
        """What is wrong, and how: its first sentence and the others."""
        return parted(self.words)


class Why:
    """`policies` is the set the run is pinned to, where it has one."""

    def __init__(self, packet: Mapping[str, Any], policies: PolicySet | None, standing: Standing):
        self.packet, self.policies, self.standing = packet, policies, standing

    @cached_property
    def reasons(self) -> list[Reason]:
        return [
            Reason(item, *look_of(item), facts=list(self._facts(item)), rate=self.standing.of_rule(item))
            for item in self.packet["reasons"]
        ]

    @property
    def names(self) -> list[str]:
        """What is odd about how the seller's name, the title or the number are written."""
        read = [item for item in self.packet["values"] if item["name"].endswith(("name", "number"))]
        found = [(item["label"], objection) for item in read for objection in objections(str(item["value"] or ""))]
        return [f"{label} {objection}." for label, objection in found]

    @property
    def near(self) -> list[str]:
        """Rules that a small change would have made fire, the nearest first."""
        return [self._would(rule) for rule in self._nearest()]

    @property
    def change(self) -> str:
        """The smallest change that would have sent the case another way; "" where no single value would have."""
        stricter = [rule for rule in self._nearest() if STRICTNESS[rule["route"]] > STRICTNESS[self.route]]
        return self._way_back() or (self._would(stricter[0]) if stricter else "")

    @property
    def route(self) -> str:
        routes = [item["route"] for item in self.packet["reasons"] if item["route"] in ROUTES]
        return max(routes, key=STRICTNESS.__getitem__, default="continue")

    def _nearest(self) -> list[Mapping[str, Any]]:
        return sorted((rule for rule in self.packet["rules"] if rule.get("near")), key=_distance)

    def _would(self, rule: Mapping[str, Any]) -> str:
        near = rule["near"]
        op = near["op"] if _opens(near) else OPPOSITE[near["op"]]
        return self._state(near["fact"], near["value"], op, near["threshold"], would=WOULD[rule["route"]])

    def _way_back(self) -> str:
        """Where one rule alone asked, the change of one value after which it would not have."""
        if len(self.packet["reasons"]) != 1 or not (condition := self._condition(self.packet["reasons"][0])):
            return ""
        values = self._typed(self.packet["reasons"][0])
        for part in condition.comparisons:
            if values.get(part.fact) is not None and self._is_off(condition, values, part):
                fact, op, would = part.fact, OPPOSITE[part.op], gettext("this rule would not have stopped it")
                return self._state(fact, values[fact], op, part.value, would=would)
        return ""

    def _state(self, fact: str, value: Any, op: str, bound: Any, *, would: object) -> str:
        """How it is, how it would have to be, and what then. What is counted is no matter of more or less than none."""
        counted = self.policies is not None and self.policies.vocabulary.get(fact) == "int"
        said = {"fact": words(fact), "value": self._shown(fact, value), "would": would}
        said["bound"] = COUNTED.get((op, int(bound))) if counted else None
        said["bound"] = said["bound"] or str(BEYOND[op]).format(self._shown(fact, bound))
        if counted:
            return gettext("%(fact)s: %(value)s. With %(bound)s, %(would)s.") % said
        return gettext("%(fact)s is %(value)s. With %(bound)s, %(would)s.") % said

    def _is_off(self, condition: Condition, values: Mapping[str, Any], part: Comparison) -> bool:
        vocabulary = tuple(sorted(self.policies.vocabulary.items())) if self.policies else ()
        changed = {**values, part.fact: turned(part, values[part.fact])}
        return condition.run(activation(vocabulary, changed)) is False

    def _facts(self, item: Mapping[str, Any]) -> Iterator[Fact]:
        condition = self._condition(item)
        limits = {part.fact: part for part in condition.comparisons} if condition else {}
        for name, value in item["values"].items():
            part = limits.get(name)
            limit = str(BEYOND[part.op]).format(self._shown(name, part.value)) if part else ""
            yield Fact(words(name), visible(self._shown(name, value)), limit)

    def _condition(self, item: Mapping[str, Any]) -> Condition | None:
        """The rule's condition, where the run's policy still has it as it was judged."""
        if self.policies is None:
            return None
        pairs = zip(self.policies.rules, self.policies.conditions, strict=True)
        same = (c for rule, c in pairs if (rule.name, rule.when) == (item["rule"], item["condition"]))
        return next(same, None)

    def _typed(self, item: Mapping[str, Any]) -> dict[str, Any]:
        kinds = self.policies.vocabulary if self.policies else {}
        return {name: self._as(kinds.get(name, ""), value) for name, value in item["values"].items()}

    def _as(self, kind: str, value: Any) -> Any:
        """A stored value as its type has it; None where it is none."""
        if kind == "money":
            return int(value) if value is not None else None
        try:
            return coerce(value, kind)
        except ValueError:
            return None

    def _shown(self, name: str, value: Any) -> str:
        kind = self.policies.vocabulary.get(name, "") if self.policies else ""
        found = self._as(kind, value) if kind else value
        currency = self.policies.currency if self.policies else settings.BASE_CURRENCY
        if isinstance(found, bool):
            return gettext("yes") if found else gettext("no")
        return show(found, kind, currency) if found is not None else gettext("not known")


def _distance(rule: Mapping[str, Any]) -> float:
    near = rule["near"]
    value, threshold = float(near["value"]), float(near["threshold"])
    return abs(value - threshold) / abs(threshold or 1)


def _opens(near: Mapping[str, Any]) -> bool:
    """Whether the rule fires where the comparison holds, rather than where it does not."""
    value, threshold = float(near["value"]), float(near["threshold"])
    holds = {">": value > threshold, ">=": value >= threshold, "<": value < threshold, "<=": value <= threshold}
    return not holds[near["op"]]


def parted(text: str) -> tuple[str, str]:
    """The first sentence, and the others, "" where there is one alone."""
    first, *others = SENTENCE.split(text, maxsplit=1)
    return first, " ".join(others)


def worst_look(items: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Of several reasons, the look of the gravest."""
    looks = [look_of(item) for item in items]
    return min(looks, key=lambda look: ("bad", "warn", "info").index(look[0]), default=("info", "info"))


def look_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """Tone and icon of a reason: stop, warning, or drawn for the sample."""
    if SAMPLE in item["rule"]:
        return "info", "info"
    severe = item["route"] in SEVERE and item["route"] in ROUTES
    return ("bad", "stop") if severe else ("warn", "warn")
