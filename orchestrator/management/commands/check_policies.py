"""Ask whether the policies can do what they are meant to."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.policies.check import findings


class Command(BaseCommand):
    help = (
        "Looks for rules that cannot work, facts no workflow supplies, rules that change nothing, and cases nobody"
        " could approve; prints each on a line. Exit code 1: there are some."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        found = findings()
        if options["json"]:
            self.stdout.write(json.dumps({"findings": [{"about": about, "message": text} for about, text in found]}))
        else:
            for about, text in found:
                self.stdout.write(f"{about}: {text}")
        if found:
            raise CommandError(f"{len(found)} findings", returncode=1)
        self.stderr.write("nothing to object to")
