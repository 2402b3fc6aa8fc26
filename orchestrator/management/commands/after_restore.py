"""`manage.py after_restore`: what has to be looked at before effects go out again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser

from orchestrator.restoring import after_restore


class Command(BaseCommand):
    help = (
        "After the database was restored: holds every effect, and opens an incident for each run of which the outside "
        "has booked more than is known here. Exit 1: something has to be looked at."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--as", dest="user", required=True, help="who answers for it; somebody else ends the hold")
        parser.add_argument(
            "--statement",
            help="what the outside has booked: on each line a JSON object with key, ref, kind and business_key; with "
            "the last two, what was booked for runs that are gone is not booked again",
        )
        parser.add_argument("--json", action="store_true", help="machine output on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = get_user_model().objects.filter(username=options["user"], is_active=True).first()
        if actor is None:
            self.refuse(f"--as: {options['user']!r} is no active account")
        found = after_restore(actor=actor, statement=self.statement(options["statement"]))
        told = {
            "asked": found.asked,
            "incidents": list(map(str, found.incidents)),
            "booked": found.booked,
            "strangers": found.strangers,
        }
        if options["json"]:
            self.stdout.write(json.dumps(told))
        else:
            self.stdout.write(f"{found.asked} effects compared; everything is held until another person releases it")
            for run_id in found.incidents:
                self.stdout.write(f"run {run_id}: the outside knows more than we do; an incident waits")
            for key in found.strangers:
                self.stdout.write(f"{key}: booked outside, and of a run that is not known here any more")
        if found.incidents or found.strangers:
            raise SystemExit(1)

    def statement(self, name: str | None) -> Mapping[str, Mapping[str, Any]] | None:
        if name is None:
            return None
        try:
            rows = [json.loads(line) for line in Path(name).read_text().splitlines() if line.strip()]
            return {str(row["key"]): row for row in rows}
        except (OSError, ValueError, KeyError, TypeError) as error:
            return self.refuse(f"--statement: {name} is no list of JSON objects with a key: {error}")

    def refuse(self, words: str) -> Any:
        self.stderr.write(words)
        raise SystemExit(2)
