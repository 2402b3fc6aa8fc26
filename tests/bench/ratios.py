"""`python -m tests.bench.ratios RESULTS [ROUND …]`: what five rounds beside the peers gave, as rows of a table.

Only ratios within one round count. A round measures us twice, before and after its first peers: their mean is taken.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import mean, median
from typing import Any

US = "countersign"
MEASURES: Mapping[str, tuple[str, str]] = {
    "W1, 100 in flight, steps/s": ("W1-100", "steps_s"),
    "W1, one in flight, time of a run": ("W1-1", "p50_ms"),
    "W2, runs/s": ("W2", "runs_s"),
    "W3, time": ("W3", "decide_p50_ms"),
}
PEERS = {
    "dbos": "DBOS",
    "langgraph": "LangGraph, PostgreSQL",
    "spiff": "SpiffWorkflow, state saved per step",
    "celery-redis-prefork2": "bare Celery, not durable",
    "pgbench-transition_cte": "pgbench, one statement per step, two clients",
    "pgbench-transition": "pgbench, six round trips per step, two clients",
}
CPU = ("cpu_app_ms_step", "cpu_pg_ms_step", "cpu_redis_ms_step")
Lines = list[dict[str, Any]]


def main(results: str, *rounds: str) -> None:
    lines = [json.loads(line) for line in Path(results).read_text().splitlines()]
    by_round: defaultdict[int, Lines] = defaultdict(list)
    for line in lines:
        if not rounds or str(line["round"]) in rounds:
            by_round[line["round"]].append(line)
    print("| quantity | against | median (range) | rounds |\n|---|---|--:|--:|")
    for quantity, against, found in rows([*by_round.values()]):
        if found:
            print(f"| {quantity} | {against} | {shown(found)} | {len(found)} |")
    loads = [line["load1"] for line in lines if "load1" in line]
    print(f"\nload of the machine: {min(loads):.1f} to {max(loads):.1f}")


def rows(rounds: list[Lines]) -> Iterator[tuple[str, str, list[float]]]:
    """Quantity, whom it is set against, and one number of each round that has both."""
    for quantity, (test, value) in MEASURES.items():
        for system, name in PEERS.items():
            limit = system.startswith("pgbench")
            theirs = "c2" if limit and test == "W1-100" else test
            yield quantity, name, each(rounds, ratio(test, value, system, theirs))
    yield "W3, p95 of the time", "its p50", each(rounds, spread)
    for system in (US, *PEERS):
        yield "W1, CPU of all processes per step, ms", PEERS.get(system, "ours alone"), each(rounds, cpu_of(system))


def each(rounds: list[Lines], find: Callable[[Lines], float | None]) -> list[float]:
    return [found for lines in rounds if (found := find(lines)) is not None]


def ratio(test: str, value: str, system: str, theirs: str) -> Callable[[Lines], float | None]:
    def find(lines: Lines) -> float | None:
        ours, other = values(lines, US, test, value), values(lines, system, theirs, value)
        return mean(ours) / mean(other) if ours and other else None

    return find


def spread(lines: Lines) -> float | None:
    p50, p95 = (values(lines, US, "W3", f"decide_{name}_ms") for name in ("p50", "p95"))
    return mean(high / middle for middle, high in zip(p50, p95, strict=True)) if p50 else None


def cpu_of(system: str) -> Callable[[Lines], float | None]:
    def find(lines: Lines) -> float | None:
        parts = [values(lines, system, "W1-100", part) for part in CPU]
        return sum(map(mean, parts)) if all(parts) else None

    return find


def values(lines: Lines, system: str, test: str, value: str) -> list[float]:
    mine = [line for line in lines if line["system"] == system and line["test"] == test]
    return [float(line[value]) for line in mine if line.get(value) is not None]


def shown(found: list[float]) -> str:
    return f"{median(found):.2f} ({min(found):.2f}–{max(found):.2f})"


if __name__ == "__main__":
    main(*sys.argv[1:])
