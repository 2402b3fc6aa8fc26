"""CPU time and memory of process trees, from /proc (Linux; proc_pid_stat(5))."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
KIB = 1024


def tree_seconds(roots: Iterable[int]) -> float:
    """CPU seconds of these processes, their live descendants, and the children they have waited for."""
    parents: dict[int, int] = {}
    spent: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended while we were looking
                continue
            parents[int(folder.name)], spent[int(folder.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    wanted, grew = set(roots), True
    while grew:
        found = {pid for pid, parent in parents.items() if parent in wanted} - wanted
        grew, wanted = bool(found), wanted | found
    return sum(spent.get(pid, 0) for pid in wanted) / TICKS


def tree_pids(root: int) -> list[int]:
    """The process and its descendants."""
    from .servers import children_of

    return [root, *(pid for child in children_of(root) for pid in tree_pids(child))]


def resident_bytes(pid: int, *, peak: bool = False) -> int:
    """Resident memory of one process, shared pages included; `peak`: the most it ever was."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(wanted)) * KIB


@dataclass(slots=True)
class Spent:
    """`with Spent(pids) as spent: …` gives wall and CPU seconds of what happened inside."""

    roots: tuple[int, ...]
    wall: float = 0.0
    cpu: float = 0.0

    def __enter__(self) -> "Spent":
        self.cpu, self.wall = -tree_seconds(self.roots), -time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.cpu += tree_seconds(self.roots)


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` (0 to 1) of the values do not exceed; ValueError for none."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("values: is empty; expected at least one measurement")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
