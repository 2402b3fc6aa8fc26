"""Read YAML that a stranger may have written: text, integers, true/false, null, lists and maps, nothing else.

The accepted scalars are those of YAML 1.2's core schema without fractions: `no`, `12:30`, `2026-01-01` and `0.85` stay
text, as the author wrote them (YAML 1.1 would make them False, 750, a date and a binary float). Tags that build
objects, merge keys, repeated keys, and documents that unfold to more than they say are refused. No Django.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from orchestrator.said import said as _

MAX_BYTES = 128 * 1024
MAX_DEPTH = 20
MAX_ALIASES = 50
MAX_NODES = 20_000


class YamlRefused(ValueError):
    """The text is not acceptable YAML. `line` counts from 1; 0 when no single line is to blame."""

    def __init__(self, message: str, line: int = 0):
        super().__init__(_("line %(line)s: %(message)s", line=line, message=message) if line else message)
        self.message, self.line = message, line


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict = {}
    yaml_constructors = {
        tag: yaml.SafeLoader.yaml_constructors[tag]
        for tag in (*(f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "str", "seq")), None)
    }

    def __init__(self, text: str):
        super().__init__(text)
        self.depth = self.aliases = 0
        self.in_plain = False

    def scan_plain(self) -> Any:
        self.in_plain = True
        try:
            return super().scan_plain()
        finally:
            self.in_plain = False

    def peek(self, index: int = 0) -> str:
        """PyYAML ends a word at `?` inside `{}` and `[]`, YAML 1.2 does not: `{hint: string?}` has to be readable."""
        found = super().peek(index)
        return "_" if found == "?" and self.in_plain else found

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.aliases += self.check_event(yaml.AliasEvent)
        self.depth += 1
        if self.depth > MAX_DEPTH or self.aliases > MAX_ALIASES:
            limit = (
                _("deeper than %(max_depth)s levels", max_depth=MAX_DEPTH)
                if self.depth > MAX_DEPTH
                else _("more than %(max_aliases)s aliases", max_aliases=MAX_ALIASES)
            )
            raise YamlRefused(limit, self.peek_event().start_mark.line + 1)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_pairs_once(self, node: yaml.MappingNode) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise YamlRefused(_("the key %(key)r must be text", key=key), line)
            if key in found:
                raise YamlRefused(_("the key %(key)r is given twice", key=key), line)
            found[key] = self.construct_object(value_node, deep=True)
        return found


_Loader.yaml_constructors["tag:yaml.org,2002:map"] = _Loader.construct_pairs_once
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]{0,17})$"), list("-0123456789"))


def load(text: str) -> Any:
    """Plain data (dict, list, str, int, bool, None) of one YAML document; `YamlRefused` names the line."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise YamlRefused(_("the text is larger than %(value)s KB", value=MAX_BYTES // 1024))
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_unfolding(node)
        return loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise YamlRefused(error.problem or _("not YAML"), mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise YamlRefused(str(error).splitlines()[0]) from None


def _refuse_unfolding(root: yaml.Node) -> None:
    """Aliases share nodes, so a few lines can mean a million values: count what the text means, once per node."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, above: frozenset[int]) -> int:
        if id(node) in above:
            raise YamlRefused(_("an alias refers to what contains it"), node.start_mark.line + 1)
        if id(node) not in sizes:
            parts = node.value if isinstance(node, yaml.CollectionNode) else ()
            flat = [part for pair in parts for part in pair] if isinstance(node, yaml.MappingNode) else parts
            sizes[id(node)] = 1 + sum(size(part, above | {id(node)}) for part in flat)
        return sizes[id(node)]

    if (total := size(root, frozenset())) > MAX_NODES:
        raise YamlRefused(
            _("the text unfolds to %(total)s values, %(max_nodes)s are allowed", total=total, max_nodes=MAX_NODES)
        )
