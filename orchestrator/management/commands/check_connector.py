"""`manage.py check_connector`: tries what the outside offers and sets the class of its effects."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from orchestrator.connectors.conformance import check
from orchestrator.connectors.http import HttpConnector
from orchestrator.connectors.outbound import AddressRefused, NoAnswer


class Command(BaseCommand):
    help = "Sends trial effects of the kind countersign.check and keeps the class (K, Q or X) the answers show."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", default=settings.ERP_BASE_URL, help="default: ERP_BASE_URL")
        parser.add_argument("--json", action="store_true", help="machine output on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["base_url"]:
            self.stderr.write("ERP_BASE_URL: is empty; there is no connector to check")
            raise SystemExit(2)
        try:
            klass, findings = check(HttpConnector(options["base_url"]))
        except (AddressRefused, NoAnswer) as error:
            self.stderr.write(f"base-url: {error}")
            raise SystemExit(2) from None
        rows = [{"what": f.what, "expected": f.expected, "found": f.found, "ok": f.ok} for f in findings]
        if options["json"]:
            self.stdout.write(json.dumps({"class": klass, "findings": rows}))
        else:
            for row in rows:
                self.stdout.write("{what}: {found} (expected {expected})".format(**row))
            self.stdout.write(f"class {klass}")
        if klass != "K":
            raise SystemExit(1)
