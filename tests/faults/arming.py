"""What shall happen where: one file per fault that is due, in a folder that all processes share.

A process that passes a named point takes a file by renaming it, which only one can, and then does what its name says.
"""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

ARMED, TAKEN = "armed", "taken"


def kill_child() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_group() -> None:
    """This process, its parent and its siblings: a machine without power."""
    os.killpg(0, signal.SIGKILL)


def freeze() -> None:
    """Until the trial thaws it, long after its leases have ended."""
    os.kill(os.getpid(), signal.SIGSTOP)


def freeze_group() -> None:
    os.killpg(0, signal.SIGSTOP)


ACTIONS: dict[str, Callable[[], None]] = {
    "kill": kill_child,
    "kill-group": kill_group,
    "freeze": freeze,
    "freeze-group": freeze_group,
}


@dataclass(frozen=True, slots=True)
class Taken:
    """A fault that happened: where, what, to which process."""

    point: str
    action: str
    pid: int


class Arming:
    """The folder, from both sides: trials `arm`, processes `take`."""

    def __init__(self, folder: Path) -> None:
        self.armed, self.taken = folder / ARMED, folder / TAKEN
        self._numbers = count()

    def prepare(self) -> None:
        for place in (self.armed, self.taken):
            place.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str, action: str) -> Path:
        """One fault, for the next process that passes the point. The path is there until one has."""
        place = self.armed / point
        place.mkdir(exist_ok=True)
        path = place / f"{action}~{os.getpid()}-{next(self._numbers)}"
        path.touch()
        return path

    def disarm(self) -> None:
        for path in self.armed.glob("*/*"):
            path.unlink(missing_ok=True)

    def take(self, point: str) -> str:
        """The action that is due here, or nothing."""
        place = self.armed / point
        try:
            names = [path.name for path in place.iterdir()]
        except FileNotFoundError:
            return ""
        for name in names:
            action = name.partition("~")[0]
            try:
                (place / name).rename(self.taken / f"{point}~{name}~{os.getpid()}")
            except FileNotFoundError:  # another process was first
                continue
            return action
        return ""

    def happened(self) -> list[Taken]:
        """Every fault so far, oldest first."""
        paths = sorted(self.taken.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        parts = [path.name.split("~") for path in paths]
        return [Taken(point, action, int(pid)) for point, action, _, pid in parts]
