"""W1, W2 and W3 of the product inside the peers' harness, as one of the systems of an interleaved round.

`python -m tests.bench.peers` appends its lines to $RESULTS. COUNTERSIGN_PEERS names the harness's folder; PGPORT and
REDIS_PORT the servers it has started (tests/bench/README.md).
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

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
        with worker(folder / "worker.log") as process:
            pids, runs = [process.pid], int(os.environ.get("N", "300"))
            with finishing_line(servers, drive):
                drive.drive(product.Starter("w1").start, 20, 10)  # to warm up
                drive.bench_w1(SYSTEM, product.Starter("w1").start, pids, n1=int(os.environ.get("N1", "40")), n100=runs)
                drive.bench_w2(SYSTEM, product.Starter("w2").start, pids, n=max(20, runs // 3))
            with product.Ends(servers.database_url) as ends:
                measure_w3(drive, ends, pids, runs)


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


@contextmanager
def finishing_line(servers: Servers, drive: ModuleType) -> Iterator[None]:
    """Passes the end of each run on to the list on which the harness waits."""

    def listen(ends: product.Ends) -> None:
        with suppress(OperationalError):  # the connection is closed when everything has been measured
            for key in ends.heard(timeout=3600):
                drive.R.lpush("done", key.rpartition("/")[2])

    with product.Ends(servers.database_url) as ends:
        threading.Thread(target=listen, args=[ends], daemon=True).start()
        yield


def measure_w3(drive: ModuleType, ends: product.Ends, pids: list[int], runs: int) -> None:
    roots, reviewer = [os.getpid(), *pids], product.people()["reviewer"]
    with drive.Cpu(roots) as creating:
        reviews = list(flows.waiting_reviews(product.Starter("w3", asked=True), runs))
    probe = drive.disk_probe()
    with drive.Cpu(roots) as spent:
        taken = list(flows.latencies(reviews, reviewer, ends))
    drive.w3_emit(SYSTEM, runs, creating.wall, taken, spent, probe)


if __name__ == "__main__":
    main()
