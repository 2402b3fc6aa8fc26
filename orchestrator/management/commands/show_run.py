"""Print everything about one run."""

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.models import Run
from orchestrator.run_document import run_document


class Command(BaseCommand):
    help = "Prints the run document as JSON. Exit code 2: there is no such run."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", help="the run's id")
        parser.add_argument("--json", action="store_true", help="on one line")

    def handle(self, *args: Any, **options: Any) -> None:
        run = find(options["id"])
        indent = None if options["json"] else 2
        self.stdout.write(json.dumps(run_document(run), ensure_ascii=False, indent=indent))


def find(text: str) -> Run:
    try:
        return Run.objects.select_related("version__workflow", "started_by").get(pk=UUID(text))
    except ValueError:
        raise CommandError(f"id: {text!r} is no id of a run; expected a UUID", returncode=2) from None
    except Run.DoesNotExist:
        raise CommandError(f"id: there is no run {text}", returncode=2) from None
