"""A workflow as data: steps, what each needs, and which come next. Immutable, without Django and without I/O.

Import these from `orchestrator.definitions`, which reads them from YAML. A run's case data, which templates and fact
paths look into, is `{"input": {...}, "<step>": <that step's output>, ...}`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from orchestrator.shorthand import object_schema
from orchestrator.step_graph import closure, topological

INPUT = "input"
UNDO = "-undo"  # no step a person names can end in it
TAKES_BACK = "run.take_back"  # the effect that takes back what another run did
PART = ":"  # between such a step and the step of the other run whose effect it takes back; in no step's own name
LANES = ("default", "effects", "ocr")  # each has workers; in another, a step would wait for ever
SLOW = LANES[-1]  # where steps are claimed one at a time
DEFAULT_TIMEOUT = 45  # seconds; less than a lease, which a batch of quick steps shares
KINDS = ("agent", "effect", "join", "review")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class DefinitionError(ValueError):
    """A definition that may not be published. `errors` is every objection, as (path, message)."""

    def __init__(self, errors: Sequence[tuple[str, str]]):
        self.errors = list(errors)
        super().__init__("\n".join(f"{path}: {message}" if path else message for path, message in self.errors))


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried, and the bounds in seconds of the jittered, doubling pause between tries."""

    max_attempts: int = 4
    backoff_seconds: int = 2
    cap_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the definition. `target` is the value of the kind key: agent, effect kind, join mode or queue name.
    `undoes` names the effect step that this one takes back; such steps are derived, never written."""

    name: str
    kind: str
    target: str = ""
    title: str = ""
    needs: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    lane: str = "default"
    retry: Retry = Retry()
    timeout_seconds: int = DEFAULT_TIMEOUT
    compensate: str = ""
    fallback: str = ""
    undoes: str = ""

    @property
    def is_slow(self) -> bool:
        """It may take longer than a batch of quick steps has."""
        return self.timeout_seconds > DEFAULT_TIMEOUT

    @property
    def queue(self) -> str:
        return self.target if self.kind == "review" else ""

    @property
    def enough(self) -> int:
        """How many of its needs must have finished before it may start: all of them, but for joins that say less (a
        quorum may be settled by one veto)."""
        if self.kind != "join" or self.target == "all":
            return len(self.needs)
        return int(self.config["at_least"]) if self.target == "some" else 1

    @property
    def join(self) -> str:
        """`all`: starts after the last of its needs; `any`: may start before."""
        return "any" if self.enough < len(self.needs) else "all"

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "needs": list(self.needs), "sources": list(self.sources), "config": dict(self.config)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Step:
        lists = {name: tuple(found[name]) for name in ("needs", "sources")}
        return cls(**{**found, **lists, "retry": Retry(**found["retry"])})


@dataclass(frozen=True, slots=True)
class FactSource:
    """Where a policy fact comes from: `path` inside `step`'s output (or the input), read as `kind` says.

    kind: value; money (an amount, with its currency beside it); confidence (of the step); count (items of a list).
    """

    name: str
    step: str
    path: tuple[str, ...] = ()
    kind: str = "value"
    currency_step: str = ""
    currency_path: tuple[str, ...] = ()

    @property
    def steps(self) -> frozenset[str]:
        """Steps that must have finished before the fact can be known; the input always has."""
        return frozenset({self.step, self.currency_step} - {"", INPUT})

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "path": list(self.path), "currency_path": list(self.currency_path)}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> FactSource:
        return cls(**{**found, "path": tuple(found["path"]), "currency_path": tuple(found["currency_path"])})


@dataclass(frozen=True, slots=True)
class InputField:
    name: str
    schema: Mapping[str, Any]
    required: bool = True


@dataclass(frozen=True, slots=True)
class _Graph:
    """Answers worked out once, since the engine asks them for every step of every run."""

    first: tuple[Step, ...]
    followers: Mapping[str, tuple[Step, ...]]
    plain: frozenset[str]
    ancestors: Mapping[str, frozenset[str]]
    descendants: Mapping[str, frozenset[str]]
    effects_after: Mapping[str, tuple[Step, ...]]
    undoing: Mapping[str, Step]
    only_for: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Definition:
    """A published workflow. `steps` is in topological order; `digest` covers everything but the graph answers."""

    name: str
    title: str
    steps: Mapping[str, Step]
    fields: tuple[InputField, ...] = ()
    business_key: str = ""
    subject: str = ""
    policies: str = ""
    facts: Mapping[str, FactSource] = field(default_factory=dict)
    description: str = ""
    deadline_seconds: int | None = None
    budget: Mapping[str, Any] = field(default_factory=dict)
    at_once: int = 0  # how many runs may be under way; 0: any number
    input: Mapping[str, Any] = field(init=False, repr=False, compare=False)
    digest: str = field(init=False, compare=False)
    _graph: _Graph = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fields = {item.name: (item.schema, item.required) for item in self.fields}
        order = topological({name: step.needs for name, step in self.steps.items()})
        object.__setattr__(self, "steps", {name: self.steps[name] for name in order})
        object.__setattr__(self, "input", object_schema(fields))
        object.__setattr__(self, "_graph", _graph_of(self.steps))
        canonical = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        object.__setattr__(self, "digest", hashlib.sha256(canonical.encode()).hexdigest())

    def step(self, name: str) -> Step:
        """The step of a task or effect: one that was written, one that takes an effect back, or the whole of a part."""
        return self.steps.get(name) or self._graph.undoing.get(name) or self.steps[name.partition(PART)[0]]

    def undo_of(self, step: str) -> Step | None:
        """The step that takes back what the effect step `step` did. Its target is empty where nothing was named."""
        return self._graph.undoing.get(step + UNDO)

    @property
    def first(self) -> tuple[Step, ...]:
        """Steps that need nothing: a run starts with these."""
        return self._graph.first

    def followers(self, step: str) -> tuple[Step, ...]:
        """Steps that name `step` among their needs."""
        return self._graph.followers[step]

    def is_plain(self, step: str) -> bool:
        """True when all that follows needs only this step (and something follows): no sibling has to be read."""
        return step in self._graph.plain

    def only_for(self, join: str) -> frozenset[str]:
        """Steps that serve this join and nothing else: once it has started without them, they are needless."""
        return self._graph.only_for.get(join, frozenset())

    @property
    def early_joins(self) -> Collection[str]:
        """Joins that may start before all they need has finished."""
        return self._graph.only_for.keys()

    def descendants(self, step: str) -> frozenset[str]:
        """Every step that starts only after `step`, directly or not."""
        return self._graph.descendants[step]

    def ancestors(self, step: str) -> frozenset[str]:
        """Every step that `step` waits for, directly or not."""
        return self._graph.ancestors[step]

    def effects_after(self, step: str) -> tuple[Step, ...]:
        """Effects reachable from `step` without passing another review: what an approval there sets free."""
        return self._graph.effects_after[step]

    def as_json(self) -> dict[str, Any]:
        """Plain data that `from_json` reads back to an equal definition; order that matters is kept in lists."""
        return {
            "workflow": self.name,
            "title": self.title,
            "description": self.description,
            "fields": [{**asdict(item), "schema": dict(item.schema)} for item in self.fields],
            "business_key": self.business_key,
            "subject": self.subject,
            "policies": self.policies,
            "facts": [self.facts[name].as_json() for name in sorted(self.facts)],
            "deadline_seconds": self.deadline_seconds,
            "steps": [step.as_json() for step in self.steps.values()],
            **({"budget": dict(self.budget)} if self.budget else {}),
            **({"at_once": self.at_once} if self.at_once else {}),
        }


def from_json(found: Mapping[str, Any]) -> Definition:
    """The definition that `as_json` wrote; it was checked before it was published and is not checked again."""
    facts = (FactSource.from_json(item) for item in found["facts"])
    steps = (Step.from_json(item) for item in found["steps"])
    texts = {key: found[key] for key in ("title", "description", "business_key", "subject", "policies")}
    return Definition(
        name=found["workflow"],
        steps={step.name: step for step in steps},
        fields=tuple(InputField(**item) for item in found["fields"]),
        facts={fact.name: fact for fact in facts},
        deadline_seconds=found["deadline_seconds"],
        budget=found.get("budget", {}),
        at_once=found.get("at_once", 0),
        **texts,
    )


def _graph_of(steps: Mapping[str, Step]) -> _Graph:
    order, needs = list(steps), {name: step.needs for name, step in steps.items()}
    after = {name: [other for other in order if name in needs[other]] for name in order}
    effects: dict[str, frozenset[str]] = {}
    for name in reversed(order):
        open_ways = (effects[other] for other in after[name] if steps[other].kind != "review")
        effects[name] = frozenset(other for other in after[name] if steps[other].kind == "effect").union(*open_ways)
    return _Graph(
        first=tuple(step for step in steps.values() if not step.needs),
        followers={name: tuple(steps[other] for other in after[name]) for name in order},
        plain=frozenset(name for name in order if after[name] and all(needs[o] == (name,) for o in after[name])),
        ancestors=closure(order, needs),
        descendants=closure(order[::-1], after),
        effects_after={name: tuple(steps[other] for other in order if other in effects[name]) for name in order},
        only_for={s.name: _only_for(s.name, order, after) for s in steps.values() if s.join == "any"},
        undoing={step.name + UNDO: _undoing(step) for step in steps.values() if step.kind == "effect"},
    )


def _only_for(join: str, order: Sequence[str], after: Mapping[str, Sequence[str]]) -> frozenset[str]:
    found: set[str] = set()
    for name in reversed(order[: order.index(join)]):
        if after[name] and all(other == join or other in found for other in after[name]):
            found.add(name)
    return frozenset(found)


def _undoing(step: Step) -> Step:
    title = f"Take back: {step.title}"
    return Step(step.name + UNDO, "effect", step.compensate, title, retry=step.retry, undoes=step.name)


def lookup(data: Any, path: Sequence[str]) -> Any:
    """The value at `path` (keys, or positions in lists) inside plain data; None where any part is missing."""
    for key in path:
        if isinstance(data, Mapping):
            data = data.get(key)
        elif isinstance(data, Sequence) and not isinstance(data, str) and key.isdigit() and int(key) < len(data):
            data = data[int(key)]
        else:
            return None
    return data


@lru_cache(maxsize=512)
def placeholders(template: str) -> tuple[tuple[str, ...], ...]:
    """The paths a template names: `"{vendor.id}/{read.number}"` → (("vendor", "id"), ("read", "number"))."""
    return tuple(tuple(path.strip().split(".")) for path in PLACEHOLDER.findall(template))


def render(template: str, data: Mapping[str, Any]) -> str | None:
    """The template with its dotted lookups filled in, or None when a part is missing, empty or no plain value."""
    texts: list[str] = []
    for path in placeholders(template):
        value = lookup(data, path)
        text = "" if value is None or isinstance(value, (Mapping, list, tuple)) else str(value).strip()
        if not text:
            return None
        texts.append(text)
    parts = PLACEHOLDER.split(template)
    return "".join(part if index % 2 == 0 else texts[index // 2] for index, part in enumerate(parts))
