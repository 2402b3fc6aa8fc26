"""Children run as one: restarted within a bound, stopped together, never left behind."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from orchestrator.supervisor import RESTARTS, Supervisor
from tests.servers import wait_for

FOREVER = [sys.executable, "-c", "import signal; signal.pause()"]
DEAF = [sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()"]


@pytest.fixture
def said() -> list[str]:
    return []


def is_gone(pid: int) -> bool:
    """True when no process has this id, or only its record waits to be collected by the system."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_child_that_dies_is_started_again(said: list[str]) -> None:
    supervisor = Supervisor({"worker": FOREVER}, said.append)
    supervisor.start()
    try:
        (child,) = supervisor.children
        first = child.process.pid
        os.kill(first, signal.SIGKILL)
        assert supervisor.wait_until(lambda: child.process.pid != first, 60)
        assert child.is_alive()
        assert said == ["worker ended with -9: starting it again"]
    finally:
        supervisor.stop()


def test_a_child_that_keeps_dying_ends_everything(said: list[str]) -> None:
    supervisor = Supervisor({"web": FOREVER, "worker": [sys.executable, "-c", "raise SystemExit(3)"]}, said.append)
    supervisor.start()
    try:
        assert supervisor.run() is False
    finally:
        supervisor.stop()
    assert said.count("worker ended with 3: starting it again") == RESTARTS
    assert said[-1] == f"worker ended with 3 more than {RESTARTS} times in a minute: giving up"
    assert not any(child.is_alive() for child in supervisor.children)


def test_stopping_insists_with_a_child_that_does_not_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.supervisor.STOP_SECONDS", 0.2)
    supervisor = Supervisor({"deaf": DEAF, "polite": FOREVER}, print)
    supervisor.start()
    supervisor.stop()
    assert all(is_gone(child.process.pid) for child in supervisor.children)


def test_what_a_dead_child_left_running_is_stopped_before_it_starts_again(tmp_path: Path, said: list[str]) -> None:
    script = f"""
        import pathlib, subprocess, sys
        inner = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        pathlib.Path({str(tmp_path)!r}, str(inner.pid)).touch()
        inner.wait()
    """
    supervisor = Supervisor({"web": [sys.executable, "-c", textwrap.dedent(script)]}, said.append)
    supervisor.start()
    try:
        assert supervisor.wait_until(lambda: len(list(tmp_path.iterdir())) == 1, 60)
        (inner,) = (int(path.name) for path in tmp_path.iterdir())
        os.kill(supervisor.children[0].process.pid, signal.SIGKILL)
        assert supervisor.wait_until(lambda: is_gone(inner) and bool(said), 60)
    finally:
        supervisor.stop()


def test_a_killed_supervisor_leaves_no_child(tmp_path: Path) -> None:
    program = f"""
        import pathlib, sys
        from orchestrator.supervisor import Supervisor
        supervisor = Supervisor({{"worker": {FOREVER!r}}}, print)
        supervisor.start()
        print(supervisor.children[0].process.pid, flush=True)
        supervisor.run()
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert not is_gone(child)
    parent.kill()
    parent.wait()
    wait_for(lambda: is_gone(child), 60, "the child outlived its killed supervisor")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_stop_signal_ends_in_good_order(number: signal.Signals) -> None:
    program = f"""
        from orchestrator.supervisor import Supervisor
        supervisor = Supervisor({{"worker": {FOREVER!r}}}, print)
        supervisor.stop_on_signals()
        supervisor.start()
        print(supervisor.children[0].process.pid, flush=True)
        in_order = supervisor.run()
        supervisor.stop()
        raise SystemExit(0 if in_order else 1)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.send_signal(number)
    assert parent.wait(60) == 0
    assert is_gone(child)
