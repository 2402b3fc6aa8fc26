"""Ask the database whether every promise still holds."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestrator.invariants import NOT_ASKED, all_invariants, check


class Command(BaseCommand):
    help = (
        "Checks what must be true of this database; prints each violation on a line. Exit code 1: there are some. "
        + "Not asked here: "
        + "; ".join(f"{number}, {why}" for number, why in NOT_ASKED.items())
        + ". What an outside system of one's own booked (I01 to I03) is compared with its journal by make faults."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print violations and what was asked as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        violations = check()
        asked = {one.number: one.statement for one in all_invariants()}
        if options["json"]:
            found = {
                "violations": [asdict(v) for v in violations],
                "asked": sorted(asked),
                "not_asked": dict(NOT_ASKED),
            }
            self.stdout.write(json.dumps(found))
        else:
            for violation in violations:
                self.stdout.write(str(violation))
        if violations:
            raise CommandError(f"{len(violations)} violations", returncode=1)
        self.stderr.write(f"{len(asked)} invariants hold: {', '.join(sorted(asked))}")
        for number, why in NOT_ASKED.items():
            self.stderr.write(f"not asked: {number}, {why}")
