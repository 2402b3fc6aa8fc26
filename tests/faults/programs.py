"""The processes of a trial: started, hurt, and started again when they are meant to be there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers import die_with_parent, free_port, postgres_binaries, redis_binary

PROJECT = Path(__file__).resolve().parents[2]
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
DURABLE = {"listen_addresses": "127.0.0.1", "fsync": "on", "synchronous_commit": "on", "max_connections": "100"}


class NotInstalled(RuntimeError):
    def __init__(self, package: str) -> None:
        super().__init__(f"{package} is not installed: sudo apt-get install -y --no-install-recommends {package}")


@dataclass
class Program:
    """A process with a session of its own, and whether it is wanted."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Mapping[str, object] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = False
    starts: int = 0

    def start(self) -> None:
        self.wanted, self.starts = True, self.starts + 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd="/",
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
                **self.account,  # type: ignore[arg-type]
            )

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was never started"
        return self.process.pid

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        if self.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """The whole session, at once: children too."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 5) -> None:
        self.wanted = False
        if self.is_alive():
            self.send(signal.SIGCONT)
            self.send(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)  # type: ignore[union-attr]
        self.kill()


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Until it holds; TimeoutError naming it after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.05)


def postgres(folder: Path, account: Mapping[str, object], port: int) -> Program:
    """As durable as in production: what it has committed survives its death."""
    settings = [word for name, value in DURABLE.items() for word in ("-c", f"{name}={value}")]
    place = ["-D", f"{folder}/data", "-k", str(folder), "-p", str(port)]
    return Program(
        "postgres", [str(postgres_binaries() / "postgres"), *place, *settings], folder / "log", account=account
    )


def postgres_answers(port: int) -> bool:
    probe = [str(postgres_binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(probe).returncode == 0


def redis(folder: Path, port: int) -> Program:
    """Without persistence: killed, it has forgotten everything."""
    place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    return Program("redis", [redis_binary(), *place], folder / "redis.log")


def module(name: str, folder: Path, *arguments: object) -> Program:
    """One of our own: the outside, the proxy."""
    command = [sys.executable, "-m", f"tests.faults.{name}", *map(str, arguments)]
    return Program(name, command, folder / f"{name}.log", {"PYTHONPATH": str(PROJECT)})


def worker(number: int, folder: Path, environment: Mapping[str, str]) -> Program:
    options = ["--without-gossip", "--without-mingle", "--concurrency", "2", "--hostname", f"w{number}@trials"]
    command = [sys.executable, "-m", "celery", "-A", "orchestrator", "--workdir", str(PROJECT), "worker", *options]
    return Program(f"worker-{number}", command, folder / f"worker-{number}.log", environment)


def scheduler(number: int, folder: Path, environment: Mapping[str, str]) -> Program:
    own = ["--pidfile", "", "--schedule", str(folder / f"schedule-{number}")]
    command = [sys.executable, "-m", "celery", "-A", "orchestrator", "--workdir", str(PROJECT), "beat", *own]
    return Program(f"scheduler-{number}", command, folder / f"scheduler-{number}.log", environment)


def web(port: int, folder: Path, environment: Mapping[str, str]) -> Program:
    options = ["--chdir", str(PROJECT), "--bind", f"127.0.0.1:{port}", "--workers", "2", "--worker-class", "gthread"]
    options += ["--threads", "4", "--log-level", "warning", "--no-control-socket"]
    return Program(
        "web", [sys.executable, "-m", "gunicorn", "orchestrator.wsgi", *options], folder / "web.log", environment
    )


def with_clock(environment: Mapping[str, str], offset: str) -> dict[str, str]:
    """The same, on a clock that is wrong by `offset` ("+3600", "-2h"). What waits, still waits real seconds."""
    if not Path(FAKETIME).exists():
        raise NotInstalled("libfaketime")
    wrong = {"LD_PRELOAD": FAKETIME, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {**environment, **wrong}


__all__ = [
    "NotInstalled",
    "Program",
    "free_port",
    "module",
    "postgres",
    "postgres_answers",
    "redis",
    "scheduler",
    "wait_until",
    "web",
    "with_clock",
    "worker",
]
