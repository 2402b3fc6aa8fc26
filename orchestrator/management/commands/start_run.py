"""Start a run from the command line, and wait for it if asked to."""

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from orchestrator import engine, recovery, services
from orchestrator.documents.store import DocumentRefused, shown_name, store_document
from orchestrator.models import Document, Run, Task
from orchestrator.run_document import run_summary

BAD_INPUT = 2
COMMAND_LINE = "command-line"  # the account runs are started under when nobody is named
LOOK_SECONDS = 0.2
SWEEP_SECONDS = 5.0


class Command(BaseCommand):
    help = "Starts a run and prints it as one JSON object. Exit code 1: --wait ran out first; 2: bad input."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("workflow", help="name of a published workflow")
        parser.add_argument("--input", metavar="FILE", help="the input as a JSON object; - for standard input")
        parser.add_argument("--document", action="append", default=[], metavar="FILE", help="a document (repeatable)")
        parser.add_argument("--key", default="", help="the same key returns the same run")
        parser.add_argument("--as", dest="user", default="", metavar="USER", help=f"default: {COMMAND_LINE}")
        parser.add_argument("--wait", type=float, metavar="SECONDS", help="until it has ended or waits for a person")
        parser.add_argument("--json", action="store_true", help="accepted for uniformity: the output is JSON anyway")

    def handle(self, *args: Any, workflow: str, **options: Any) -> None:
        actor = account(options["user"])
        given = read_input(options["input"])
        documents = [taken_in(file, actor) for file in options["document"]]
        run, created = started(workflow, given, documents, options["key"], actor)
        self.stderr.write(f"run {run.pk} {'started' if created else 'was started before'}")
        settled = wait_for(run, options["wait"]) if options["wait"] is not None else True
        self.stdout.write(json.dumps(shown(run)))
        if not settled:
            raise CommandError(f"--wait: after {options['wait']:g} s the run is still {run.status}", returncode=1)


def account(name: str) -> AbstractBaseUser:
    """The account that starts it, which may therefore not decide it."""
    people = get_user_model().objects
    if not name:
        return people.get_or_create(username=COMMAND_LINE, defaults={"password": "!", "first_name": "Command line"})[0]
    user = people.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(f"--as: {name!r} is no active account", returncode=BAD_INPUT)
    return user


def read_input(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        found = json.loads(sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"--input: {file!r} cannot be read: {error}", returncode=BAD_INPUT) from None
    if not isinstance(found, dict):
        raise CommandError(f"--input: {file!r} holds no JSON object", returncode=BAD_INPUT)
    return found


def taken_in(file: str, actor: AbstractBaseUser) -> Document:
    """The file as a document; one this account took in before is used again, so that a repeated key finds its run."""
    try:
        data = Path(file).read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        mine = Document.objects.filter(uploaded_by=actor, sha256=sha256, name=shown_name(file))
        return mine.first() or store_document(data=data, name=file, actor=actor)
    except OSError as error:
        raise CommandError(f"--document: {file!r} cannot be read: {error.strerror}", returncode=BAD_INPUT) from None
    except DocumentRefused as refused:
        raise CommandError(f"--document: {file!r} is refused: {refused}", returncode=BAD_INPUT) from None


def started(
    workflow: str, given: dict[str, Any], documents: list[Document], key: str, actor: AbstractBaseUser
) -> tuple[Run, bool]:
    try:
        return services.start_run(workflow=workflow, input=given, documents=documents, key=key, actor=actor)
    except services.InputInvalid as wrong:
        words = "; ".join(f"{field}: {message}" for field, message in wrong.errors)
        raise CommandError(f"--input: {words}", returncode=BAD_INPUT) from None
    except services.KeyReused:
        message = f"--key: {key!r} was used before with another workflow, input or document"
        raise CommandError(message, returncode=BAD_INPUT) from None
    except services.UnknownWorkflow as unknown:
        raise CommandError(str(unknown), returncode=BAD_INPUT) from None


def wait_for(run: Run, seconds: float) -> bool:
    """True once the run has ended or only people can take it further; False when the time is over first."""
    end, next_sweep = time.monotonic() + seconds, time.monotonic() + SWEEP_SECONDS
    while not rests(run):
        if time.monotonic() >= end:
            return False
        if recovery.workers_alive():
            time.sleep(LOOK_SECONDS)
            continue
        next_sweep = work_here(next_sweep)
    return True


def work_here(next_sweep: float) -> float:
    """Nobody else works on this installation: then we do, retries and lost leases included."""
    if not engine.drain():
        time.sleep(LOOK_SECONDS)
    if time.monotonic() < next_sweep:
        return next_sweep
    recovery.sweep()
    return time.monotonic() + SWEEP_SECONDS


def rests(run: Run) -> bool:
    """Whether it has ended, needs an operator, or waits for a person at every step that is open."""
    run.refresh_from_db()
    if run.status in Run.ENDED:
        return True
    kinds = run.tasks.filter(status__in=Task.OPEN).values_list("kind", "status")
    return all(
        status == Task.Status.INCIDENT or (kind, status) == ("review", Task.Status.WAITING) for kind, status in kinds
    )


def shown(run: Run) -> dict[str, Any]:
    told = run_summary(run)
    named = ("id", "workflow", "version", "status", "outcome")
    return {name: told[name] for name in named} | {"url": reverse("run", args=[run.pk])}
