"""A world of its own for each case: a temporary SQLite database and document folder, nothing of this installation.

The database is made once, with the shipped workflows and policies, and copied for every case. Only this thread's
connection is exchanged, so that the installation's own database is neither read nor written meanwhile.
"""

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connections
from django.db.backends.sqlite3.base import DatabaseWrapper
from django.db.models import F

from orchestrator import dispatch, safe_yaml, services
from orchestrator.agents import registry
from orchestrator.definitions import parse
from orchestrator.grants import give
from orchestrator.importing import import_rows, save_rows
from orchestrator.models import DataSource, ExchangeRate, Policy
from orchestrator.sources import READ, account_of

SHIPPED = Path(settings.BASE_DIR) / "orchestrator" / "workflows"
ACTOR = "evaluation"
SOURCES = {
    "vendor-master": "vendor_id",
    "purchase-orders": "number",
    "receipts": "number",
    "payment-history": "payment_id",
    "open-invoices": "invoice",
    "tolerances": "vendor_id",
    "expense-claims": "claim",
    "expense-rules": "category",
}
# A copy lives for seconds and belongs to nobody else: it need not survive a power cut.
PRAGMAS = "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY;"
Rows = Mapping[str, list[dict[str, Any]]]


class Worlds:
    """Makes worlds. Use as a context manager: what it made is gone afterwards."""

    def __enter__(self) -> "Worlds":
        self._folder = tempfile.TemporaryDirectory(prefix="countersign-evaluate-")
        self.template = Path(self._folder.name) / "template.sqlite3"
        try:
            with elsewhere(self.template, Path(self._folder.name)):
                call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
                furnish()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @contextmanager
    def world(self) -> Iterator[AbstractBaseUser]:
        """A fresh copy is in force until the end of the block; gives the account that starts runs in it."""
        with tempfile.TemporaryDirectory(dir=self._folder.name) as folder:
            copy = Path(folder) / "world.sqlite3"
            shutil.copyfile(self.template, copy)
            with elsewhere(copy, Path(folder)):
                yield get_user_model().objects.get(username=ACTOR)


@contextmanager
def elsewhere(database: Path, folder: Path) -> Iterator[None]:
    """This thread works in another database and document folder, and wakes no worker."""
    ours = connections["default"]
    theirs = DatabaseWrapper(described(database), "default")
    kept = {name: getattr(settings, name) for name in ("DOCUMENT_DIR", "ERP_BASE_URL")}
    connections["default"] = theirs
    settings.DOCUMENT_DIR, settings.ERP_BASE_URL = folder / "documents", ""
    ContentType.objects.clear_cache()
    try:
        with dispatch.silence():
            yield
    finally:
        theirs.close()
        connections["default"] = ours
        for name, value in kept.items():
            setattr(settings, name, value)
        ContentType.objects.clear_cache()


def described(database: Path) -> dict[str, Any]:
    """Django's description of the temporary database."""
    found = deepcopy(connections.settings["default"])
    options = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": PRAGMAS}
    private = {"USER": "", "PASSWORD": "", "HOST": "", "PORT": ""}
    return {**found, **private, "ENGINE": "django.db.backends.sqlite3", "NAME": str(database), "OPTIONS": options}


def furnish() -> None:
    """The shipped flows and policies with the quality sample off, empty sources, and every grant that agents need."""
    actor, second = (get_user_model().objects.create_user(name) for name in (ACTOR, f"{ACTOR}-second"))
    flows = [path.read_text() for path in sorted(SHIPPED.glob("*.yaml"))]
    steps = [step for flow in flows for step in parse(flow, kinds=tuple(settings.STEP_HANDLERS)).steps.values()]
    make_sources({step.target for step in steps if step.kind == "record"})
    for path in sorted((SHIPPED / "policies").glob("*.yaml")):
        services.save_policy(source=without_sample(path.read_text()), actor=actor, second=second)
    make_queues({step.queue for step in steps})
    for flow in flows:
        services.save_workflow(source=flow, actor=actor, second=second)
    for agent in registry.all_agents().values():
        for source in DataSource.objects.filter(name__in=agent.sources):
            give(READ, account_of(agent.name).user, source, actor=actor)


def without_sample(policy: str) -> str:
    """The policy with nothing drawn at random."""
    found = safe_yaml.load(policy)
    return policy.replace(f"sample_percent: {found.get('sample_percent', 0)}", "sample_percent: 0")


def make_sources(registers: Collection[str]) -> None:
    wanted = {source for agent in registry.all_agents().values() for source in agent.sources}
    for name, key in (dict.fromkeys(wanted, "id") | SOURCES).items():
        kind = DataSource.Kind.REGISTER if name in registers else DataSource.Kind.TABLE
        DataSource.objects.create(name=name, title=name, key_field=key, kind=kind)


def make_queues(used: Collection[str]) -> None:
    """The queues that flows and rules name. They belong to the app above this one, hence the look-up by name."""
    queue = apps.get_model("reviews", "Queue")
    policy = apps.get_model("reviews", "ReviewPolicy").objects.create(name=ACTOR)
    targets = Policy.objects.values_list(F("rules__target"), flat=True)
    named = {*used, *(target.removeprefix("queue:") for target in targets if (target or "").startswith("queue:"))}
    for name in sorted(named - {""}):
        queue.objects.create(name=name, title=name, policy=policy)


def fill(rows: Rows) -> None:
    """Puts rows into sources of the world in force."""
    for name, found in rows.items():
        save_rows(source=DataSource.objects.get(name=name), rows=found)


def take_in(source: str, data: bytes, filename: str) -> None:
    """Imports a file into a source of the world in force."""
    import_rows(source=DataSource.objects.get(name=source), data=data, filename=filename)


def rate(currency: str, value: str) -> None:
    """An exchange rate of the world in force, good for every day."""
    ExchangeRate.objects.create(currency=currency, rate=value, valid_from=date(2000, 1, 1))
