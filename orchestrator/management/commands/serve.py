"""`manage.py serve`: the whole product on this machine, in one terminal."""

import fcntl
import os
import socket
import subprocess
import sys
import urllib.request
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.error import URLError

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command
from django.db import connection, connections

from orchestrator.supervisor import Supervisor, bound_to

READY_SECONDS = 60.0
HOST = "127.0.0.1"
UNFINISHED = settings.VAR_DIR / "demo-unfinished"  # stands while the demo content is being made
LOCK = settings.VAR_DIR / "serve.lock"
ROOT_WARNING = "ignore:You're running the worker with superuser"  # said at every start in a container
Account = tuple[str, str, str]  # username, password, role in words


class Command(BaseCommand):
    help = (
        "Starts web, worker and scheduler under one supervisor; makes the database and the demo content on first use."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default: 8000)")
        parser.add_argument("--no-demo", action="store_true", help="leave an empty database empty")

    def handle(self, *args: Any, **options: Any) -> None:
        port = options["port"]
        require_free(port)
        with only_one():
            try:
                self.prepare(with_demo=not options["no_demo"])
            except KeyboardInterrupt:
                raise CommandError("Stopped before it was ready; the next start goes on.", returncode=130) from None
            people = demo_people()
            connections.close_all()  # the supervisor needs none, and a child must not inherit one
            supervisor = Supervisor(commands(port), report=self.tell)
            supervisor.stop_on_signals()
            self.run_until_stopped(supervisor, port, people)

    def prepare(self, *, with_demo: bool) -> None:
        call_command("migrate", verbosity=0)
        os.environ.setdefault("PYTHONWARNINGS", ROOT_WARNING)
        if with_demo and needs_demo():
            self.tell("First start: making the demo content, about a minute ...")
            make_demo()

    def run_until_stopped(self, supervisor: Supervisor, port: int, people: list[Account]) -> None:
        try:
            supervisor.start()
            ready = supervisor.wait_until(lambda: answers(port), READY_SECONDS)
            if ready:
                self.announce(port, people)
            in_order = supervisor.run() if ready else supervisor.stopping.is_set()
        finally:
            supervisor.stop()
        if not in_order:
            raise CommandError("Countersign did not stay up; the messages above say why.", returncode=1)
        self.tell("Countersign has stopped.")

    def announce(self, port: int, people: list[Account]) -> None:
        self.stdout.write(f"Countersign is ready at http://{HOST}:{port}/")
        for username, password, role in people:
            self.stdout.write(f"  {username:<12} {password:<20} {role}")
        self.stdout.flush()

    def tell(self, message: str) -> None:
        self.stderr.write(message)
        self.stderr.flush()


def commands(port: int) -> dict[str, list[str]]:
    """The children, as argv. SQLite has one writer at a time: more threads would only queue for it."""
    python = sys.executable
    celery = [python, "-m", "celery", "--quiet", "-A", "orchestrator", "--workdir", str(settings.BASE_DIR)]
    worker = [*celery, "worker", "--pool", "threads", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    threads = "2" if connection.vendor == "sqlite" else "4"
    web = ["orchestrator.wsgi", "--chdir", str(settings.BASE_DIR), "--bind", f"{HOST}:{port}", "--no-control-socket"]
    web += ["--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "3", "--log-level", "warning"]
    return {
        "web": [python, "-m", "gunicorn", *web],
        "worker": [*worker, "--queues", "engine", "--concurrency", threads, "--hostname", "engine@%h"],
        "reader": [*worker, "--queues", "ocr", "--concurrency", "1", "--hostname", "ocr@%h"],
        "scheduler": [*celery, "beat", "--pidfile", "", "--loglevel", "WARNING"],
    }


def require_free(port: int) -> None:
    """Raises CommandError (exit 2) where another program listens."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise CommandError(
                f"--port: {port} cannot be used ({error}); name a free one, for instance 8001.", returncode=2
            ) from None


@contextmanager
def only_one() -> Iterator[None]:
    """Two supervisors on one directory would run two schedulers. The lock ends with the process."""
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"Another `serve` is running on {settings.VAR_DIR}.", returncode=2) from None
        yield


def needs_demo() -> bool:
    """On a database without any account, or where making the content was interrupted; never on someone's own data."""
    return UNFINISHED.exists() or not get_user_model().objects.exists()


def make_demo() -> None:
    """In a process of its own: what it imports and reads would stay in the supervisor's memory."""
    UNFINISHED.touch()
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "load_demo"]
    made = subprocess.run(command, stdout=sys.stderr.fileno(), preexec_fn=bound_to(os.getpid()))
    if made.returncode != 0:
        raise CommandError(f"load_demo ended with {made.returncode}; the messages above say why.", returncode=1)
    UNFINISHED.unlink()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/healthz", timeout=2) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def demo_people() -> list[Account]:
    """The demo's people who are in this database; none where somebody keeps his own data."""
    if find_spec("orchestrator.demo") is None:
        return []
    from orchestrator.demo import demo_accounts

    known = set(get_user_model().objects.filter(is_active=True).values_list("username", flat=True))
    return [account for account in demo_accounts() if account[0] in known]
