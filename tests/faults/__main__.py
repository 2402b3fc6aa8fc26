"""Plays the trials one after the other and reports: `python -m tests.faults [--only TEXT] [--list]`, LONG=1 for all.

A line per trial on stderr; the last line of stdout is `N trials, M violations, S s`. Exit code 1: there were some.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from .playing import Report, Stage
from .programs import NotInstalled
from .trials import TRIALS, Trial, chosen
from .world import running_world, small_disk


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", action="append", help="trials whose name contains this; may be repeated")
    parser.add_argument("--list", action="store_true", help="names, and in which sets they are")
    given = parser.parse_args()
    if given.list:
        return list_trials()
    long = bool(os.environ.get("LONG"))
    wanted = given.only or [""]
    trials = [t for t in chosen(long or bool(given.only)) if any(text in t.name for text in wanted)]
    began = time.monotonic()
    reports = [report for part in by_world(trials) for report in play(part, long=long)]
    return summarise(reports, time.monotonic() - began)


def list_trials() -> int:
    for trial in TRIALS:
        print(f"{trial.name:<36} short {trial.short:>3}  long {trial.long:>3}")
    return 0


def by_world(trials: Sequence[Trial]) -> list[list[Trial]]:
    """Trials with a disk or a database of their own need a world of their own."""
    shared = [trial for trial in trials if not (trial.disk or trial.database)]
    return [*([shared] if shared else []), *([trial] for trial in trials if trial.disk or trial.database)]


def play(trials: Sequence[Trial], *, long: bool) -> Iterable[Report]:
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(trials[0].disk)) / "postgres" if trials[0].disk else None
            world = stack.enter_context(running_world(disk, trials[0].database))
        except (PermissionError, NotInstalled) as error:
            yield Report(trials[0].name, reason=str(error))
            return
        stage = Stage(world)
        for trial in trials:
            try:
                report = stage.play(trial, trial.long if long else trial.short or trial.long)
            except NotInstalled as error:
                report = Report(trial.name, reason=str(error))
            print(report, file=sys.stderr, flush=True)
            yield report


def summarise(reports: Sequence[Report], seconds: float) -> int:
    """What this machine cannot try is named, with the reason, and not counted among the trials."""
    violations = [f"{report.name}: {text}" for report in reports for text in report.violations]
    for text in violations:
        print(text, file=sys.stderr)
    for report in (report for report in reports if report.reason):
        print(f"not run: {report.name}: {report.reason}")
    reports = [report for report in reports if not report.reason]
    slowest = max((report.seconds for report in reports), default=0)
    runs, effects, faults = (sum(getattr(r, name) for r in reports) for name in ("runs", "effects", "faults"))
    print(f"{runs} runs, {effects} with effects, {faults} faults; the slowest trial took {slowest:.0f} s")
    print(f"{len(reports)} trials, {len(violations)} violations, {seconds:.0f} s")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
