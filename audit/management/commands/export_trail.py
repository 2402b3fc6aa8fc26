"""Write the trail, or a part of it, to a file."""

import contextlib
import json
import os
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from audit.export import FORMATS
from audit.export.stream import stream
from audit.filters import Filters, parse_instant
from audit.log import SYSTEM, record
from audit.models import Event


class Command(BaseCommand):
    help = "Write the trail, or a part of it, to a file. The export itself is recorded. Exit code 2: bad input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", required=True, help=f"one of {', '.join(FORMATS)}")
        parser.add_argument("--output", required=True, metavar="FILE", help="file to write, - for standard output")
        parser.add_argument("--run", action="append", default=[], metavar="ID", help="only this run (repeatable)")
        parser.add_argument("--workflow", default="", metavar="W", help="only this workflow")
        parser.add_argument("--since", metavar="T", help="from this day or time on (ISO 8601)")
        parser.add_argument("--until", metavar="T", help="before this time, or up to and with this day (ISO 8601)")
        parser.add_argument(
            "--actor", default="", metavar="A", help="only what this actor did (user name, full name or id)"
        )
        parser.add_argument("--json", action="store_true", help="print what was written as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        name, output = options["format"], options["output"]
        if name not in FORMATS:
            raise CommandError(f"--format: {name!r}; expected one of {', '.join(FORMATS)}", returncode=2)
        if output == "-" and options["json"]:
            raise CommandError("--json: the export itself goes to standard output; give --output a file", returncode=2)
        filters = chosen_filters(options)
        with opened(output) as file:
            events = export(name, filters, file)
        if options["json"]:
            self.stdout.write(json.dumps({"format": name, "output": output, "events": events}))
        self.stderr.write(f"{events:,} events written to {'standard output' if output == '-' else output}")


def chosen_filters(options: dict[str, Any]) -> Filters:
    return Filters(
        runs=tuple(options["run"]),
        workflow=options["workflow"],
        actor=options["actor"],
        since=instant(options, "since"),
        until=instant(options, "until", end=True),
    )


def instant(options: dict[str, Any], name: str, *, end: bool = False) -> datetime | None:
    if options[name] is None:
        return None
    try:
        return parse_instant(options[name], field=f"--{name}", end=end)
    except ValueError as error:
        raise CommandError(str(error), returncode=2) from error


def export(name: str, filters: Filters, file: BinaryIO) -> int:
    """Record that the trail leaves the house, then write it. Returns the number of events written."""
    with transaction.atomic():
        record("trail.exported", subject=("trail", name), actor=SYSTEM, data={"filters": filters.as_data()})
    total = 0
    for piece, events in stream(Event.objects.matching(filters), FORMATS[name]):
        file.write(piece)
        total += events
    return total


@contextlib.contextmanager
def opened(output: str) -> Iterator[BinaryIO]:
    """The file to write, which takes its name only when it is complete; readable by its owner alone."""
    if output == "-":
        yield sys.stdout.buffer
        return
    target = Path(output)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise CommandError(f"--output: {output!r} cannot be written: {error.strerror}", returncode=2) from error
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
