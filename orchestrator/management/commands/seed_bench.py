"""`manage.py seed_bench`: bulk content for measurements. None of it was worked on by the engine."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import BaseCommand, CommandError
from django.db import connection, models, transaction
from guardian.models import UserObjectPermission

from audit.ids import uuid7
from audit.log import SYSTEM, Entry, database_now, record_many
from audit.rows import is_taken_as_is
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
DUE_BANDS = (0, 2, 24)  # hours: the limits of a review's due bands
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


class Table:
    """Rows of one model, loaded in bulk: by COPY where the database has it. What most rows have alike (`same`, and the
    model's defaults) is prepared once, since making a model's instance costs more than writing its row."""

    def __init__(self, model: type[models.Model], **same: Any) -> None:
        fields = (field for field in model._meta.concrete_fields if not field.generated)
        self.fields = {field.attname: field for field in fields if not isinstance(field, models.AutoField)}
        self.prepare = {name: how_to_prepare(field) for name, field in self.fields.items()}
        first = model(**same)
        self.same = {name: self._prepared(name, getattr(first, name)) for name in self.fields}
        columns = ", ".join(connection.ops.quote_name(field.column) for field in self.fields.values())
        self.target = f"{connection.ops.quote_name(model._meta.db_table)} ({columns})"

    def _prepared(self, name: str, value: Any) -> Any:
        prepare = self.prepare[name]
        return value if value is None or prepare is None else prepare(value)

    def load(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Each row names what differs from `same`, by attribute."""
        lines = ([*(self.same | {n: self._prepared(n, v) for n, v in row.items()}).values()] for row in rows)
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {self.target} FROM STDIN") as copy:
                    for line in lines:
                        copy.write_row(line)
            else:
                marks = ", ".join(["%s"] * len(self.fields))
                cursor.executemany(f"INSERT INTO {self.target} VALUES ({marks})", list(lines))  # noqa: S608


def how_to_prepare(field: models.Field) -> Callable[[Any], Any] | None:
    """What a value becomes before it is written; None where it is taken as it is. Asked once for each column: asking
    for each value costs more than writing it."""
    if is_taken_as_is(field, connection.vendor):
        return None
    if isinstance(field, models.JSONField):  # as text, which both databases take, and once for what is the same
        return json.dumps
    return lambda value: field.get_db_prep_save(value, connection)


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


def runs_table(status: str) -> Table:
    return Table(Run, version=seed_version(), started_by=owner(), status=status)


def run_row(at: datetime, *, ended: bool = False) -> dict[str, Any]:
    key = uuid7()
    ended_at = at + timedelta(seconds=1) if ended else None
    return {"id": key, "subject": f"Seeded {str(key)[-12:]}", "started_at": at, "ended_at": ended_at}


def seed_tasks(number: int) -> None:
    runs_wanted, now = -(-number // STEPS), database_now()
    runs = runs_table(Run.Status.SUCCEEDED)
    tasks = Table(Task, kind="agent", status=Task.Status.SUCCEEDED, fence=1, attempts=1)
    decisions = Table(Decision, **JUDGED)
    for chunk in chunks(range(runs_wanted), BATCH // STEPS):
        run_rows = [run_row(now - timedelta(seconds=runs_wanted - n), ended=True) for n in chunk]
        rows = [finished(run, n) for run in run_rows for n in range(STEPS)][: number - chunk[0] * STEPS]
        with transaction.atomic():
            runs.load(run_rows)
            tasks.load(rows)
            decisions.load(map(decision_of, rows))


def finished(run: dict[str, Any], n: int) -> dict[str, Any]:
    times = {"started_at": run["started_at"], "ended_at": run["ended_at"]}
    return {"id": uuid7(), "run_id": run["id"], "step": f"s{n}", **times}


JUDGED = {
    "actor_kind": Decision.ActorKind.AGENT,
    "actor": "bench.seed",
    "verdict": "continue",
    "confidence": 0.97,
    "rationale": "seeded",
    "output": {"n": 1},
    "based_on": digest({"input": {}}),
}


def decision_of(task: dict[str, Any]) -> dict[str, Any]:
    about = {"run_id": task["run_id"], "task_id": task["id"], "step": task["step"]}
    return {"id": uuid7(), **about, "made_at": task["ended_at"]}


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
    queues, now = seed_queues(), database_now()
    runs = runs_table(Run.Status.WAITING)
    tasks = Table(Task, step="look", kind="review", status=Task.Status.WAITING, fence=1, attempts=1)
    levels = [{"group": "", "quorum": 1, "why": ""}]
    about = {"requester_id": owner().pk, "workflow": OWNER}
    reviews = Table(apps.get_model("reviews", "Review"), status="open", levels=levels, **about)
    words = Table(apps.get_model("reviews", "CaseWords"))
    for chunk in chunks(range(number), BATCH):
        run_rows = [run_row(now - timedelta(seconds=n % 86_400)) for n in chunk]
        rows = [{"id": uuid7(), "run_id": run["id"], "started_at": run["started_at"]} for run in run_rows]
        with transaction.atomic():
            runs.load(run_rows)
            tasks.load(rows)
            reviews.load(review_of(task, n, queues[n % QUEUES], now) for task, n in zip(rows, chunk, strict=True))
            words.load({"task_id": row["id"], "words": words_of(n)} for row, n in zip(rows, chunk, strict=True))


def words_of(n: int) -> str:
    """What a seeded case is found by."""
    return " ".join(sorted({":large", "inv", f"{n:07}", f"inv{n:07}", "vendor", f"{n % 997}"}))


def review_of(task: dict[str, Any], n: int, queue: Any, now: datetime) -> dict[str, Any]:
    """Due dates reach from two days ago (noted, so that the sweeper has nothing to catch up with) to two weeks ahead,
    amounts from 1.00 to about 100,000.00."""
    due = now + timedelta(seconds=n * 6_007 % 1_382_400 - 172_800)
    euros = 1 + n * 7_919 % 99_991
    about = {"title": f"Vendor {n % 997} INV-{n:07}", "number": f"INV-{n:07}", "vendor": f"Vendor {n % 997}"}
    packet = packet_of(task, **about, euros=euros)
    return {
        "id": uuid7(),
        "task_id": task["id"],
        "run_id": task["run_id"],
        "queue_id": queue.pk,
        **about,
        "amount_base": euros * 100,
        "amount": f"{euros}.00 EUR",
        "reasons": packet["reasons"],
        "packet": packet,
        "packet_digest": digest(packet),
        "opened_at": task["started_at"],
        "due_at": due,
        "overdue_at": due if due <= now else None,
        "band": sum(due > now + timedelta(hours=hours) for hours in DUE_BANDS),
    }


def packet_of(task: dict[str, Any], title: str, number: str, vendor: str, euros: int) -> dict[str, Any]:
    """A case packet with every part a page reads."""
    about = {
        "task": str(task["id"]),
        "run": str(task["run_id"]),
        "workflow": OWNER,
        "workflow_title": "Seeded",
        "version": 1,
    }
    reason = {"rule": "large", "route": "review", "text": "Large amount.", "values": {"amount_base": euros * 100}}
    empty = ("near", "rules", "differences", "values", "lines", "checks", "documents", "sources", "decisions")
    return {
        "case": {**about, "round": 1, "step": "look", "early": False},
        "title": title,
        "question": f"May {number} be paid?",
        "number": number,
        "vendor": vendor,
        "amount": {"amount": f"{euros}.00", "currency": "EUR", "base": euros * 100},
        "reasons": [{**reason, "condition": "", "policy": "", "number": "", "level": "", "target": ""}],
        **{name: [] for name in (*empty, "approvals", "effects")},
        "change": "",
        "policy": {"name": "", "number": 0, "digest": ""},
        "data_digest": digest({}),
    }


SEEDERS: dict[str, Callable[[int], None]] = {
    "grants": seed_grants,
    "reviews": seed_reviews,
    "tasks": seed_tasks,
    "events": seed_events,
}
