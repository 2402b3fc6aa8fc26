"""Where the steps of a workflow stand when it is drawn: layers from left to right, edges at right angles.

Pure. The method is Sugiyama's (1981) in its plainest form: longest-path layers, one placeholder per layer an edge
passes, order within a layer by the mean of the predecessors. Lengths are SVG user units.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from unicodedata import combining, east_asian_width

WIDTH, HEIGHT = 148, 60  # of a node
GAP_X, GAP_Y = 26, 16
MARGIN = 18
Slot = tuple[str, str]  # (step, "") or, where an edge passes through a layer, (from, to)


# Widths of letters in em, of the widest font that may stand in for ours; everything not named is a small letter.
LETTERS = {0.45: "iljtfrI .,:;'|!()[]-/", 1.1: "mwMW@%…—"}
WIDE = {letter: width for width, letters in LETTERS.items() for letter in letters}


@dataclass(frozen=True, slots=True)
class Edge:
    """A connection with its path data (SVG 2, §9.3)."""

    source: str
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Layout:
    """The top left corner of each step, the edges, and the size of the whole."""

    places: Mapping[str, tuple[int, int]]
    edges: Sequence[Edge]
    width: int
    height: int


def lay_out(needs: Mapping[str, Sequence[str]]) -> Layout:
    """Places for the steps of an acyclic graph, given what each needs, in topological order."""
    needs = without_shortcuts(needs)
    layer = layers_of(needs)
    columns = _columns(needs, layer)
    middle = max((len(column) for column in columns), default=1) * (HEIGHT + GAP_Y) // 2
    y = {slot: _row(index, len(column), middle) for column in columns for index, slot in enumerate(column)}
    places = {name: (_x(layer[name]), y[name, ""] - HEIGHT // 2) for name in needs}
    edges = [Edge(a, b, _path(a, b, layer, y)) for b, before in needs.items() for a in before]
    return Layout(places, edges, _x(len(columns)) - GAP_X + MARGIN, 2 * middle + MARGIN)


def fitting(text: str, room: float) -> str:
    """The text, or as much of it as surely fits into so many em, whatever font the browser has, and an ellipsis."""
    if sum(map(_width, text)) <= room:
        return text
    room -= WIDE["…"]
    kept = ""
    for letter in text:
        room -= _width(letter)
        if room < 0:
            break
        kept += letter
    return f"{kept.rstrip()}…"


def in_lines(text: str, room: float) -> list[str]:
    """The text on one line where it fits, else on two, parted between words; the second is cut where it must be."""
    words = text.split()
    for count in range(len(words), 0, -1):
        first, rest = " ".join(words[:count]), " ".join(words[count:])
        if fitting(first, room) == first:
            return [first, fitting(rest, room)] if rest else [first]
    return [fitting(text, room)]


def _width(letter: str) -> float:
    if combining(letter):
        return 0
    if east_asian_width(letter) in "WF":
        return 1.1
    return WIDE.get(letter, 0.84 if letter.isupper() else 0.7)


def fold(needs: Mapping[str, Sequence[str]], finished: Collection[str]) -> dict[str, list[str]]:
    """Which steps may be drawn as one: {first of them: all of them}, where every step of neighbouring layers has
    finished. Since a fold takes whole layers, what is left has no cycle either."""
    layer = layers_of(needs)
    by_layer = groupby(sorted(needs, key=lambda name: layer[name]), key=lambda name: layer[name])
    layers = [list(names) for _, names in by_layer]
    stretches = groupby(layers, key=lambda names: all(name in finished for name in names))
    folded = [[name for names in stretch for name in names] for done, stretch in stretches if done]
    return {names[0]: names for names in folded if len(names) > 1}


def folded_needs(needs: Mapping[str, Sequence[str]], folds: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The graph with each fold as one node, named after its first step; still in topological order."""
    node = {name: first for first, names in folds.items() for name in names}
    found: dict[str, list[str]] = {}
    for name in sorted(needs, key=layers_of(needs).__getitem__):
        before = found.setdefault(node.get(name, name), [])
        drawn = (node.get(need, need) for need in needs[name])
        before += [need for need in dict.fromkeys(drawn) if need not in before and need != node.get(name, name)]
    return found


def without_shortcuts(needs: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The same order with fewer edges: a need that another need already implies is not drawn."""
    above: dict[str, set[str]] = {}
    for name, before in needs.items():
        above[name] = set(before).union(*(above[other] for other in before))
    return {
        name: [need for need in before if not any(need in above[other] for other in before)]
        for name, before in needs.items()
    }


def layers_of(needs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The layer of each step: one after the last of what it needs."""
    layer: dict[str, int] = {}
    for name, before in needs.items():
        layer[name] = 1 + max((layer[other] for other in before), default=-1)
    return layer


def _columns(needs: Mapping[str, Sequence[str]], layer: Mapping[str, int]) -> list[list[Slot]]:
    """The slots of each layer from top to bottom."""
    columns: list[list[Slot]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    before: dict[Slot, list[Slot]] = {}
    for target, sources in needs.items():
        before[target, ""] = []
        columns[layer[target]].append((target, ""))
        for source in sources:
            chain = _chain(source, target, layer)
            for earlier, later in pairwise(chain):
                before.setdefault(later, []).append(earlier)
            for offset, slot in enumerate(chain[1:-1], 1):
                columns[layer[source] + offset].append(slot)
    for left, column in pairwise(columns):
        at = {slot: index for index, slot in enumerate(left)}
        column.sort(key=lambda slot, at=at: _mean([at[other] for other in before[slot]]))  # type: ignore[misc]
    return columns


def _chain(source: str, target: str, layer: Mapping[str, int]) -> list[Slot]:
    passed = layer[target] - layer[source] - 1
    return [(source, ""), *[(source, f"{target} {number}") for number in range(passed)], (target, "")]


def _mean(numbers: Sequence[int]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0


def _row(index: int, count: int, middle: int) -> int:
    return MARGIN // 2 + middle + round((index - (count - 1) / 2) * (HEIGHT + GAP_Y))


def _x(column: int) -> int:
    return MARGIN + column * (WIDTH + GAP_X)


def _path(source: str, target: str, layer: Mapping[str, int], y: Mapping[Slot, int]) -> str:
    chain = _chain(source, target, layer)
    path = f"M{_x(layer[source]) + WIDTH} {y[source, '']}"
    for offset, slot in enumerate(chain[1:]):
        path += f"H{_x(layer[source] + offset) + WIDTH + GAP_X // 2}V{y[slot]}"
    return f"{path}H{_x(layer[target])}"
