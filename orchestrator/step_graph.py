"""The order of steps: pure graph questions over {step: needs}. No Django."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Needs = Mapping[str, Sequence[str]]


def topological(needs: Needs) -> list[str]:
    """Steps, each after all it needs, else as declared (Kahn); steps on or behind a cycle are left out."""
    done: dict[str, None] = {}
    waiting = dict.fromkeys(needs)
    while ready := [name for name in waiting if all(need in done for need in needs[name])]:
        done.update(dict.fromkeys(ready))
        for name in ready:
            del waiting[name]
    return list(done)


def cycles(needs: Needs) -> list[list[str]]:
    """One closed path for each cycle met, `["a", "b", "a"]`: a comes first, then b; disjoint cycles each once."""
    ordered = set(topological(needs))
    stuck = dict.fromkeys(name for name in needs if name not in ordered)
    found: list[list[str]] = []
    while stuck:
        name, path = next(iter(stuck)), []
        while name in stuck and name not in path:
            path.append(name)
            name = next((need for need in needs[name] if need in stuck), "")
        if name in path:
            found.append([name, *reversed(path[path.index(name) :])])
        for seen in path:
            stuck.pop(seen, None)
    return found


def closure(order: Sequence[str], edges: Mapping[str, Sequence[str]]) -> dict[str, frozenset[str]]:
    """Everything reachable from each step along `edges`; `order` lists a step after all its edges lead to."""
    reached: dict[str, frozenset[str]] = {}
    for name in order:
        reached[name] = frozenset(edges[name]).union(*(reached[other] for other in edges[name]))
    return reached


def path_without(
    target: str, needs: Needs, *, guards: Callable[[str], bool], any_of: Callable[[str], bool]
) -> list[str]:
    """A way from a first step to `target` on which no step guards, or [] when every way is guarded.

    A step waits for all its needs, so one guarded need is enough; where `any_of` says one need suffices, all must be.
    """
    ways: dict[str, list[str]] = {}
    for name in topological(needs):
        open_ways = [ways[need] for need in needs[name] if ways[need]]
        enough = bool(open_ways) if any_of(name) else len(open_ways) == len(needs[name])
        ways[name] = [*(open_ways[0] if open_ways else []), name] if enough and not guards(name) else []
    return ways.get(target, [])
