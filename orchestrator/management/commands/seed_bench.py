"""`manage.py seed_bench`: bulk content for measurements. None of it was worked on by the engine."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import BaseCommand, CommandError
from django.db import models, transaction
from guardian.models import UserObjectPermission

from audit.ids import uuid7
from audit.log import SYSTEM, Entry, database_now, record_many
from audit.rows import insert_rows
from orchestrator.definitions import parse
from orchestrator.digests import digest
from orchestrator.models import Decision, Run, Task, Workflow, WorkflowVersion

PARTS = {
    "grants": "object permissions to decide, 100 queues for each person",
    "reviews": "open reviews, each of a run that waits, spread over the queues",
    "tasks": "finished tasks, ten to a run, each with its decision",
    "events": "events of the trail, not yet sealed",
}
BATCH = 2_000
QUEUES = 100
STEPS = 10
OWNER = "bench-seed"
UNUSABLE = "!"  # no password hashes to this (Django's own mark)
SOURCE = "workflow: bench-seed\ntitle: Seeded for measurements\ninput: {}\nsteps:\n"
SOURCE += "".join(f"  s{n}: {{agent: bench.seed, needs: [{f's{n - 1}' if n else ''}]}}\n" for n in range(STEPS))
SOURCE += f"  look: {{review: bench-000, needs: [s{STEPS - 1}]}}\n"


class Command(BaseCommand):
    help = "Fills the database that DATABASE_URL names with bulk content for measurements."

    def add_arguments(self, parser: ArgumentParser) -> None:
        for name, meaning in PARTS.items():
            parser.add_argument(f"--{name}", type=int, default=0, metavar="N", help=f"{meaning} (default: 0)")
        parser.add_argument("--force", action="store_true", help="even where runs are that were not made for measuring")
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = {name: options[name] for name in PARTS}
        for name, number in wanted.items():
            if number < 0:
                raise CommandError(f"--{name}: {number} is negative; expected how many to make", returncode=2)
        if not options["force"]:
            refuse_foreign_content()
        for name, number in wanted.items():
            if number:
                self.stderr.write(f"{name}: {number:,} …") if options["verbosity"] else None
                SEEDERS[name](number)
        self.stdout.write(json.dumps(wanted)) if options["json"] else None


def refuse_foreign_content() -> None:
    """Raises CommandError (exit 2) where somebody works: this content cannot be taken out again."""
    foreign = Run.objects.exclude(started_by__username__startswith="bench-").first()
    if foreign is not None:
        raise CommandError(
            f"DATABASE_URL: this database holds run {foreign.pk} of {foreign.started_by}; expected one that is used "
            "for measurements alone (--force seeds it all the same)",
            returncode=2,
        )


def write(batches: Iterable[tuple[list[models.Model], ...]]) -> None:
    """Each batch is a transaction: rows of one model after the other, in the order of their foreign keys."""
    for batch in batches:
        with transaction.atomic():
            for rows in batch:
                insert_rows(rows)


def chunks(numbers: Iterable[int], size: int) -> Iterator[list[int]]:
    rest = iter(numbers)
    while chunk := list(islice(rest, size)):
        yield chunk


def owner() -> Any:
    return get_user_model().objects.get_or_create(username=OWNER, defaults={"password": UNUSABLE})[0]


def seed_version() -> WorkflowVersion:
    """The version the seeded runs are pinned to. No agent of that name exists, so nothing can work on them."""
    workflow, _ = Workflow.objects.get_or_create(name=OWNER, defaults={"title": "Seeded", "is_active": False})
    definition = parse(SOURCE)
    values = {"source": SOURCE, "definition": definition.as_json(), "digest": definition.digest}
    return WorkflowVersion.objects.get_or_create(workflow=workflow, number=1, defaults=values)[0]


def run_of(version: WorkflowVersion, person: Any, status: str, at: datetime) -> Run:
    ended = at + timedelta(seconds=1) if status in Run.ENDED else None
    run = Run(id=uuid7(), version=version, status=status, started_by=person, started_at=at, ended_at=ended)
    run.subject = f"Seeded {str(run.pk)[-12:]}"
    return run


def seed_tasks(number: int) -> None:
    write(task_batches(number))


def task_batches(number: int) -> Iterator[tuple[list[models.Model], ...]]:
    version, person, now = seed_version(), owner(), database_now()
    runs_wanted = -(-number // STEPS)
    for chunk in chunks(range(runs_wanted), BATCH // STEPS):
        runs = [run_of(version, person, Run.Status.SUCCEEDED, now - timedelta(seconds=runs_wanted - n)) for n in chunk]
        tasks = [finished(run, n) for run in runs for n in range(STEPS)][: number - chunk[0] * STEPS]
        yield runs, tasks, [decision_of(task) for task in tasks]


def finished(run: Run, n: int) -> Task:
    status, at = Task.Status.SUCCEEDED, run.started_at
    return Task(
        run=run, step=f"s{n}", kind="agent", status=status, fence=1, attempts=1, started_at=at, ended_at=run.ended_at
    )


def decision_of(task: Task) -> Decision:
    return Decision(
        id=uuid7(),
        run_id=task.run_id,
        task=task,
        step=task.step,
        actor_kind=Decision.ActorKind.AGENT,
        actor="bench.seed",
        verdict="continue",
        confidence=0.97,
        rationale="seeded",
        output={"n": 1},
        based_on=digest(task.step),
        made_at=task.ended_at,
    )


def seed_events(number: int) -> None:
    now = database_now()
    for chunk in chunks(range(number), BATCH):
        with transaction.atomic():
            entries = [event_of(n) for n in chunk]
            record_many(entries, at=now - timedelta(seconds=(number - chunk[0]) // BATCH))


def event_of(n: int) -> Entry:
    task, run = str(uuid7()), str(uuid7())
    return Entry(
        "task.succeeded", ("task", task), SYSTEM, run, OWNER, "", {"step": f"s{n % STEPS}", "verdict": "seeded"}
    )


def seed_queues() -> list[Any]:
    """A hundred queues under one review policy."""
    queue, policy = apps.get_model("reviews", "Queue"), apps.get_model("reviews", "ReviewPolicy")
    rules, _ = policy.objects.get_or_create(name=OWNER)
    names = [f"bench-{n:03}" for n in range(QUEUES)]
    return [
        queue.objects.get_or_create(name=n, defaults={"title": f"Measured {n[-3:]}", "policy": rules})[0] for n in names
    ]


def seed_grants(number: int) -> None:
    """Person n may decide in every queue; the last one in as many as are left."""
    queues = seed_queues()
    decide = Permission.objects.get(codename="decide", content_type__app_label="reviews")
    account = get_user_model()
    names = [f"bench-{n:05}" for n in range(-(-number // QUEUES))]
    account.objects.bulk_create(
        (account(username=name, password=UNUSABLE) for name in names), BATCH, ignore_conflicts=True
    )
    people = account.objects.filter(username__in=names).order_by("username")
    pairs = islice(((person, queue) for person in people for queue in queues), number)
    grants = (
        UserObjectPermission(user=who, permission=decide, content_type_id=decide.content_type_id, object_pk=str(on.pk))
        for who, on in pairs
    )
    UserObjectPermission.objects.bulk_create(grants, BATCH, ignore_conflicts=True)


def seed_reviews(number: int) -> None:
    write(review_batches(number))


def review_batches(number: int) -> Iterator[tuple[list[models.Model], ...]]:
    version, person, now, queues = seed_version(), owner(), database_now(), seed_queues()
    for chunk in chunks(range(number), BATCH):
        runs = [run_of(version, person, Run.Status.WAITING, now - timedelta(seconds=n % 86_400)) for n in chunk]
        tasks = [waiting(run) for run in runs]
        yield runs, tasks, [review_of(task, n, queues[n % QUEUES], now) for task, n in zip(tasks, chunk, strict=True)]


def waiting(run: Run) -> Task:
    status, at = Task.Status.WAITING, run.started_at
    return Task(run=run, step="look", kind="review", status=status, fence=1, attempts=1, started_at=at)


def review_of(task: Task, n: int, queue: Any, now: datetime) -> models.Model:
    """Due dates reach from two days ago to two weeks ahead, amounts from 1.00 to about 100,000.00."""
    euros = 1 + n * 7_919 % 99_991
    title, number, vendor = f"Vendor {n % 997} INV-{n:07}", f"INV-{n:07}", f"Vendor {n % 997}"
    packet = packet_of(task, title, number, vendor, euros)
    review = apps.get_model("reviews", "Review")
    return review(
        task=task,
        run=task.run,
        queue=queue,
        status="open",
        levels=[{"group": "", "quorum": 1, "why": ""}],
        title=title,
        number=number,
        vendor=vendor,
        amount_base=euros * 100,
        amount=f"{euros}.00 EUR",
        reasons=packet["reasons"],
        packet=packet,
        packet_digest=digest(packet),
        opened_at=task.started_at,
        due_at=now + timedelta(seconds=n * 6_007 % 1_382_400 - 172_800),
    )


def packet_of(task: Task, title: str, number: str, vendor: str, euros: int) -> dict[str, Any]:
    """A case packet with every part a page reads."""
    about = {"task": str(task.pk), "run": str(task.run_id), "workflow": OWNER, "workflow_title": "Seeded", "version": 1}
    reason = {"rule": "large", "route": "review", "text": "Large amount.", "values": {"amount_base": euros * 100}}
    empty = ("near", "rules", "differences", "values", "lines", "checks", "documents", "sources", "decisions")
    return {
        "case": {**about, "round": 1, "step": task.step, "early": False},
        "title": title,
        "question": f"May {number} be paid?",
        "number": number,
        "vendor": vendor,
        "amount": {"amount": f"{euros}.00", "currency": "EUR", "base": euros * 100},
        "reasons": [{**reason, "condition": "", "policy": "", "number": "", "level": "", "target": ""}],
        **{name: [] for name in (*empty, "approvals", "effects")},
        "policy": {"name": "", "number": 0, "digest": ""},
        "data_digest": digest({}),
    }


SEEDERS: dict[str, Callable[[int], None]] = {
    "grants": seed_grants,
    "reviews": seed_reviews,
    "tasks": seed_tasks,
    "events": seed_events,
}
