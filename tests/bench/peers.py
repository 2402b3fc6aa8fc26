"""W1, W2 and W3 of the product inside the peers' harness, as one of the systems of an interleaved round.

`python -m tests.bench.peers` appends its lines to $RESULTS. COUNTERSIGN_PEERS names the harness's folder; PGPORT and
REDIS_PORT the servers it has started (tests/bench/README.md).
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from psycopg import OperationalError

from tests.servers import temporary_directory

from . import flows, product
from .servers import Servers
from .workers import worker

SYSTEM = "countersign"


def main() -> None:
    drive = harness()
    with temporary_directory("bench-") as folder:
        servers = harness_servers(folder)
        empty(servers.database_url)
        product.set_up(servers)
        product.prepare()
        with worker(folder / "worker.log") as process, finishing_line(servers, drive) as heard:
            pids, runs = [process.pid], int(os.environ.get("N", "300"))
            warm_up = product.Starter("w1").start
            drive.drive(warm_up, 20, 10)
            drive.bench_w1(SYSTEM, product.Starter("w1").start, pids, n1=int(os.environ.get("N1", "40")), n100=runs)
            drive.bench_w2(SYSTEM, product.Starter("w2").start, pids, n=max(20, runs // 3))
            measure_w3(drive, heard, pids, runs)


def harness() -> ModuleType:
    """The harness's driver; its other modules are found beside it."""
    folder = os.environ.get("COUNTERSIGN_PEERS", "")
    if not (Path(folder) / "drive.py").is_file():
        raise SystemExit(f"COUNTERSIGN_PEERS: {folder!r} holds no drive.py; expected the folder of the peers' harness")
    sys.path.insert(0, folder)
    import drive

    return drive


def harness_servers(folder: Path) -> Servers:
    user, port, redis_port = (os.environ[name] for name in ("PGUSER", "PGPORT", "REDIS_PORT"))
    url = f"postgresql://{user}@127.0.0.1:{port}/countersign"
    return Servers(url, f"redis://127.0.0.1:{redis_port}/9", folder, ())


def empty(database_url: str) -> None:
    """The database is the harness's own, and every round begins with the same content."""
    import psycopg

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


class Heard:
    """Run ends as the harness counts them, and for W3 an event to wait for."""

    def __init__(self, push: Callable[[str], Any]) -> None:
        self.push, self.one_more = push, threading.Semaphore(0)

    def listen(self, ends: product.Ends) -> None:
        with suppress(OperationalError):  # the connection is closed when everything has been measured
            for key in ends.heard(timeout=3600):
                self.push(key.rpartition("/")[2])
                self.one_more.release()

    def forget(self) -> None:
        while self.one_more.acquire(blocking=False):
            pass


@contextmanager
def finishing_line(servers: Servers, drive: ModuleType) -> Iterator[Heard]:
    """Passes the end of each run on to the list on which the harness waits."""
    with product.Ends(servers.database_url) as ends:
        heard = Heard(lambda number: drive.R.lpush("done", number))
        threading.Thread(target=heard.listen, args=[ends], daemon=True).start()
        yield heard


def measure_w3(drive: ModuleType, heard: Heard, pids: list[int], runs: int) -> None:
    roots, reviewer, taken = [os.getpid(), *pids], product.people()["reviewer"], []
    with drive.Cpu(roots) as creating:
        reviews = list(flows.waiting_reviews(product.Starter("w3", asked=True), runs))
    heard.forget()
    probe = drive.disk_probe()
    with drive.Cpu(roots) as spent:
        for review in reviews:
            began = time.perf_counter()
            flows.decide(review, reviewer)
            if not heard.one_more.acquire(timeout=60):
                raise flows.Stalled(len(taken), runs)
            taken.append(time.perf_counter() - began)
    drive.w3_emit(SYSTEM, runs, creating.wall, taken, spent, probe)


if __name__ == "__main__":
    main()
