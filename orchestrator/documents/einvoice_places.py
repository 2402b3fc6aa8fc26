"""The words in which a syntax says where its values stand. Pure data structures, shared by UBL and CII."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from lxml import etree

Kind = Literal["text", "amount", "date", "sum", "joined"]
Hit: TypeAlias = etree._Element | etree._ElementUnicodeResult  # an element, or the value of an attribute


@dataclass(frozen=True)
class Place:
    """Where one field stands: XPaths relative to the record, the first that finds something counts.

    `sum` adds every amount found, `joined` lists every text; the other kinds take the first node.
    """

    kind: Kind
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """At every node `context` finds, `requires` (XPath) must be true or not empty; `codes` bounds what the node says.

    `field` names what the rule speaks of; `*` in it stands for the number of the line.
    """

    id: str
    context: str
    message: str
    requires: str = "."
    field: str = ""
    codes: frozenset[str] | None = None


@dataclass(frozen=True)
class Syntax:
    """One way to write an invoice: which root it has, where its fields, lines and tables stand, what it must hold."""

    name: str
    reader: str
    roots: frozenset[str]
    namespaces: dict[str, str]
    header: dict[str, Place]
    lines: str
    line: dict[str, Place]
    tables: dict[str, tuple[str, dict[str, Place]]]
    notes: tuple[str, ...]
    rules: tuple[Rule, ...]
    compiled: dict[str, etree.XPath] = field(default_factory=dict, compare=False, repr=False)

    def find(self, node: Hit, path: str) -> Any:
        """Evaluate a path of this syntax at `node`: hits or a truth value, as the path has it. Compiled once."""
        if path not in self.compiled:
            self.compiled[path] = etree.XPath(path, namespaces=self.namespaces)
        return self.compiled[path](node)


def text(*paths: str) -> Place:
    return Place("text", paths)


def amount(*paths: str) -> Place:
    return Place("amount", paths)


def date(*paths: str) -> Place:
    return Place("date", paths)


def total(*paths: str) -> Place:
    return Place("sum", paths)


def joined(*paths: str) -> Place:
    return Place("joined", paths)
