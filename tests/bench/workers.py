"""Worker processes as in production: `celery -A orchestrator worker`, one child per core."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers import running

PROJECT = Path(__file__).resolve().parents[2]
OPTIONS = ["--without-gossip", "--without-mingle", "--without-heartbeat"]


@contextmanager
def worker(log: Path, *, children: int = 2) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that the environment tells what to talk to. It is ready when the first run has ended."""
    command = [sys.executable, "-m", "celery", "-A", "orchestrator", "--workdir", str(PROJECT), "worker", *OPTIONS]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with running([*command, "--concurrency", str(children)], log, signal.SIGTERM, env=environment) as process:
        yield process
