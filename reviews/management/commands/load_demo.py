"""`manage.py load_demo`: the demo's people, policies, workflows and cases."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand

from orchestrator.demo import demo_accounts
from reviews.demo.content import load


class Command(BaseCommand):
    help = "Loads the demo content and processes its cases with the real engine. A second call adds nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        counts = load()
        if options["json"]:
            self.stdout.write(json.dumps(counts))
            return
        self.stdout.write(f"{counts['cases']} cases, {counts['started']} new, {counts['waiting']} wait for a person")
        for username, password, role in demo_accounts():
            self.stdout.write(f"  {username:<8} {password:<18} {role}")
