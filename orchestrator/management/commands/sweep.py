"""One recovery pass, as every worker makes them."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from orchestrator.recovery import sweep


class Command(BaseCommand):
    help = "Looks once for work that was lost: expired leases, runs nobody woke, overdue reviews. Prints counts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        found = sweep()
        if options["json"]:
            self.stdout.write(json.dumps(found))
            return
        for name, count in found.items():
            self.stdout.write(f"{name}: {count}")
