"""Does what a definition names exist, and do the types fit? Pure: the caller describes what exists. No Django."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.definition_model import INPUT, Definition, FactSource, Step, placeholders
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
    `supplied` the facts that the engine itself supplies to every policy (so that no workflow has to)."""

    agents: Mapping[str, AgentInfo] = field(default_factory=dict)
    effects: Collection[str] = ()
    sources: Collection[str] = ()
    queues: Collection[str] = ()
    policies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    vocabularies: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    supplied: Mapping[str, str] = field(default_factory=dict)


def check_catalog(definition: Definition, catalog: Catalog) -> list[Objection]:
    """Every name the catalog does not know and every type that cannot fit, as (path, message)."""
    found = [objection for step in definition.steps.values() for objection in _step(step, catalog)]
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
    return [] if name in known else [(path, f"names the {what} {name!r}, which does not exist{suggest(name, known)}")]


def _step(step: Step, catalog: Catalog) -> Iterator[Objection]:
    path = f"steps.{step.name}"
    for index, source in enumerate(step.sources):
        yield from _unknown(f"{path}.sources[{index}]", "data source", source, catalog.sources)
    if step.kind == "review":
        yield from _unknown(f"{path}.review", "queue", step.queue, catalog.queues)
    if step.kind == "effect":
        yield from _unknown(f"{path}.effect", "effect", step.target, catalog.effects)
    if step.compensate:
        yield from _unknown(f"{path}.compensate", "effect", step.compensate, catalog.effects)
    for key, name in (("agent", step.target), ("fallback", step.fallback)):
        if step.kind == "agent" and name:
            yield from _unknown(f"{path}.{key}", "agent", name, catalog.agents)
            yield from _agent(path, key, name, step, catalog)


def _agent(path: str, key: str, name: str, step: Step, catalog: Catalog) -> Iterator[Objection]:
    agent, main = catalog.agents.get(name), catalog.agents.get(step.target)
    for source in agent.sources if agent else ():
        if source not in step.sources:
            yield f"{path}.sources", f"does not grant {source!r}, which the agent {name!r} reads"
    if agent and main and agent.output_schema != main.output_schema:
        yield f"{path}.{key}", f"returns another type than {step.target!r}, so later steps could not read it"


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
    return [(path, f"reads {'.'.join((step, *keys))}, but {step!r} gives no {key!r}{suggest(key, known)}")]


def _policy(definition: Definition, catalog: Catalog) -> list[Objection]:
    if definition.policies not in catalog.policies:
        return _unknown("policies", "policy set", definition.policies, catalog.policies)
    used, found = catalog.policies[definition.policies], []
    for name, kind in used.items():
        if name in definition.facts:
            found += _fact_type(definition.facts[name], kind, definition, catalog)
        elif catalog.supplied.get(name) != kind:
            found.append(("facts", f"lacks {name!r} ({kind}), which the policy set {definition.policies!r} uses"))
    known = {**used, **catalog.vocabularies.get(definition.policies, {})}
    for name in definition.facts.keys() - known.keys():
        close = suggest(name, known)
        if close:
            found.append((f"facts.{name}", f"is no fact of the policy set {definition.policies!r}{close}"))
    return found


def _fact_type(fact: FactSource, kind: str, definition: Definition, catalog: Catalog) -> list[Objection]:
    path, given = f"facts.{fact.name}", KIND_TYPE.get(fact.kind)
    if given and given != kind:
        return [(path, f"supplies {given} by {fact.kind!r}, but the policy set expects {kind}")]
    if kind == "money" and fact.kind != "money":
        return [(path, "is an amount; write {money: <path>, currency: <path>} so that it can be converted")]
    types = types_at(_schema(fact.step, definition, catalog), fact.path)
    if fact.kind == "count":
        return [(path, "counts what is no list")] if types and "array" not in types else []
    readable = READABLE.get(kind, set())
    if fact.kind == "confidence" or not types or types & readable:
        return []
    return [(path, f"is {'/'.join(sorted(types))} in the output of {fact.step!r}, but the policy set expects {kind}")]
