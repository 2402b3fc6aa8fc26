"""Load rows into a table data source."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.import_formats import BadRow, ImportRefused
from orchestrator.importing import import_rows
from orchestrator.models import DataSource

BAD_INPUT = 2
MOST_NAMED = 50


class Command(BaseCommand):
    help = (
        "Loads a file into a table data source, by key: CSV with a header, JSON Lines, a UBL Order, Receipt Advice or"
        " Despatch Advice. A bad row is named with its line and field, and then nothing is loaded."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the source, such as vendor-master")
        parser.add_argument("file", help="the file, or - for standard input")
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, name: str, file: str, **options: Any) -> None:
        source = DataSource.objects.filter(name=name).first()
        if source is None:
            known = ", ".join(DataSource.objects.values_list("name", flat=True)) or "none"
            raise CommandError(f"name: {name!r} is no data source; there are: {known}", returncode=BAD_INPUT)
        try:
            data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
            counts = import_rows(source=source, data=data, filename=file)
        except OSError as error:
            raise CommandError(f"file: {file!r} cannot be read ({error.strerror})", returncode=BAD_INPUT) from None
        except ImportRefused as refused:
            raise CommandError(in_words(refused.bad), returncode=BAD_INPUT) from None
        if options["json"]:
            self.stdout.write(json.dumps({"source": name, **counts.as_json()}))
        else:
            self.stdout.write(f"{name}: {counts.added} added, {counts.changed} changed, {counts.unchanged} unchanged")


def in_words(bad: list[BadRow]) -> str:
    listed = [str(objection) for objection in bad[:MOST_NAMED]]
    return "\n".join([f"file: nothing was loaded, {len(bad)} objections", *listed])
