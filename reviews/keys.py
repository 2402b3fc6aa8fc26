"""Single-key shortcuts: what each does where, and which key a person has put it on (WCAG 2.1.4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.utils.translation import gettext

from orchestrator.words import later as _

EVERYWHERE, QUEUE, CASE = _("Everywhere"), _("Queue"), _("Case")
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
    Key("undo", "z", EVERYWHERE, _("undo the last decision while its time lasts")),
    Key("search", "/", EVERYWHERE, _("search")),
    Key("help", "?", EVERYWHERE, _("this list")),
    Key("next", "j", EVERYWHERE, _("next row, next case")),
    Key("previous", "k", EVERYWHERE, _("previous row, previous case")),
    Key("select", "x", QUEUE, _("select the row")),
    Key("snooze", "h", QUEUE, _("snooze, in the queue or on a case")),
    Key("new", ".", QUEUE, _("show new cases; on a case, what changed")),
    Key("approve", "a", CASE, _("approve")),
    Key("reject", "r", CASE, _("reject")),
    Key("reroute", "t", CASE, _("reroute")),
    Key("ask", "i", CASE, _("ask")),
    Key("delegate", "d", CASE, _("delegate")),
    Key("escalate", "e", CASE, _("escalate")),
    Key("next-passage", "n", CASE, _("next passage in the document")),
    Key("previous-passage", "p", CASE, _("previous passage in the document; on a record of the trail, print")),
    Key("zoom-in", "+", CASE, _("larger")),
    Key("zoom-out", "-", CASE, _("smaller")),
    Key("back", "u", CASE, _("back to the queue")),
    Key("run", "g", CASE, _("open the run; on a run, go to its graph")),
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
            yield name, gettext("“%(on)s” is not a single character.") % {"on": on}
        elif on in FIXED:
            yield name, gettext("%(on)s goes to a difference; choose another key.") % {"on": on}
        elif on in taken:
            yield name, gettext("“%(on)s” is already on “%(does)s”.") % {"on": on, "does": BY_NAME[taken[on]].does}
        taken.setdefault(on, name)
