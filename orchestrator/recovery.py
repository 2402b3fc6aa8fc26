"""The sweeper: what was lost is found again from the database alone. Callable from workers, beat and by hand."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from audit.log import SYSTEM, Entry, database_now, record_many

from . import dispatch, endings, engine, transitions
from .models import Effect, Heartbeat, Run, Task
from .pinned import definition_of

logger = logging.getLogger(__name__)

BATCH = 100
LOCK = 7_305_401  # advisory lock number: one sweep at a time
MAX_DEATHS = 3
STALE_AFTER = timedelta(seconds=30)


def sweep() -> dict[str, int]:
    """One recovery pass; returns what was found, by kind. Passes exclude each other (PostgreSQL: advisory lock)."""
    found = {name: part() for name, part in _parts().items()}
    if any(found.values()) or engine.due_lanes("default", "effects"):
        dispatch.wake()
    if engine.due_lanes("ocr"):
        dispatch.wake("ocr")
    return found


def _parts() -> dict[str, Callable[[], int]]:
    parts: dict[str, Callable[[], int]] = {"expired_leases": expire_leases, "unwoken_runs": open_forgotten}
    return parts | {name: import_string(path) for name, path in settings.SWEEPERS.items()}


def alone() -> bool:
    """True for the one sweeper that may go on until the transaction ends."""
    if connection.vendor != "postgresql":
        return True  # SQLite has one writer
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return cursor.fetchone()[0]


@transaction.atomic
def expire_leases() -> int:
    """Leases nobody came back for. The next claim raises the fence, so a late result is dropped. The attempt does not
    count, for the step may only have been in bad company; a task over which worker after worker died is given to an
    operator."""
    if not alone():
        return 0
    rows = _expired()
    now = database_now()
    for task in rows:
        if task.deaths + 1 >= MAX_DEATHS and not _in_flight(task):
            _give_up(task, now)
        else:
            values = {"ready_at": now, "attempts": task.attempts - 1, "deaths": F("deaths") + 1}
            transitions.move_tasks([task.pk], [Task.Status.RUNNING], Task.Status.READY, lease_until=None, **values)
    record_many([_lost(task) for task in rows], at=now)
    return len(rows)


def _expired() -> list[Task]:
    """Under lock, their runs first. A run that somebody is changing right now is left to the next pass."""
    expired = Task.objects.filter(lease_until__lt=Now())
    owners = dict(expired.values_list("pk", "run_id")[:BATCH])
    if not owners:
        return []
    runs = Run.objects.filter(pk__in=owners.values()).order_by("pk")
    free = list(runs.select_for_update(no_key=True, skip_locked=True).values_list("pk", flat=True))
    rows = expired.filter(pk__in=owners, run__in=free).order_by("run_id", "pk")
    return list(rows.select_for_update(no_key=True, of=("self",)).select_related("run"))


def _in_flight(task: Task) -> bool:
    """An effect that may have happened is asked after, not given up by counting."""
    return Effect.objects.filter(task=task, state=Effect.State.IN_FLIGHT).exists()


def _lost(task: Task) -> Entry:
    workflow = definition_of(task.run.version_id).name
    data = {"step": task.step, "fence": task.fence, "attempts": task.attempts, "deaths": task.deaths + 1}
    return Entry("task.lease_expired", ("task", str(task.pk)), SYSTEM, str(task.run_id), workflow, "", data)


def _give_up(task: Task, now: datetime) -> None:
    values = {"lease_until": None, "deaths": F("deaths") + 1, "error": "its worker died repeatedly"}
    transitions.move_tasks([task.pk], [Task.Status.RUNNING], Task.Status.INCIDENT, **values)
    detail = f"step {task.step}: its worker died {task.deaths + 1} times"
    endings.open_incident(task.run, kind="crash-loop", detail=detail, now=now, task_id=task.pk)


@transaction.atomic
def open_forgotten() -> int:
    """Runs without any open task: nothing would ever wake them. Their due steps are opened."""
    if not alone():
        return 0
    open_task = Q(tasks__status__in=Task.OPEN)
    going = (Run.Status.RUNNING, Run.Status.CANCELLING)
    lost = Run.objects.filter(status__in=going, ended_at=None).exclude(open_task).values_list("pk", flat=True)[:BATCH]
    runs = engine.lock_runs(list(lost))
    now = database_now()
    for run in runs:
        if not run.tasks.filter(status__in=Task.OPEN).exists():
            endings.go_on(run, now=now)
            endings.settle(run, case=None, now=now)
    return len(runs)


def beat(name: str) -> None:
    """A worker says that it is alive, by the database's clock."""
    Heartbeat.objects.update_or_create(name=name[:120], defaults={"at": database_now()})
    Heartbeat.objects.filter(at__lt=database_now() - timedelta(days=1)).delete()


def workers_alive() -> int:
    return Heartbeat.objects.filter(at__gte=database_now() - STALE_AFTER).count()
