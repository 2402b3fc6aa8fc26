"""Play a data set of known truth through the shipped flows."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.evaluation.players import PLAYERS, Case
from orchestrator.evaluation.scoring import Summary
from orchestrator.evaluation.truth import NotADataSet, Row, read_truth
from orchestrator.evaluation.world import Worlds

BAD_INPUT = 2
QUIET_SECONDS = 5


class Command(BaseCommand):
    help = (
        "Plays every case of a data set (truth.jsonl) through the shipped flows, without any person and in a database"
        " of its own, and prints what came out right as JSON. This installation's database is not touched."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="folder with truth.jsonl and the files it names")
        parser.add_argument("--task", default="", help=f"only this task: {', '.join(PLAYERS)}")
        parser.add_argument("--limit", type=int, metavar="N", help="only the first N cases")
        parser.add_argument("--output", type=Path, metavar="FILE", help="write one JSON line for each case")

    def handle(self, *args: Any, folder: Path, task: str, limit: int | None, output: Path | None, **_: Any) -> None:
        if task and task not in PLAYERS:
            raise CommandError(f"--task: {task!r}; expected one of {', '.join(PLAYERS)}", returncode=BAD_INPUT)
        if limit is not None and limit < 1:
            raise CommandError(f"--limit: {limit}; expected 1 or more", returncode=BAD_INPUT)
        try:
            chosen = list(islice(self.cases(read_truth(folder), task), limit))
            if not chosen:
                raise NotADataSet(
                    f"folder: {str(folder)!r} holds no case{f' of task {task!r}' if task else ''} to play"
                )
            summary = self.play(chosen, output)
        except NotADataSet as error:
            raise CommandError(str(error), returncode=BAD_INPUT) from None
        except OSError as error:
            raise CommandError(f"--output: {error}", returncode=BAD_INPUT) from None
        self.stdout.write(json.dumps(summary, ensure_ascii=False))

    def cases(self, rows: list[Row], task: str) -> Iterator[Case]:
        """What is to be played; what is left out is named."""
        for name in sorted({row.task for row in rows} - PLAYERS.keys()):
            self.stderr.write(f"{name}: no flow plays this task yet, its rows are left out")
        for row in rows:
            if row.task not in PLAYERS or (task and row.task != task):
                continue
            if row.scored:
                yield from PLAYERS[row.task].cases(row)

    def play(self, cases: list[Case], output: Path | None) -> dict[str, Any]:
        summary, started = Summary(), time.monotonic()
        self.told = started
        with Worlds() as worlds, output.open("w", encoding="utf-8") if output else nullcontext() as lines:
            for number, case in enumerate(cases, start=1):
                verdict = PLAYERS[case.row.task].verdict(case, worlds)
                summary.add(verdict)
                self.tell(number, len(cases), f"{verdict.result:7} {verdict.route:6} {verdict.id}")
                _write(lines, verdict.as_json())
        return summary.as_json(time.monotonic() - started)

    def tell(self, number: int, total: int, text: str) -> None:
        """Each case on a terminal; elsewhere now and then, so that slow cases are seen to move."""
        late = time.monotonic() - self.told > QUIET_SECONDS
        if self.stderr.isatty() or late or number == total:
            self.told = time.monotonic()
            self.stderr.write(f"{number}/{total} {text}")
            sys.stderr.flush()


def _write(lines: TextIO | None, found: dict[str, Any]) -> None:
    if lines is not None:
        lines.write(json.dumps(found, ensure_ascii=False) + "\n")
        lines.flush()
