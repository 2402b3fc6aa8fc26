"""Single-key shortcuts: what each does where, and which key a person has put it on (WCAG 2.1.4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

EVERYWHERE, QUEUE, CASE = "Everywhere", "Queue", "Case"
# Enter, Esc and digits keep their meaning; so does Ctrl with Enter, which records.
FIXED = frozenset("123456789")


@dataclass(frozen=True, slots=True)
class Key:
    """A shortcut a person may put on another key. `default` is also what pages name it by (`data-key`)."""

    name: str
    default: str
    page: str
    does: str


KEYS = (
    Key("undo", "z", EVERYWHERE, "undo the last decision while its time lasts"),
    Key("search", "/", EVERYWHERE, "search"),
    Key("help", "?", EVERYWHERE, "this list"),
    Key("next", "j", EVERYWHERE, "next row, next case"),
    Key("previous", "k", EVERYWHERE, "previous row, previous case"),
    Key("select", "x", QUEUE, "select the row"),
    Key("snooze", "h", QUEUE, "snooze, in the queue or on a case"),
    Key("new", ".", QUEUE, "show new cases; on a case, what changed"),
    Key("approve", "a", CASE, "approve"),
    Key("reject", "r", CASE, "reject"),
    Key("reroute", "t", CASE, "reroute"),
    Key("ask", "i", CASE, "ask"),
    Key("delegate", "d", CASE, "delegate"),
    Key("escalate", "e", CASE, "escalate"),
    Key("next-passage", "n", CASE, "next passage in the document"),
    Key("previous-passage", "p", CASE, "previous passage in the document; on a record of the trail, print"),
    Key("zoom-in", "+", CASE, "larger"),
    Key("zoom-out", "-", CASE, "smaller"),
    Key("back", "u", CASE, "back to the queue"),
    Key("run", "g", CASE, "open the run"),
)
BY_NAME: Mapping[str, Key] = {key.name: key for key in KEYS}


@dataclass(frozen=True, slots=True)
class Binding:
    """A shortcut and the key it is on for this person."""

    key: Key
    on: str


def bindings(chosen: Mapping[str, str]) -> list[Binding]:
    """`chosen`: {name: key} of those a person moved; names that no longer exist are passed over."""
    return [Binding(key, chosen.get(key.name) or key.default) for key in KEYS]


def translation(chosen: Mapping[str, str]) -> dict[str, str]:
    """What a pressed key means: {pressed: usual key}, "" for keys that were left free. Only differences."""
    moved = [binding for binding in bindings(chosen) if binding.on != binding.key.default]
    return {binding.key.default: "" for binding in moved} | {binding.on: binding.key.default for binding in moved}


def objections(chosen: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(name, what is wrong with its key): no key, a fixed one, or one that another shortcut is on."""
    taken: dict[str, str] = {}
    for binding in bindings(chosen):
        name, on = binding.key.name, binding.on
        if len(on) != 1 or not on.isprintable() or on.isspace():
            yield name, f"“{on}” is not a single character."
        elif on in FIXED:
            yield name, f"{on} goes to a difference; choose another key."
        elif on in taken:
            yield name, f"“{on}” is already on “{BY_NAME[taken[on]].does}”."
        taken.setdefault(on, name)
