"""How each kind of step says what it does: the value under its key, and the keys beside it, become a target and
options. Every objection is handed to `refuse` with its path. No Django."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.definition_model import INPUT, Step, placeholders
from orchestrator.said import said as _
from orchestrator.said import said_by
from orchestrator.shorthand import suggest

Refuse = Callable[[str, str], None]
Options = tuple[str, dict[str, Any]]

DAY = 86_400
MAX_PAUSE = 366 * DAY
DEFAULT_WITHIN = 30 * DAY
MAX_ITEMS = 1_000
DURATION = re.compile(r"([0-9]{1,9}) ?(s|m|h|d)?")
UNIT_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": DAY}
NAME = re.compile(r"[a-z][a-z0-9._-]{0,99}")
FIELD = re.compile(r"[a-z][a-z0-9_]{0,49}")
OF = re.compile(r"([0-9]{1,3})(?: of ([0-9]{1,3}))?")
# Keys that stand beside the kind's own.
KIND_KEYS: Mapping[str, tuple[str, ...]] = {
    "agent": ("sources", "fallback"),
    "effect": ("compensate",),
    "for_each": ("agent", "at_most", "sources"),
    "wait": ("correlation", "within", "otherwise"),
    "workflow": ("input",),
    "record": ("row",),
}

# Kinds that execute nothing of their own say how long they may take in other words.
UNTIMED: Mapping[str, str] = {
    "gate": _("the policies are evaluated at once"),
    "join": _("it takes no time of its own"),
    "record": _("the entry is made at once"),
    "review": _("how long people have is said by the queue's review policy"),
    "timer": _("the timer itself is the time"),
    "wait": _("how long it waits is said by within"),
    "workflow": _("how long the other workflow has is said by its deadline"),
}


def parse_duration(written: Any) -> int:
    """Seconds of `90`, `90s`, `15m`, `4h` or `14d`; ValueError says what is expected."""
    match = DURATION.fullmatch(str(written)) if not isinstance(written, bool) else None
    if match is None:
        raise ValueError(_("%(written)r is no duration; write seconds or 30s, 15m, 4h, 14d", written=written))
    return int(match[1]) * UNIT_SECONDS[match[2]]


def read_join(path: str, found: Mapping[str, Any], refuse: Refuse) -> Options:
    """`all`, `any`, `2`, `2 of 3`, or `{quorum: 2, field: verdict, veto: [reject]}`."""
    written, count = found["join"], len(found.get("needs") or ())
    if written in ("all", "any"):
        return written, {}
    if isinstance(written, Mapping):
        return _quorum(path, written, count, refuse)
    match = OF.fullmatch(str(written)) if not isinstance(written, bool) else None
    if match is None:
        refuse(
            f"{path}.join",
            _("is %(written)r; expected all or any, 2, 2 of 3, or a map with quorum and field", written=written),
        )
        return "all", {}
    if match[2] and int(match[2]) != count:
        refuse(f"{path}.join", _("says of %(value)s, but it needs %(count)s steps", value=match[2], count=count))
    return "some", {"at_least": _enough(f"{path}.join", int(match[1]), count, refuse)}


def _quorum(path: str, written: Mapping[str, Any], count: int, refuse: Refuse) -> Options:
    path = f"{path}.join"
    for key in written.keys() - {"quorum", "field", "veto"}:
        refuse(f"{path}.{key}", _("is no known key%(key)s", key=suggest(key, ("quorum", "field", "veto"))))
    field, veto = written.get("field"), written.get("veto", [])
    if not isinstance(field, str) or not FIELD.fullmatch(field):
        refuse(
            f"{path}.field", _("is %(field)r; expected the name of an output field that the branches have", field=field)
        )
    if not isinstance(veto, list) or not all(isinstance(value, (str, bool, int)) for value in veto):
        refuse(f"{path}.veto", _("is %(veto)r; expected a list of values", veto=veto))
    enough = _enough(f"{path}.quorum", written.get("quorum"), count, refuse)
    return "quorum", {"at_least": enough, "field": field, "veto": veto}


def _enough(path: str, written: Any, count: int, refuse: Refuse) -> int:
    if isinstance(written, bool) or not isinstance(written, int) or not 1 <= written <= count:
        refuse(
            path,
            _("is %(written)r; expected 1 to %(count)s, the number of steps it needs", written=written, count=count),
        )
        return 1
    return written


def read_timer(path: str, found: Mapping[str, Any], refuse: Refuse) -> Options:
    """`2h`, or `{until: read.invoice.due_date, at_most: 60d}`."""
    written = found["timer"]
    if not isinstance(written, Mapping):
        return "", {"seconds": _seconds(f"{path}.timer", written, refuse)}
    for key in written.keys() - {"until", "at_most"}:
        refuse(f"{path}.timer.{key}", _("is no known key%(key)s", key=suggest(key, ("until", "at_most"))))
    at_most = _seconds(f"{path}.timer.at_most", written.get("at_most", MAX_PAUSE), refuse)
    return "", {"until": _dotted(f"{path}.timer.until", written.get("until"), refuse), "at_most": at_most}


def read_wait(path: str, found: Mapping[str, Any], refuse: Refuse) -> Options:
    """The name of an event, which comes in by a signed webhook of that name."""
    otherwise = found.get("otherwise", "fail")
    if otherwise not in ("fail", "continue"):
        refuse(f"{path}.otherwise", _("is %(otherwise)r; expected fail or continue", otherwise=otherwise))
    correlation = found.get("correlation")
    if not isinstance(correlation, str) or not placeholders(correlation):
        refuse(
            f"{path}.correlation",
            _("is %(correlation)r; expected a text such as '{pay.ref}' that tells runs apart", correlation=correlation),
        )
        correlation = ""
    within = _seconds(f"{path}.within", found.get("within", DEFAULT_WITHIN), refuse)
    options = {"correlation": correlation, "within": within, "otherwise": otherwise}
    return _name(f"{path}.wait", found["wait"], refuse), options


def read_workflow(path: str, found: Mapping[str, Any], refuse: Refuse) -> Options:
    """The name of a workflow; `input` maps its input fields to paths in this case."""
    written = found.get("input") or {}
    if not isinstance(written, Mapping):
        refuse(
            f"{path}.input",
            _("is %(written)r; expected a map of the other workflow's input fields to paths", written=written),
        )
        written = {}
    given = {str(key): _dotted(f"{path}.input.{key}", value, refuse) for key, value in written.items()}
    return _name(f"{path}.workflow", found["workflow"], refuse), {"input": given}


def read_for_each(path: str, found: Mapping[str, Any], refuse: Refuse) -> Options:
    """The path of a list; `agent` is given each of its items, at most `at_most` of them."""
    at_most = found.get("at_most", 100)
    if isinstance(at_most, bool) or not isinstance(at_most, int) or not 1 <= at_most <= MAX_ITEMS:
        refuse(
            f"{path}.at_most",
            _("is %(at_most)r; expected a whole number from 1 to %(max_items)s", at_most=at_most, max_items=MAX_ITEMS),
        )
    items = _dotted(f"{path}.for_each", found["for_each"], refuse)
    return _name(f"{path}.agent", found.get("agent"), refuse), {"items": items, "at_most": at_most}


def read_gate(path: str, found: Mapping[str, Any], refuse: Refuse) -> Options:
    """`policies`: the workflow's policy set is evaluated here."""
    if found["gate"] != "policies":
        refuse(f"{path}.gate", _("is %(gate)r; expected policies", gate=found["gate"]))
    return "policies", {}


def read_record(path: str, found: Mapping[str, Any], refuse: Refuse) -> Options:
    """The name of a register; `row` maps the fields of its entry to paths in this case."""
    written = found.get("row")
    if not isinstance(written, Mapping) or not written:
        refuse(
            f"{path}.row",
            _("is %(written)r; expected a map of the entry's fields to paths in the case", written=written),
        )
        written = {}
    row = {str(key): _dotted(f"{path}.row.{key}", value, refuse) for key, value in written.items()}
    return _name(f"{path}.record", found["record"], refuse), {"row": row}


READERS: Mapping[str, Callable[[str, Mapping[str, Any], Refuse], Options]] = {
    "join": read_join,
    "timer": read_timer,
    "wait": read_wait,
    "workflow": read_workflow,
    "for_each": read_for_each,
    "gate": read_gate,
    "record": read_record,
}


def references(step: Step) -> list[tuple[str, tuple[str, ...]]]:
    """(where it is written, path in the case) of everything this step reads by its options."""
    path, config = f"steps.{step.name}", step.config
    if step.kind == "timer" and "until" in config:
        return [(f"{path}.timer.until", tuple(config["until"]))]
    if step.kind == "wait":
        return [(f"{path}.correlation", found) for found in placeholders(config["correlation"])]
    if step.kind == "workflow":
        return [(f"{path}.input.{key}", tuple(found)) for key, found in config["input"].items()]
    if step.kind == "record":
        return [(f"{path}.row.{key}", tuple(found)) for key, found in config["row"].items()]
    if step.kind == "for_each":
        return [(f"{path}.for_each", tuple(config["items"]))]
    if step.kind == "agent" and isinstance(config.get("with"), Mapping):
        return [(f"{path}.config.with.{key}", (str(found),)) for key, found in config["with"].items()]
    return []


def check_references(steps: Mapping[str, Step], before: Mapping[str, frozenset[str]], refuse: Refuse) -> None:
    """What a step reads must be there when it starts: the input, or the output of a step it waits for."""
    for step in steps.values():
        for path, (first, *_rest) in references(step):
            if first not in before[step.name] | {INPUT}:
                known = sorted(before[step.name] | {INPUT})
                hint = suggest(first, known) or _("; it can read %(known)s", known=", ".join(known))
                refuse(path, _("reads %(first)r, which is no step before it%(hint)s", first=first, hint=hint))


def _seconds(path: str, written: Any, refuse: Refuse) -> int:
    try:
        seconds = parse_duration(written)
    except ValueError as error:
        refuse(path, said_by(error))
        return 1
    if not 1 <= seconds <= MAX_PAUSE:
        refuse(path, _("is %(seconds)s seconds; expected 1 to %(max_pause)s", seconds=seconds, max_pause=MAX_PAUSE))
    return seconds


def _dotted(path: str, written: Any, refuse: Refuse) -> list[str]:
    keys = written.strip().split(".") if isinstance(written, str) else [""]
    if not all(keys):
        refuse(path, _("is %(written)r; expected a path such as read.invoice.due_date", written=written))
    return keys


def _name(path: str, written: Any, refuse: Refuse) -> str:
    if not isinstance(written, str) or not NAME.fullmatch(written):
        refuse(path, _("%(written)r is no name; expected %(pattern)s", written=written, pattern=NAME.pattern))
        return ""
    return written
