"""Private PostgreSQL and Redis servers, started from the machine's own binaries and gone with the process that asked.

They listen on a free loopback port, keep their data in a temporary directory and give durability away for speed:
right for tests, wrong for anything else.
"""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 120
POLL_SECONDS = 0.02
PR_SET_PDEATHSIG = 1


class ServerNotInstalled(RuntimeError):
    def __init__(self, name: str, package: str) -> None:
        super().__init__(f"{name} is not installed: sudo apt-get install -y --no-install-recommends {package}")


class ServerDidNotStart(RuntimeError):
    def __init__(self, name: str, log: Path) -> None:
        super().__init__(f"{name} did not answer within {START_SECONDS} s:\n{log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def postgres_binaries() -> Path:
    """The directory of the newest installed PostgreSQL."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if installed:
        return installed[-1].parent
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    raise ServerNotInstalled("PostgreSQL", "postgresql")


def redis_binary() -> str:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if not found:
        raise ServerNotInstalled("Redis", "redis-server")
    return found


def die_with_parent(signal_number: int) -> Callable[[], None]:
    """What the child runs before exec, so that a killed test run leaves no server behind (Linux only)."""
    parent = os.getpid()

    def prepare() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    return prepare


@contextmanager
def private_postgres() -> Iterator[str]:
    """A fresh cluster; yields the URL of its empty database `postgres`."""
    binaries = postgres_binaries()
    with temporary_directory("countersign-postgres-") as folder:
        account = postgres_account(folder)
        initialise_cluster(binaries, folder, account)
        port = free_port()
        with running(postgres_command(binaries, folder, port), folder / "log", signal.SIGINT, **account) as process:
            probe = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
            wait_until(lambda: subprocess.run(probe).returncode == 0, "PostgreSQL", process, folder / "log")
            yield f"postgresql://app@127.0.0.1:{port}/postgres"


def postgres_account(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: root hands the directory over and steps down to the packaged account."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("postgres")
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def initialise_cluster(binaries: Path, folder: Path, account: dict[str, Any]) -> None:
    command = [binaries / "initdb", "-D", folder / "data", "-U", "app", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*command, "--locale=C.UTF-8", "--no-sync"], check=True, capture_output=True, cwd="/", **account)


def postgres_command(binaries: Path, folder: Path, port: int) -> list[str]:
    settings = {"listen_addresses": "127.0.0.1", "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [str(binaries / "postgres"), "-D", f"{folder}/data", "-k", str(folder), "-p", str(port), *options]


@contextmanager
def private_redis() -> Iterator[str]:
    """An empty Redis without persistence; yields its URL without a database number."""
    with temporary_directory("countersign-redis-") as folder:
        port = free_port()
        place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        command = [redis_binary(), *place, "--save", "", "--appendonly", "no"]
        with running(command, folder / "log", signal.SIGTERM) as process:
            wait_until(lambda: answers_ping(port), "Redis", process, folder / "log")
            yield f"redis://127.0.0.1:{port}"


def answers_ping(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def answers_http(port: int) -> bool:
    """Whether the product's web server does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as response:
            return response.status == 200
    except OSError:
        return False


@contextmanager
def temporary_directory(prefix: str) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(
    command: Sequence[str], log: Path, stop_signal: signal.Signals, **account: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A child process that ends with the block, and with this process if that is killed."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd="/", stdout=output, stderr=output, preexec_fn=die_with_parent(stop_signal), **account
        )
    try:
        yield process
    finally:
        stop(process, stop_signal)


def stop(process: subprocess.Popen[bytes], stop_signal: signal.Signals, seconds: float = 10) -> None:
    process.send_signal(stop_signal)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(ready: Callable[[], bool], name: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server is ready; raises ServerDidNotStart with the end of its log when it ended or took too long."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServerDidNotStart(name, log)
        time.sleep(POLL_SECONDS)


def wait_for(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Until `condition()` holds in another process; raises AssertionError with `otherwise` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, otherwise
        time.sleep(POLL_SECONDS)
