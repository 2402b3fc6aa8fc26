"""Where a durable step's time goes: W1 worked on in this process, with every statement counted.

`python -m tests.bench.profile [RUNS] [WORKFLOW]` prints statements per step and the functions by their own time.
"""

import cProfile
import pstats
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from . import product
from .servers import private_servers

STEPS = {"w1": 10, "w2": 11, "w3": 2}
SHOWN = 45


def main(runs: int = 200, workflow: str = "w1") -> None:
    with private_servers() as servers:
        product.set_up(servers)
        product.prepare()
        from django.db import connection

        work_on(workflow, 20)  # imports, compiled policies, prepared statements
        counted: Counter[str] = Counter()
        with connection.execute_wrapper(counting(counted)):
            work_on(workflow, runs)
        steps = runs * STEPS[workflow]
        report(workflow, runs, steps, counted)


def report(workflow: str, runs: int, steps: int, counted: Counter[str]) -> None:
    for statement, number in counted.most_common():
        print(f"{number / steps:8.4f} per step  {statement}")
    print(f"{sum(counted.values()) / steps:8.4f} statements per step in all")
    wall, cpu = work_on(workflow, runs)
    print(f"{wall * 1000 / steps:.3f} ms wall, {cpu * 1000 / steps:.3f} ms CPU of this process per step")
    profiler = cProfile.Profile()
    work_on(workflow, runs, profiler)
    for order in ("tottime", "cumulative"):
        pstats.Stats(profiler).sort_stats(order).print_stats(SHOWN)


def counting(counted: Counter[str]) -> Callable[..., Any]:
    def wrapper(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        counted[f"{sql[:90]} … {sql[-60:]}" if len(sql) > 150 else sql] += 1
        return execute(sql, params, many, context)

    return wrapper


def work_on(workflow: str, runs: int, profiler: cProfile.Profile | None = None) -> tuple[float, float]:
    """Starts the runs, then drains: wall and CPU seconds of the draining."""
    from orchestrator import engine

    starter = product.Starter(workflow, asked=workflow == "w3")
    for number in range(runs):
        starter.start(number)
    wall, cpu = time.perf_counter(), time.process_time()
    if profiler:
        profiler.enable()
    while engine.drain(budget=60):
        pass
    if profiler:
        profiler.disable()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main(*[int(word) if word.isdigit() else word for word in sys.argv[1:]])
