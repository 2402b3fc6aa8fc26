"""From YAML text to a checked `Definition`: every objection at once, each with the path it is about. No Django."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator import safe_yaml, spending
from orchestrator.definition_catalog import AgentInfo, Catalog, check_catalog
from orchestrator.definition_kinds import KIND_KEYS, READERS, UNTIMED, check_references, parse_duration
from orchestrator.definition_model import (
    DEFAULT_TIMEOUT,
    INPUT,
    KINDS,
    LANES,
    PART,
    PLACEHOLDER,
    TAKES_BACK,
    Definition,
    DefinitionError,
    FactSource,
    InputField,
    Retry,
    Step,
    from_json,
    lookup,
    placeholders,
    render,
)
from orchestrator.said import said as _
from orchestrator.said import said_by
from orchestrator.shorthand import schema_of, suggest
from orchestrator.step_graph import closure, cycles, path_without, topological

__all__ = [
    "INPUT",
    "KINDS",
    "LANES",
    "PART",
    "TAKES_BACK",
    "AgentInfo",
    "Catalog",
    "Definition",
    "DefinitionError",
    "FactSource",
    "InputField",
    "Retry",
    "Step",
    "check_catalog",
    "from_json",
    "lookup",
    "parse",
    "parse_duration",
    "placeholders",
    "render",
]

MAX_STEPS = 200
MAX_DEADLINE = 3 * 366 * 86_400
MAX_AT_ONCE = 10_000
MAX_TIMEOUT = 86_400
WORKFLOW_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
PART_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
TARGET_NAME = re.compile(r"[a-z][a-z0-9._-]{0,99}")
RUN_KEYS = ("input", "business_key", "subject", "policies", "facts", "deadline", "budget", "at_once", "steps")
TOP_KEYS = ("workflow", "title", "description", *RUN_KEYS)
COMMON_KEYS = ("title", "needs", "config", "lane", "retry", "timeout")
RETRY_BOUNDS = {"max_attempts": (1, 20), "backoff_seconds": (0, 3600), "cap_seconds": (0, 86_400)}


def parse(text: str, *, kinds: Sequence[str] = KINDS) -> Definition:
    """The checked definition `text` describes; `kinds` are the step kinds that may be used.

    Raises DefinitionError with every objection found. Names of agents, queues and policies are `check_catalog`'s part.
    """
    try:
        found = safe_yaml.load(text)
    except safe_yaml.YamlRefused as error:
        raise DefinitionError([(_("line %(line)s", line=error.line) if error.line else "", error.message)]) from None
    if not isinstance(found, Mapping):
        raise DefinitionError([("", _("a workflow is a map that starts with 'workflow: <name>'"))])
    reader = _Reader(kinds)
    definition = reader.definition(found)
    if reader.errors:
        raise DefinitionError(reader.errors)
    return definition


class _Reader:
    """Reads one document and collects objections; what is wrong is replaced by a default so that reading goes on."""

    def __init__(self, kinds: Sequence[str]):
        self.kinds = tuple(kinds)
        self.errors: list[tuple[str, str]] = []

    def refuse(self, path: str, message: str) -> None:
        self.errors.append((path, message))

    def definition(self, found: Mapping[str, Any]) -> Definition:
        self.unknown_keys("", found, TOP_KEYS)
        name = self.name("workflow", found.get("workflow"), WORKFLOW_NAME)
        steps = self.steps(found.get("steps"))
        definition = Definition(
            name=name,
            title=self.text("title", found, limit=200) or _title(name),
            description=self.text("description", found, limit=2000),
            fields=self.input_fields(found.get("input")),
            business_key=self.template("business_key", found, steps),
            subject=self.template("subject", found, steps),
            policies=self.name("policies", found["policies"], TARGET_NAME) if found.get("policies") else "",
            facts=self.facts(found.get("facts"), steps),
            deadline_seconds=self.duration("deadline", found, MAX_DEADLINE),
            budget=self.budget(found.get("budget")),
            at_once=self.at_once(found.get("at_once")),
            steps=steps,
        )
        self.graph(steps)
        return definition

    # The parts of a document, in the order they are written.

    def input_fields(self, found: Any) -> tuple[InputField, ...]:
        fields = []
        for name, written in self.map("input", found).items():
            self.name(f"input.{name}", name, PART_NAME)
            try:
                fields.append(InputField(name, *schema_of(written)))
            except ValueError as error:
                self.refuse(f"input.{name}", said_by(error))
        return tuple(fields)

    def steps(self, found: Any) -> dict[str, Step]:
        written = self.map("steps", found)
        if not 1 <= len(written) <= MAX_STEPS:
            self.refuse(
                "steps",
                _("has %(n)s steps; between 1 and %(max_steps)s are expected", n=len(written), max_steps=MAX_STEPS),
            )
            return {}
        return {name: self.step(name, self.map(f"steps.{name}", step)) for name, step in written.items()}

    def step(self, name: str, found: Mapping[str, Any]) -> Step:
        path = f"steps.{name}"
        self.name(path, name, PART_NAME)
        if name == INPUT:
            self.refuse(path, _("%(input)r is the run's input; give the step another name", input=INPUT))
        kind = self.kind(path, found)
        chosen, options = ((kind,), [kind]) if kind else (self.kinds, list(KIND_KEYS))
        own = [key for option in options for key in KIND_KEYS.get(option, ())]
        self.unknown_keys(path, found, (*chosen, *COMMON_KEYS, *own))
        target, config = self.target(path, kind, found)
        return Step(
            name=name,
            kind=kind,
            target=target,
            title=self.text(f"{path}.title", found, limit=200) or _title(name),
            needs=self.names(f"{path}.needs", found.get("needs")),
            config={**config, **self.map(f"{path}.config", found.get("config"))},
            sources=self.names(f"{path}.sources", found.get("sources")),
            lane=self.lane(f"{path}.lane", found.get("lane", LANES[0])),
            retry=self.retry(f"{path}.retry", found.get("retry")),
            timeout_seconds=self.timeout(f"{path}.timeout", kind, found),
            compensate=self.optional_target(path, "compensate", found),
            fallback=self.optional_target(path, "fallback", found),
        )

    def kind(self, path: str, found: Mapping[str, Any]) -> str:
        used = [kind for kind in self.kinds if kind in found]
        if "for_each" in used:
            used = [kind for kind in used if kind != "agent"]  # there, the agent is what each item is given to
        if len(used) != 1:
            given = _("says both %(used)s", used=" and ".join(used)) if used else _("does not say what it does")
            self.refuse(
                path, _("%(given)s; expected exactly one of %(kinds)s", given=given, kinds=", ".join(self.kinds))
            )
        return used[0] if used else ""

    def target(self, path: str, kind: str, step: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """(target, config): kinds of our own name their target; further kinds may give a map of options instead."""
        if kind in READERS:
            return READERS[kind](path, step, self.refuse)
        found = step.get(kind)
        if isinstance(found, Mapping) and kind not in KINDS:
            return "", found
        if kind and kind not in KINDS and isinstance(found, (str, int)) and not isinstance(found, bool):
            return str(found), {}
        return (self.name(f"{path}.{kind}", found, TARGET_NAME) if kind else ""), {}

    def lane(self, path: str, written: Any) -> str:
        if written not in LANES:
            self.refuse(
                path,
                _(
                    "is %(written)r; expected one of %(lanes)s: no worker looks into another",
                    written=written,
                    lanes=", ".join(LANES),
                ),
            )
            return LANES[0]
        return str(written)

    def timeout(self, path: str, kind: str, found: Mapping[str, Any]) -> int:
        if kind in UNTIMED and "timeout" in found:
            self.refuse(path, _("a %(kind)s step has none: %(value)s", kind=kind, value=UNTIMED[kind]))
        return self.duration(path, found, MAX_TIMEOUT) or DEFAULT_TIMEOUT

    def retry(self, path: str, found: Any) -> Retry:
        if found is None:
            return Retry()
        written = {"max_attempts": found} if isinstance(found, int) else self.map(path, found)
        self.unknown_keys(path, written, RETRY_BOUNDS)
        values = {}
        for key in RETRY_BOUNDS.keys() & written.keys():
            value, (low, high) = written[key], RETRY_BOUNDS[key]
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                self.refuse(
                    f"{path}.{key}",
                    _(
                        "is %(value)r; expected a whole number from %(low)s to %(high)s",
                        value=value,
                        low=low,
                        high=high,
                    ),
                )
            else:
                values[key] = value
        retry = Retry(**values)
        if retry.cap_seconds < retry.backoff_seconds:
            self.refuse(
                f"{path}.cap_seconds",
                _(
                    "is %(cap_seconds)s, less than backoff %(backoff_seconds)s",
                    cap_seconds=retry.cap_seconds,
                    backoff_seconds=retry.backoff_seconds,
                ),
            )
        return retry

    def facts(self, found: Any, steps: Mapping[str, Step]) -> dict[str, FactSource]:
        facts = {}
        for name, written in self.map("facts", found).items():
            path = f"facts.{name}"
            self.name(path, name, PART_NAME)
            parts = {"value": written} if isinstance(written, str) else self.map(path, written)
            kind = next((key for key in ("value", "money", "confidence", "count") if key in parts), "value")
            self.unknown_keys(path, parts, (kind, "currency") if kind == "money" else (kind,))
            step, *keys = self.reference(path, parts.get(kind), steps)
            currency = self.reference(f"{path}.currency", parts.get("currency"), steps) if kind == "money" else [""]
            if kind == "confidence" and (keys or step == INPUT):
                self.refuse(path, _("confidence is that of a whole step; write {confidence: %(step)s}", step=step))
            facts[name] = FactSource(name, step, tuple(keys), kind, currency[0], tuple(currency[1:]))
        return facts

    def budget(self, found: Any) -> dict[str, Any]:
        written = self.map("budget", found)
        self.unknown_keys("budget", written, spending.MOST)
        for name in spending.MOST.keys() & written.keys():
            try:
                spending.limit(name, written[name])
            except ValueError as error:
                self.refuse(f"budget.{name}", said_by(error))
        return dict(written)

    def at_once(self, written: Any) -> int:
        if written is None:
            return 0
        if isinstance(written, bool) or not isinstance(written, int) or not 1 <= written <= MAX_AT_ONCE:
            self.refuse(
                "at_once",
                _(
                    "is %(written)r; expected a whole number from 1 to %(max_at_once)s",
                    written=written,
                    max_at_once=MAX_AT_ONCE,
                ),
            )
            return 0
        return written

    def graph(self, steps: Mapping[str, Step]) -> None:
        needs: dict[str, list[str]] = {}
        for name, step in steps.items():
            needs[name] = [need for need in step.needs if need in steps]
            for index, need in enumerate(step.needs):
                if need not in steps:
                    self.refuse(
                        f"steps.{name}.needs[{index}]",
                        _("names %(need)r, which is no step%(need2)s", need=need, need2=suggest(need, steps)),
                    )
            if step.kind == "join" and not step.needs:
                self.refuse(f"steps.{name}.needs", _("a join needs the steps it waits for"))
        loops = cycles(needs)
        for loop in loops:
            self.refuse(f"steps.{loop[0]}.needs", _("is a cycle: %(loop)s", loop=" → ".join(loop)))
        reached = set(topological(needs)).union(*loops)
        for name in [name for name in needs if name not in reached]:
            self.refuse(f"steps.{name}", _("can never start: what it needs waits for a cycle"))
        if sum(map(len, needs.values())) == sum(len(step.needs) for step in steps.values()):
            self.reviews(steps, needs)
            if not loops:
                check_references(steps, closure(topological(needs), needs), self.refuse)

    def reviews(self, steps: Mapping[str, Step], needs: Mapping[str, Sequence[str]]) -> None:
        for name in [name for name, step in steps.items() if step.kind == "effect"]:
            way = path_without(
                name, needs, guards=lambda n: steps[n].kind == "review", any_of=lambda n: steps[n].join == "any"
            )
            if way:
                self.refuse(
                    f"steps.{name}",
                    _("an effect needs a review step before it; none is on the way %(way)s", way=" → ".join(way)),
                )

    # Values.

    def unknown_keys(self, path: str, found: Mapping[str, Any], known: Any) -> None:
        for key in found:
            if key not in known:
                hint = suggest(key, known) or _("; expected one of %(known)s", known=", ".join(known))
                self.refuse(f"{path}.{key}" if path else key, _("is no known key%(hint)s", hint=hint))

    def map(self, path: str, found: Any) -> Mapping[str, Any]:
        if found is not None and not isinstance(found, Mapping):
            self.refuse(path, _("is %(found)r; expected a map of names to values", found=found))
        return found if isinstance(found, Mapping) else {}

    def name(self, path: str, found: Any, pattern: re.Pattern[str]) -> str:
        if not isinstance(found, str) or not pattern.fullmatch(found):
            self.refuse(path, _("%(found)r is no name; expected %(pattern)s", found=found, pattern=pattern.pattern))
            return ""
        return found

    def optional_target(self, path: str, key: str, found: Mapping[str, Any]) -> str:
        return self.name(f"{path}.{key}", found[key], TARGET_NAME) if found.get(key) is not None else ""

    def names(self, path: str, found: Any) -> tuple[str, ...]:
        if found is None:
            return ()
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            self.refuse(path, _("is %(found)r; expected a list of names", found=found))
            return ()
        for repeated in sorted({item for item in found if found.count(item) > 1}):
            self.refuse(path, _("names %(repeated)r twice", repeated=repeated))
        return tuple(dict.fromkeys(found))

    def text(self, path: str, found: Mapping[str, Any], *, limit: int) -> str:
        value = found.get(path.rsplit(".", 1)[-1])
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > limit or not value.isprintable():
            self.refuse(path, _("expected plain text of at most %(limit)s characters", limit=limit))
            return ""
        return value

    def duration(self, path: str, found: Mapping[str, Any], most: int) -> int | None:
        value = found.get(path.rsplit(".", 1)[-1])
        if value is None:
            return None
        try:
            seconds = parse_duration(value)
        except ValueError as error:
            self.refuse(path, said_by(error))
            return None
        if not 1 <= seconds <= most:
            self.refuse(path, _("is %(seconds)s seconds; expected 1 to %(most)s", seconds=seconds, most=most))
            return None
        return seconds

    def reference(self, path: str, written: Any, steps: Mapping[str, Step]) -> list[str]:
        """[step, key, …] of a dotted path such as `read.payable`."""
        keys = written.strip().split(".") if isinstance(written, str) else [""]
        if not all(keys):
            self.refuse(path, _("is %(written)r; expected a path such as read.payable", written=written))
        elif keys[0] not in steps and keys[0] != INPUT:
            self.refuse(
                path,
                _(
                    "names %(value)r, which is no step%(value2)s",
                    value=keys[0],
                    value2=suggest(keys[0], [*steps, INPUT]),
                ),
            )
        return keys

    def template(self, key: str, found: Mapping[str, Any], steps: Mapping[str, Step]) -> str:
        template = self.text(key, found, limit=500)
        if {"{", "}"} & set(PLACEHOLDER.sub("", template)):
            self.refuse(key, _("has a brace without its partner"))
        for path in placeholders(template):
            self.reference(key, ".".join(path), steps)
        return template


def _title(name: str) -> str:
    return re.sub(r"[_-]+", " ", name).capitalize()
