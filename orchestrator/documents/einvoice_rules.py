"""Rules over the form of an electronic invoice: what must be there, and in which code list it must be."""

from collections.abc import Iterator

from lxml import etree

from orchestrator.documents.einvoice_places import Hit, Rule, Syntax
from orchestrator.documents.invoice_checks_outcome import Outcome, judge

MAX_NODES = 5_000  # at which one rule is evaluated
MAX_QUOTED = 40


def examine_structure(syntax: Syntax, root: etree._Element) -> Iterator[Outcome]:
    """Every structural rule that applies, once: it holds where it holds at each of its nodes."""
    for rule in syntax.rules:
        nodes = syntax.find(root, rule.context)[:MAX_NODES]
        if nodes:
            broken = next((node for node in nodes if not _holds(syntax, rule, node)), None)
            yield judge(rule.id, broken is None, _message(rule, broken), [rule.field] if rule.field else [])


def _holds(syntax: Syntax, rule: Rule, node: Hit) -> bool:
    if rule.codes is not None:
        return _code(rule, node) in rule.codes
    return bool(syntax.find(node, rule.requires))


def _code(rule: Rule, node: Hit) -> str:
    code = (node if isinstance(node, str) else node.text or "").strip()
    return code.upper() if rule.id == "BR-CL-22" else code  # VATEX codes are compared without regard to case


def _message(rule: Rule, broken: Hit | None) -> str:
    if broken is None or rule.codes is None:
        return rule.message
    quoted = "".join(char for char in _code(rule, broken) if char.isprintable())[:MAX_QUOTED]
    return f"{rule.message.removesuffix('.')}: “{quoted}”."
