"""P6: W1 over a long past of the measured database, against a short one beside it, in turn.

`python -m tests.bench.past` is the side with the short past: a process with a database and a worker of its own, which
works through W1 whenever a line is asked of it and answers with its rate.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cpu import percentile
from .servers import Servers

if TYPE_CHECKING:
    from .targets import Bench

FEW, MANY = 20_000, 2_000_000  # a prepared database has the few already
RUNS, ROUNDS = 300, 7


def p6_past_tasks(bench: "Bench") -> dict[str, Any]:
    """W1's throughput with a long past, by the short one's in the same round; the median of the rounds."""
    from django.core.management import call_command

    if (missing := bench.sized(MANY) - FEW) > 0:
        call_command("seed_bench", tasks=missing, verbosity=0)
    with short_past(bench.servers) as few_rate:
        digest_what_was_loaded()
        few_rate(), rate(bench)  # plans are made, caches filled
        pairs = [(few_rate(), rate(bench)) for _ in range(ROUNDS)]
    ratios = [many / few for few, many in pairs]
    found = {"past_tasks": FEW + max(missing, 0), "rounds": [round(ratio, 3) for ratio in ratios]}
    found |= {"steps_per_s": [round(many) for _, many in pairs], "with_few": [round(few) for few, _ in pairs]}
    return {**found, "value": round(percentile(ratios, 0.5), 3), "unit": "ratio", "must_least": 0.9, "aim_least": 0.97}


def rate(bench: "Bench") -> float:
    """Steps per second of W1 with 100 in flight."""
    return float(bench.measure("w1", RUNS, 100).as_json(steps=10)["steps_per_s"])


def digest_what_was_loaded() -> None:
    """A bulk load's own aftermath (statistics, visibility, dirty pages) is not what a long past costs."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
        cursor.execute("CHECKPOINT")


@contextmanager
def short_past(servers: Servers) -> Iterator[Callable[[], float]]:
    """A function that has the other side work through W1 and gives its rate."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE short_past")
    folder = servers.var_dir / "short_past"
    folder.mkdir()
    url, redis = (f"{address.rpartition('/')[0]}/" for address in (servers.database_url, servers.redis_url))
    beside = replace(servers, database_url=f"{url}short_past", redis_url=f"{redis}1", var_dir=folder)
    environment = {**os.environ, **beside.as_environment()}
    command = [sys.executable, "-m", "tests.bench.past"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True, bufsize=1) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answered = process.stdin, process.stdout

        def ask() -> float:
            print("go", file=asked)
            if not (told := answered.readline()):
                raise RuntimeError("the side with the short past has ended; stderr has its error")
            return float(told)

        try:
            yield ask
        finally:
            asked.close()  # which ends it, and its worker with it


def main() -> None:
    from .targets import prepared

    database, redis, folder = (os.environ[name] for name in ("DATABASE_URL", "REDIS_URL", "VAR_DIR"))
    with prepared(Servers(database, redis, Path(folder), ()), 1.0) as bench:
        digest_what_was_loaded()
        for _ in sys.stdin:
            print(rate(bench), flush=True)


if __name__ == "__main__":
    main()
