"""One installation to be hurt: database, broker, web, workers, the outside. Everything in it is a real process."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tests.servers import answers_ping, initialise_cluster, postgres_account, postgres_binaries, temporary_directory

from . import programs
from .arming import Arming, Taken
from .programs import Program, free_port, wait_until

SECRET_KEY = "known-to-everyone-and-good-for-trials-alone-0123456789"
THAW_LEASES = 2.5  # how many leases a frozen process sleeps
WORKERS = 2
Answer = TypeVar("Answer")


class World:
    """`tend()` is called all the time: it starts again what died, and thaws what was frozen."""

    def __init__(self, folder: Path, database_folder: Path | None = None, database: str = "") -> None:
        self.folder, self.database = folder, database
        self.database_folder = database_folder or folder / "postgres"
        self.arming = Arming(folder / "faults")
        names = ("postgres", "redis", "erp", "web", "proxy")
        self.ports = {name: free_port() for name in names}
        self.servers: list[Program] = []
        self.workers: list[Program] = []
        self.product: list[Program] = []  # web, workers and what a trial adds
        self.frozen: dict[int, float] = {}  # process id -> when it is thawed
        self.over = False  # all runs of the trial have ended
        self.people: Any = None  # of the trial
        self.complaints: list[str] = []  # what a fault itself saw go wrong
        self.forgotten: set[str] = set()  # keys of bookings that a restored database was told of from outside
        self._seen = 0

    def environment(self, *, by_proxy: bool = False, **changes: str) -> dict[str, str]:
        server = f"postgresql://app@127.0.0.1:{self.ports['proxy' if by_proxy else 'postgres']}/postgres"
        return {
            "DATABASE_URL": f"sqlite:///{self.folder}/var/trials.sqlite3" if self.database == "sqlite" else server,
            "REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}/0",
            "ERP_BASE_URL": f"http://127.0.0.1:{self.ports['erp']}",
            "VAR_DIR": str(self.folder / "var"),
            "SECRET_KEY": SECRET_KEY,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "FAULT_FOLDER": str(self.folder / "faults"),
            "PYTHONPATH": str(programs.PROJECT),
            "PYTHONWARNINGS": "ignore",
            **changes,
        }

    def start_servers(self) -> None:
        self.arming.prepare()
        self.redis = programs.redis(self.folder, self.ports["redis"])
        journal = self.folder / "journal.jsonl"
        self.erp = programs.module("erp", self.folder, "--port", self.ports["erp"], "--journal", journal)
        self.servers = [self.redis, self.erp]
        if self.database != "sqlite":
            self.servers.append(self.prepare_postgres())
        for program in self.servers:
            program.start()
        if self.database != "sqlite":
            self.await_postgres()
        wait_until(lambda: answers_ping(self.ports["redis"]), "redis answers")
        wait_until(lambda: listens(self.ports["erp"]), "the outside answers")

    def prepare_postgres(self) -> Program:
        self.database_folder.mkdir(exist_ok=True)
        account = postgres_account(self.database_folder)
        initialise_cluster(postgres_binaries(), self.database_folder, account)
        self.postgres = programs.postgres(self.database_folder, account, self.ports["postgres"])
        if "clock" in self.database:
            self.set_clock(0)
            self.postgres.environment = programs.with_clock({}, "") | {
                "FAKETIME_TIMESTAMP_FILE": str(self.clock),
                "FAKETIME_NO_CACHE": "1",
            }
        return self.postgres

    @property
    def clock(self) -> Path:
        return self.database_folder / "clock"

    def set_clock(self, ahead: int) -> None:
        """By how many seconds the clock of the database's host is ahead."""
        self.clock.write_text(f"+{ahead}\n")

    def start_product(self, *, clocks: tuple[str, ...] = (), by_proxy: bool = False, **changes: str) -> None:
        """Web and workers; `clocks`: by how much each worker's is wrong; `by_proxy`: their way to the database."""
        environment = self.environment(by_proxy=by_proxy, **changes)
        proxy = [self.proxy()] if by_proxy else []
        self.web = programs.web(self.ports["web"], self.folder, environment)
        self.workers = [
            programs.worker(
                number, self.folder, programs.with_clock(environment, clocks[number]) if clocks else environment
            )
            for number in range(len(clocks) or WORKERS)
        ]
        self.product = [*proxy, self.web, *self.workers]
        for program in self.product:
            program.start()
        wait_until(lambda: listens(self.ports["web"]), "the web answers", 120)

    def proxy(self) -> Program:
        ways = ("--listen", self.ports["proxy"], "--to", self.ports["postgres"])
        return programs.module("proxy", self.folder, *ways, "--folder", self.arming.armed.parent)

    def add(self, program: Program) -> None:
        """Something a trial needs besides."""
        self.product.append(program)
        program.start()

    def stop_product(self) -> None:
        """Whatever is frozen is killed, not thawed: its trial is over."""
        for program in self.product:
            program.wanted = False
            program.kill()
        self.product, self.frozen = [], {}

    def restart_product(self, **changes: Any) -> None:
        self.stop_product()
        self.start_product(**changes)

    def stop(self) -> None:
        self.stop_product()
        for program in self.servers:
            program.stop(signal.SIGQUIT if program.name == "postgres" else signal.SIGKILL)

    def await_postgres(self) -> None:
        wait_until(lambda: programs.postgres_answers(self.ports["postgres"]), "postgres answers", 120)

    def tend(self) -> None:
        for program in self.product:
            if program.wanted and not program.is_alive():
                program.kill()
                program.start()
        happened = self.arming.happened()
        for taken in happened[self._seen :]:
            if taken.action.startswith("freeze"):
                self.frozen[group_of(taken)] = time.monotonic() + THAW_LEASES * lease_seconds()
        self._seen = len(happened)
        for process, due in list(self.frozen.items()):
            if time.monotonic() >= due:
                self.thaw(process)

    def thaw(self, process: int) -> None:
        del self.frozen[process]
        try:
            os.kill(process, signal.SIGCONT)  # a negative number is a group
        except ProcessLookupError:
            """It was killed while frozen."""

    def is_quiet(self) -> bool:
        """Nothing is frozen any more."""
        return not self.frozen

    def note(self, deed: str) -> None:
        """Leaves a mark among the faults that happened."""
        self.arming.arm(deed, "done")
        self.arming.take(deed)

    def tell_erp(self, **wanted: Any) -> None:
        request(f"http://127.0.0.1:{self.ports['erp']}/control", wanted)

    def journal(self) -> list[dict[str, Any]]:
        """As it is on disk."""
        lines = (self.folder / "journal.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def redis_says(self, *words: str | bytes) -> bytes:
        """One command over the wire."""
        parts = [word.encode() if isinstance(word, str) else word for word in words]
        body = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        with socket.create_connection(("127.0.0.1", self.ports["redis"]), timeout=5) as connection:
            connection.sendall(b"*%d\r\n%s" % (len(parts), body))
            return connection.recv(65536)


def group_of(taken: Taken) -> int:
    """What os.kill takes: the process, or for a frozen group its negative number."""
    if not taken.action.endswith("group"):
        return taken.pid
    try:
        return -os.getpgid(taken.pid)
    except ProcessLookupError:
        return taken.pid


def lease_seconds() -> float:
    from django.conf import settings

    return float(settings.FAULT_LEASE)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def request(url: str, body: Mapping[str, Any]) -> Any:
    sent = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(sent, timeout=10) as answer:
        return json.load(answer)


def patiently(ask: Callable[[], Answer], seconds: float = 60.0) -> Answer:
    """What `ask` returns, however often the database goes away meanwhile."""
    from django.db import InterfaceError, OperationalError, connection

    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                raise
            connection.close()
            time.sleep(0.2)


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """A tmpfs of its own. PermissionError where this account may not mount."""
    with temporary_directory("countersign-disk-") as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode:
            raise PermissionError(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], capture_output=True)


@contextmanager
def running_world(database_folder: Path | None = None, database: str = "") -> Iterator[World]:
    """Servers only; the product is started by whoever has prepared the database."""
    with temporary_directory("countersign-faults-") as folder:
        if os.geteuid() == 0:
            folder.chmod(0o755)  # PostgreSQL runs under an account of its own below it
        world = World(folder, database_folder, database)
        (folder / "var").mkdir()
        try:
            world.start_servers()
            yield world
        finally:
            if os.environ.get("FAULT_KEEP"):
                shutil.copytree(
                    folder, os.environ["FAULT_KEEP"], dirs_exist_ok=True, ignore=shutil.ignore_patterns("data", ".s.*")
                )
            world.stop()
