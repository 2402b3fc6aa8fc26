"""Private PostgreSQL and Redis for measurements: as in tests/servers.py, but as durable as in production."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import (
    free_port,
    initialise_cluster,
    postgres_account,
    postgres_binaries,
    private_redis,
    running,
    temporary_directory,
    wait_until,
)

DURABLE = {"fsync": "on", "synchronous_commit": "on", "shared_buffers": "1GB", "max_wal_size": "4GB"}
SECRET_KEY = "known-to-everyone-and-good-for-measurements-alone-0123456789"


@dataclass(frozen=True, slots=True)
class Servers:
    """What the measured processes talk to, and the process ids whose CPU time counts as theirs."""

    database_url: str
    redis_url: str
    var_dir: Path
    pids: tuple[int, ...]

    def as_environment(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "VAR_DIR": str(self.var_dir),
            "SECRET_KEY": SECRET_KEY,
            "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
        }


@contextmanager
def private_servers() -> Iterator[Servers]:
    """Fresh servers that end with the block."""
    with durable_postgres() as (database, postgres_pid), private_redis() as redis, temporary_directory("bench-") as var:
        port = int(redis.rpartition(":")[2])
        yield Servers(database, f"{redis}/0", var, (postgres_pid, process_listening_on(port)))


@contextmanager
def durable_postgres() -> Iterator[tuple[str, int]]:
    """A fresh cluster with fsync and synchronous_commit on; yields its URL and the process id of its parent."""
    binaries = postgres_binaries()
    with temporary_directory("bench-postgres-") as folder:
        account = postgres_account(folder)
        initialise_cluster(binaries, folder, account)
        port = free_port()
        options = [word for name, value in DURABLE.items() for word in ("-c", f"{name}={value}")]
        place = ["-D", f"{folder}/data", "-k", str(folder), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
        command = [str(binaries / "postgres"), *place, *options]
        with running(command, folder / "log", signal.SIGINT, **account) as process:
            probe = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_until(lambda: subprocess.run(probe).returncode == 0, "PostgreSQL", process, folder / "log")
            yield f"postgresql://app@127.0.0.1:{port}/postgres", process.pid


def process_listening_on(port: int) -> int:
    """The child of this process that listens there (Linux). LookupError: none does."""
    wanted = {line.split()[9] for line in _sockets() if line.split()[1].endswith(f":{port:04X}")}
    for child in children_of(os.getpid()):
        links = (str(fd.readlink()) for fd in Path(f"/proc/{child}/fd").iterdir() if fd.is_symlink())
        if any(link == f"socket:[{inode}]" for link in links for inode in wanted):
            return child
    raise LookupError(f"port: no child of this process listens on {port}")


def _sockets() -> Sequence[str]:
    return Path("/proc/net/tcp").read_text().splitlines()[1:]


def children_of(pid: int) -> list[int]:
    """Direct children, of all threads of the process."""
    texts = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for text in texts for child in text.split()]
