"""Waiting for a time or for an event: the row that is waited for, and what ends the wait.

A wake-up that is lost costs a moment: the sweeper finds due times, and events that came before anybody waited.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef

from audit.log import database_now

from . import dispatch, endings, engine
from .clock import Clock
from .models import HookDelivery, Run, Wait

BATCH = 100


def find(task_id: UUID, round_: int) -> Wait | None:
    return Wait.objects.filter(task_id=task_id, round=round_).first()


def begin(
    *, task_id: UUID, round_: int, now: datetime, due_at: datetime | None, event: str = "", correlation: str = ""
) -> None:
    """The task waits from now on; in the recording transaction. Begun once per round, however often it is entered."""
    wanted = {"event": event, "correlation": correlation[:200], "due_at": due_at, "opened_at": now}
    Wait.objects.get_or_create(task_id=task_id, round=round_, defaults=wanted)
    transaction.on_commit(sweep_soon)


def sweep_soon() -> None:
    """What was due at once, or had come before, is not left to the next sweep."""
    if Wait.objects.filter(ended_at=None, due_at__lte=Clock()).exists() or _met().exists():
        sweep()


def forget(task_id: UUID, round_: int) -> None:
    """The wait was in vain; entered again, the step waits anew."""
    Wait.objects.filter(task_id=task_id, round=round_).delete()


def deliver(delivery: HookDelivery) -> bool:
    """Hands an event to the run that waits for it longest; what a control case waits for never comes from outside.
    False: nobody waits for it yet, or any more."""
    wanted = {"event": delivery.hook.name, "correlation": delivery.correlation, "task__run__control": None}
    open_waits = Wait.objects.filter(ended_at=None, **wanted)
    wait = open_waits.exclude(correlation="").order_by("opened_at", "id").first()
    return wait is not None and _end(wait, delivery=delivery)


def sweep() -> int:
    """Ends waits whose time has come and those whose event is there (settings.SWEEPERS); returns how many."""
    due = list(Wait.objects.filter(ended_at=None, due_at__lte=Clock()).order_by("due_at")[:BATCH])
    ended = sum(_end(wait, delivery=_delivery_for(wait)) for wait in due)
    for wait in _met()[:BATCH]:
        ended += _end(wait, delivery=_delivery_for(wait))
    return ended


def _met() -> Any:
    theirs = HookDelivery.objects.filter(hook__name=OuterRef("event"), correlation=OuterRef("correlation"), wait=None)
    real = Wait.objects.filter(ended_at=None, task__run__control=None)
    return real.filter(Exists(theirs)).exclude(event="").exclude(correlation="")


def _delivery_for(wait: Wait) -> HookDelivery | None:
    if not wait.event or wait.task.run.control:
        return None
    rows = HookDelivery.objects.filter(hook__name=wait.event, correlation=wait.correlation, wait=None)
    return rows.order_by("received_at", "id").first()


@transaction.atomic
def _end(wait: Wait, *, delivery: HookDelivery | None) -> bool:
    """Ends the wait and makes its task ready, under the run's lock. False: somebody else did, or the task is gone."""
    [run] = engine.lock_runs(Run.objects.filter(tasks=wait.task_id).values_list("pk", flat=True))
    now = database_now()
    data = delivery.body if delivery else None
    if not Wait.objects.filter(pk=wait.pk, ended_at=None).update(ended_at=now, data=data):
        return False
    if not engine.resume(task_id=wait.task_id, ready_at=now):
        return False
    if delivery is not None:
        HookDelivery.objects.filter(pk=delivery.pk, wait=None).update(wait=wait)
    if run.status == Run.Status.WAITING:
        endings.go_on(run, now=now)
    dispatch.wake_on_commit()
    return True


def withdraw(task_ids: Any, now: datetime) -> None:
    """Nobody needs these waits any more: their tasks were cancelled."""
    Wait.objects.filter(task_id__in=task_ids, ended_at=None).update(ended_at=now)
