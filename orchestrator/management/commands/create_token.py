"""A token for the API."""

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.canonical import iso_utc
from audit.log import SYSTEM
from orchestrator.tokens import DAYS, issue_token


class Command(BaseCommand):
    help = (
        "Makes an API token for an account and prints it: this once, for it is stored nowhere. Exit code 2: bad input."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="name of the account")
        parser.add_argument(
            "--days", type=int, default=DAYS, metavar="N", help=f"how long it is valid (default {DAYS})"
        )
        parser.add_argument("--json", action="store_true", help="print token, user and expiry as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["user"], is_active=True).first()
        if user is None:
            raise CommandError(f"user: {options['user']!r} is no active account", returncode=2)
        try:
            secret, token = issue_token(user=user, days=options["days"], actor=SYSTEM)
        except ValueError as error:
            raise CommandError(f"--{error}", returncode=2) from None
        expires = iso_utc(token.expires_at)
        if options["json"]:
            self.stdout.write(json.dumps({"token": secret, "user": user.get_username(), "expires_at": expires}))
            return
        self.stdout.write(secret)
        self.stderr.write(f"valid until {expires}; it is not stored and cannot be shown again")
