"""Keeps a few child processes running as one: starts them, restarts them within a bound, stops them together.

Knows nothing of Django. Each child has a session of its own, so that Ctrl-C in a terminal reaches the supervisor alone,
which then stops the children in good order; and each is told by the kernel when the supervisor dies (Linux), so that
even `kill -9` leaves none behind.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event

RESTARTS = 5  # within WINDOW_SECONDS; one more and everything stops
WINDOW_SECONDS = 60.0
STOP_SECONDS = 4.0
TICK_SECONDS = 0.1
PR_SET_PDEATHSIG = 1


@dataclass
class Child:
    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=RESTARTS + 1))

    def start(self) -> None:
        """Its messages go to our stderr: stdout belongs to what the supervisor's own caller says there."""
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            start_new_session=True,
            preexec_fn=bound_to(os.getpid()),
        )

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def send(self, signal_number: signal.Signals) -> None:
        """To the whole session, for a dead leader may leave children of its own."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal_number)

    def keeps_dying(self, now: float) -> bool:
        self.deaths.append(now)
        return len(self.deaths) > RESTARTS and now - self.deaths[0] < WINDOW_SECONDS


class Supervisor:
    """Runs `commands` (name -> argv) until `stop` is called or one of them dies too often."""

    def __init__(self, commands: Mapping[str, Sequence[str]], report: Callable[[str], None]) -> None:
        self.children = [Child(name, command) for name, command in commands.items()]
        self.report = report
        self.stopping = Event()

    def start(self) -> None:
        for child in self.children:
            child.start()

    def stop_on_signals(self) -> None:
        """Ctrl-C, a service manager's stop and a closed terminal end in good order; a second Ctrl-C does not wait."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)

    def on_signal(self, number: int, _frame: object) -> None:
        if self.stopping.is_set():
            self.signal_all(signal.SIGKILL)
        self.stopping.set()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> bool:
        """True once `ready()`; False when stopped, given up or out of time before that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.tend():
            if ready():
                return True
        return False

    def run(self) -> bool:
        """Tends the children until told to stop; False when one of them died too often."""
        while self.tend():
            pass
        return self.stopping.is_set()

    def tend(self) -> bool:
        """One tick: restarts what has died. False when it is time to stop."""
        if self.stopping.wait(TICK_SECONDS):
            return False
        return all(child.is_alive() or self.revive(child) for child in self.children)

    def revive(self, child: Child) -> bool:
        code = child.process.returncode if child.process else None
        child.send(signal.SIGKILL)
        if child.keeps_dying(time.monotonic()):
            self.report(f"{child.name} ended with {code} more than {RESTARTS} times in a minute: giving up")
            return False
        self.report(f"{child.name} ended with {code}: starting it again")
        child.start()
        return True

    def stop(self) -> None:
        """Asks all to end, waits, then insists. Afterwards no process of any child's session is left."""
        self.stopping.set()
        for child in self.children:
            if child.process is not None and child.is_alive():
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while any(child.is_alive() for child in self.children) and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS / 2)
        self.signal_all(signal.SIGKILL)
        for child in self.children:
            if child.process is not None:
                child.process.wait()

    def signal_all(self, number: signal.Signals) -> None:
        for child in self.children:
            child.send(number)


def bound_to(parent: int) -> Callable[[], None]:
    """What a child runs before exec: die with `parent`. By SIGKILL: asked kindly, a worker would finish its job."""

    def prepare() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before the line above
                os._exit(1)

    return prepare
