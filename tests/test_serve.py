"""`manage.py serve`: one command starts everything, and one Ctrl-C ends it."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers import answers_http, die_with_parent, free_port, wait_for
from tests.services import PROJECT_DIR

pytestmark = [pytest.mark.processes, pytest.mark.alike]  # on a SQLite of its own, wherever it runs
CHILDREN = {"web": "gunicorn", "worker": "--queues engine", "reader": "--queues ocr", "scheduler": " beat "}
Start = Callable[..., subprocess.Popen[str]]


def processes_of(var_dir: Path) -> dict[int, str]:
    """Process id -> command line of everything that was started for `var_dir`, orphans too."""
    mark, found = f"VAR_DIR={var_dir}\0".encode(), {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes():
                found[int(place.name)] = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # ended meanwhile, or not ours to read
            continue
    return found


def environment_of(var_dir: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    return {**kept, "VAR_DIR": str(var_dir), "DJANGO_SETTINGS_MODULE": "orchestrator.settings"}


@pytest.fixture
def said(tmp_path: Path) -> Callable[[], str]:
    """What `serve` and its children wrote to stderr. A file: a pipe nobody reads would stop them once it is full."""
    return (tmp_path / "stderr").read_text


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `serve` on a SQLite database and the embedded broker in `tmp_path`; without demo content unless asked."""
    environment = environment_of(tmp_path)
    command = [sys.executable, "manage.py", "serve", "--port"]
    started = []

    def begin(port: int, demo: bool = False) -> subprocess.Popen[str]:
        arguments = [*command, str(port), *([] if demo else ["--no-demo"])]
        options = {"cwd": PROJECT_DIR, "env": environment, "preexec_fn": die_with_parent(signal.SIGKILL)}
        with (tmp_path / "stderr").open("a") as errors:
            started.append(subprocess.Popen(arguments, text=True, stdout=subprocess.PIPE, stderr=errors, **options))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of somebody who has started it before."""
    folder = tmp_path_factory.mktemp("migrated")
    command = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(command, cwd=PROJECT_DIR, env=environment_of(folder), check=True)
    return folder / "countersign.sqlite3"


@pytest.fixture
def started_before(migrated: Path, tmp_path: Path) -> None:
    shutil.copyfile(migrated, tmp_path / "countersign.sqlite3")


@pytest.mark.usefixtures("started_before")
def test_it_says_ready_once_the_page_answers_and_ctrl_c_stops_all_of_it(start: Start, tmp_path: Path) -> None:
    port = free_port()
    serve = start(port)
    assert serve.stdout.readline() == f"Countersign is ready at http://127.0.0.1:{port}/\n"
    wait_for(lambda: answers_http(port), 60, "the page that was announced does not answer")
    running = processes_of(tmp_path).values()
    assert [name for name, mark in CHILDREN.items() if not any(mark in command for command in running)] == []

    serve.send_signal(signal.SIGINT)
    assert serve.wait(60) == 0
    assert processes_of(tmp_path) == {}
    assert not answers_http(port)


@pytest.mark.usefixtures("started_before")
def test_a_killed_web_server_comes_back_and_a_killed_supervisor_takes_all_with_it(
    start: Start, said: Callable[[], str], tmp_path: Path
) -> None:
    port = free_port()
    serve = start(port)
    serve.stdout.readline()
    web = min(pid for pid, command in processes_of(tmp_path).items() if "gunicorn" in command)
    os.kill(web, signal.SIGKILL)
    wait_for(lambda: "web ended with -9: starting it again" in said(), 60, "its end went unnoticed")
    wait_for(lambda: answers_http(port), 60, "the web server did not come back")

    serve.kill()
    serve.wait()
    wait_for(lambda: processes_of(tmp_path) == {}, 60, "processes outlived the killed supervisor")


def test_a_port_in_use_is_named_before_anything_is_touched(
    start: Start, said: Callable[[], str], tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert start(port).wait(120) == 2
    assert f"--port: {port} cannot be used" in said()
    assert not (tmp_path / "countersign.sqlite3").exists()


@pytest.mark.usefixtures("started_before")
def test_a_second_one_on_the_same_data_is_refused(start: Start, said: Callable[[], str], tmp_path: Path) -> None:
    first = start(free_port())
    first.stdout.readline()
    assert start(free_port()).wait(120) == 2
    assert f"Another `serve` is running on {tmp_path}" in said()


@pytest.mark.slow
def test_the_first_start_makes_the_demo_and_the_second_keeps_what_is_there(start: Start, tmp_path: Path) -> None:
    announced, counted = [], []
    for _ in ("first", "second"):
        serve = start(free_port(), demo=True)
        assert serve.stdout.readline().startswith("Countersign is ready at http://127.0.0.1:")
        serve.send_signal(signal.SIGINT)
        announced.append(list(serve.stdout))  # to its end, thus until everything has stopped
        counted.append(rows_of(tmp_path))
    assert len(announced[0]) == 8
    assert counted[0]["orchestrator_run"] >= 40
    assert (announced[1], counted[1]) == (announced[0], counted[0])


def rows_of(var_dir: Path) -> dict[str, int]:
    """How many runs, documents and accounts the database in `var_dir` holds."""
    with closing(sqlite3.connect(var_dir / "countersign.sqlite3")) as database:
        tables = ("orchestrator_run", "orchestrator_document", "auth_user")
        return {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
