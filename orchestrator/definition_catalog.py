"""Does what a definition names exist, and do the types fit? Pure: the caller describes what exists. No Django."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.definition_fit import mismatches
from orchestrator.definition_kinds import references
from orchestrator.definition_model import INPUT, TAKES_BACK, Definition, FactSource, Step, placeholders
from orchestrator.said import said as _
from orchestrator.shorthand import missing_in, suggest, types_at

Objection = tuple[str, str]

# The JSON types a fact of each policy type can be read from; decimals travel as text.
READABLE = {
    "bool": {"boolean"},
    "int": {"integer", "string"},
    "float": {"number", "integer", "string"},
    "str": {"string"},
    "money": {"number", "integer", "string"},
    "date": {"string"},
    "list[str]": {"array"},
}
KIND_TYPE = {"money": "money", "confidence": "float", "count": "int"}


@dataclass(frozen=True, slots=True)
class AgentInfo:
    """What an agent takes, returns (JSON Schemas) and reads."""

    input_schema: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalog:
    """What may be named. `policies` gives the facts each set uses with their types, `vocabularies` all that it may use,
    `supplied` the facts that the engine itself supplies to every policy (so that no workflow has to); `workflows` the
    input schema of each, and `starts` which others its steps run."""

    agents: Mapping[str, AgentInfo] = field(default_factory=dict)
    effects: Collection[str] = ()
    sources: Collection[str] = ()
    queues: Collection[str] = ()
    policies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    vocabularies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    supplied: Mapping[str, str] = field(default_factory=dict)
    events: Collection[str] = ()
    workflows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    starts: Mapping[str, Collection[str]] = field(default_factory=dict)


def check_catalog(definition: Definition, catalog: Catalog) -> list[Objection]:
    """Every name the catalog does not know and every type that cannot fit, as (path, message)."""
    found = [objection for step in definition.steps.values() for objection in _step(step, catalog)]
    found += [objection for step in definition.steps.values() for objection in _flow(step, definition, catalog)]
    for key in ("business_key", "subject"):
        for path in placeholders(getattr(definition, key)):
            found += _path(key, path[0], path[1:], definition, catalog)
    for name, fact in definition.facts.items():
        found += _path(f"facts.{name}", fact.step, fact.path, definition, catalog)
        if fact.kind == "money":
            found += _path(f"facts.{name}.currency", fact.currency_step, fact.currency_path, definition, catalog)
    if definition.policies:
        found += _policy(definition, catalog)
    return found


def _unknown(path: str, what: str, name: str, known: Collection[str]) -> list[Objection]:
    return (
        []
        if name in known
        else [
            (
                path,
                _(
                    "names the %(what)s %(name)r, which does not exist%(name2)s",
                    what=what,
                    name=name,
                    name2=suggest(name, known),
                ),
            )
        ]
    )


def _step(step: Step, catalog: Catalog) -> Iterator[Objection]:
    path = f"steps.{step.name}"
    for index, source in enumerate(step.sources):
        yield from _unknown(f"{path}.sources[{index}]", _("data source"), source, catalog.sources)
    if step.kind == "record":
        yield from _unknown(f"{path}.record", _("data source"), step.target, catalog.sources)
    if step.kind == "review":
        yield from _unknown(f"{path}.review", "queue", step.queue, catalog.queues)
    if step.kind == "effect":
        yield from _unknown(f"{path}.effect", "effect", step.target, {*catalog.effects, TAKES_BACK})
    if step.compensate:
        yield from _unknown(f"{path}.compensate", "effect", step.compensate, catalog.effects)
    for key, name in (("agent", step.target), ("fallback", step.fallback)):
        if step.kind in ("agent", "for_each") and name:
            yield from _unknown(f"{path}.{key}", "agent", name, catalog.agents)
            yield from _agent(path, key, name, step, catalog)
    if step.kind == "wait" and step.target not in catalog.events:
        hint = suggest(step.target, catalog.events)
        yield (
            f"{path}.wait",
            _(
                "waits for %(target)r, which no webhook brings in%(hint)s: it would never go on",
                target=step.target,
                hint=hint,
            ),
        )


def _agent(path: str, key: str, name: str, step: Step, catalog: Catalog) -> Iterator[Objection]:
    agent, main = catalog.agents.get(name), catalog.agents.get(step.target)
    for source in agent.sources if agent else ():
        if source not in step.sources:
            yield (
                f"{path}.sources",
                _("does not grant %(source)r, which the agent %(name)r reads", source=source, name=name),
            )
    if agent and main and agent.output_schema != main.output_schema:
        yield (
            f"{path}.{key}",
            _("returns another type than %(target)r, so later steps could not read it", target=step.target),
        )


def _flow(step: Step, definition: Definition, catalog: Catalog) -> Iterator[Objection]:
    """What the step reads of the case, held against what is there before it."""
    path = f"steps.{step.name}"
    for place, (first, *keys) in references(step):
        yield from _path(place, first, tuple(keys), definition, catalog)
    if step.kind in ("agent", "for_each"):
        yield from _input(step, definition, catalog)
    if step.kind == "for_each":
        first, *keys = step.config["items"]
        types = types_at(_schema(first, definition, catalog), tuple(keys))
        if types and "array" not in types:
            yield f"{path}.for_each", _("is %(names)s; expected a list", names="/".join(sorted(types)))
    if step.kind == "gate" and not definition.policies:
        yield f"{path}.gate", _("asks the policies, but this workflow names none")
    if step.kind == "join" and step.target == "quorum":
        yield from _quorum(step, definition, catalog)
    if step.kind == "workflow":
        yield from _child(step, definition, catalog)


def _input(step: Step, definition: Definition, catalog: Catalog) -> Iterator[Objection]:
    """Each field of the agent's input is the output of the step of that name, or of the one `with` names for it."""
    agent = catalog.agents.get(step.target)
    schema = agent.input_schema if agent else {}
    names, before = dict(step.config.get("with", {})), definition.ancestors(step.name) | {INPUT}
    for field_name, wanted in schema.get("properties", {}).items():
        source, path = names.get(field_name, field_name), f"steps.{step.name}.{step.kind}"
        if step.kind == "for_each" and field_name == "item":
            continue
        if source in before:
            given = _schema(source, definition, catalog)
            for problem in mismatches({**wanted, "$defs": schema.get("$defs", {})}, given):
                yield (
                    path,
                    _(
                        "%(target)r cannot take %(field_name)s from %(source)r: %(problem)s",
                        target=step.target,
                        field_name=field_name,
                        source=source,
                        problem=problem,
                    ),
                )
        elif field_name in schema.get("required", ()):
            yield (
                path,
                _(
                    "%(target)r needs %(field_name)s, which no step before it gives",
                    target=step.target,
                    field_name=field_name,
                ),
            )


def _child(step: Step, definition: Definition, catalog: Catalog) -> Iterator[Objection]:
    path, known = f"steps.{step.name}", catalog.workflows
    if step.target == definition.name:
        yield f"{path}.workflow", _("names this workflow itself, which would never end")
        return
    yield from _unknown(f"{path}.workflow", "workflow", step.target, known.keys())
    if way := _way_back(step.target, definition.name, catalog.starts):
        yield (
            f"{path}.workflow",
            _("would start this workflow again: %(names)s", names=" → ".join((definition.name, *way))),
        )
    schema = known.get(step.target, {})
    fields = schema.get("properties", {})
    for key in step.config["input"]:
        if step.target in known and key not in fields:
            yield (
                f"{path}.input.{key}",
                _("is no input of %(target)r%(key)s", target=step.target, key=suggest(key, fields)),
            )
    for key in schema.get("required", ()):
        if key not in step.config["input"]:
            yield f"{path}.input", _("lacks %(key)r, which %(target)r needs", key=key, target=step.target)


def _way_back(start: str, home: str, starts: Mapping[str, Collection[str]]) -> list[str]:
    """[start, …, home] where a run of `start` would come to start `home`; [] where it never does."""
    ways = {start: [start]}
    for name in (waiting := [start]):
        for other in sorted(starts.get(name, ())):
            if other == home:
                return [*ways[name], home]
            if other not in ways:
                ways[other] = [*ways[name], other]
                waiting.append(other)
    return []


def _quorum(step: Step, definition: Definition, catalog: Catalog) -> Iterator[Objection]:
    """A branch whose output has no such field never has a vote."""
    for need in step.needs:
        if missing := missing_in(_schema(need, definition, catalog), (step.config["field"],)):
            hint = suggest(*missing)
            yield (
                f"steps.{step.name}.join.field",
                _("is %(value)r, which the output of %(need)r has not%(hint)s", value=missing[0], need=need, hint=hint),
            )


def _schema(step: str, definition: Definition, catalog: Catalog) -> Mapping[str, Any]:
    """The output schema of a step as far as it is known; {} says nothing."""
    if step == INPUT:
        return definition.input
    found = definition.steps.get(step)
    agent = catalog.agents.get(found.target) if found and found.kind == "agent" else None
    return agent.output_schema if agent else {}


def _path(path: str, step: str, keys: tuple[str, ...], definition: Definition, catalog: Catalog) -> list[Objection]:
    missing = missing_in(_schema(step, definition, catalog), keys)
    if missing is None:
        return []
    key, known = missing
    return [
        (
            path,
            _(
                "reads %(names)s, but %(step)r gives no %(key)r%(key2)s",
                names=".".join((step, *keys)),
                step=step,
                key=key,
                key2=suggest(key, known),
            ),
        )
    ]


def _policy(definition: Definition, catalog: Catalog) -> list[Objection]:
    if definition.policies not in catalog.policies:
        return _unknown("policies", _("policy set"), definition.policies, catalog.policies)
    used, found = catalog.policies[definition.policies], []
    for name, kind in used.items():
        if name in definition.facts:
            found += _fact_type(definition.facts[name], kind, definition, catalog)
        elif catalog.supplied.get(name) != kind:
            found.append(
                (
                    "facts",
                    _(
                        "lacks %(name)r (%(kind)s), which the policy set %(policies)r uses",
                        name=name,
                        kind=kind,
                        policies=definition.policies,
                    ),
                )
            )
    known = {**used, **catalog.vocabularies.get(definition.policies, {})}
    for name in definition.facts.keys() - known.keys():
        close = suggest(name, known)
        if close:
            found.append(
                (
                    f"facts.{name}",
                    _("is no fact of the policy set %(policies)r%(close)s", policies=definition.policies, close=close),
                )
            )
    return found


def _fact_type(fact: FactSource, kind: str, definition: Definition, catalog: Catalog) -> list[Objection]:
    path, given = f"facts.{fact.name}", KIND_TYPE.get(fact.kind)
    if given and given != kind:
        return [
            (
                path,
                _(
                    "supplies %(given)s by %(kind)r, but the policy set expects %(kind2)s",
                    given=given,
                    kind=fact.kind,
                    kind2=kind,
                ),
            )
        ]
    if kind == "money" and fact.kind != "money":
        return [(path, _("is an amount; write {money: <path>, currency: <path>} so that it can be converted"))]
    types = types_at(_schema(fact.step, definition, catalog), fact.path)
    if fact.kind == "count":
        return [(path, _("counts what is no list"))] if types and "array" not in types else []
    readable = READABLE.get(kind, set())
    if fact.kind == "confidence" or not types or types & readable:
        return []
    return [
        (
            path,
            _(
                "is %(names)s in the output of %(step)r, but the policy set expects %(kind)s",
                names="/".join(sorted(types)),
                step=fact.step,
                kind=kind,
            ),
        )
    ]
