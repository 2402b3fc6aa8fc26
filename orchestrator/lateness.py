"""What must not take longer than it may (settings.INVARIANTS). Judged only while workers are seen to sweep: on a laptop
that was closed for the night everything is late, and nothing is wrong."""

from datetime import datetime, timedelta

from audit.models import Event

from .invariants import Found, invariant
from .models import Heartbeat, Task, Wait, WebhookDelivery
from .recovery import STALE_AFTER

LATE = timedelta(minutes=10)
UNSENT = timedelta(minutes=5)


def is_attended(now: datetime) -> bool:
    """Some worker has just made a pass over what was lost or is due."""
    return Heartbeat.objects.filter(at__gte=now - STALE_AFTER).exists()


@invariant("I19", "leases, effects and waits that are over are taken up within ten minutes")
def nothing_lies_about(now: datetime) -> Found:
    if not is_attended(now):
        return
    for task in Task.objects.filter(lease_until__lt=now - LATE):
        yield f"task {task.pk}", f"its lease ended at {task.lease_until}, and nobody took it back"
    for task in Task.objects.filter(lane="effects", ready_at__lt=now - LATE):
        yield f"task {task.pk}", f"its effect may be sent since {task.ready_at}, and nobody sent it"
    for wait in Wait.objects.filter(ended_at=None, due_at__lt=now - LATE):
        yield f"wait {wait.pk}", f"was due at {wait.due_at}, and nobody went on"


@invariant("I21", "what is told to others is an event of the trail, and on its way within five minutes")
def others_are_told(now: datetime) -> Found:
    """That an event is told once to each endpoint is a constraint of the table."""
    for orphan in WebhookDelivery.objects.exclude(event__in=Event.objects.values("pk")):
        yield f"webhook delivery {orphan.pk}", f"tells of event {orphan.event}, which does not exist"
    for ended in WebhookDelivery.objects.exclude(status="pending").filter(ended_at=None):
        yield f"webhook delivery {ended.pk}", f"is {ended.status} without a time at which it ended"
    late = WebhookDelivery.objects.filter(next_at__lt=now - UNSENT, endpoint__is_active=True)
    for delivery in late if is_attended(now) else ():
        yield f"webhook delivery {delivery.pk}", f"was to be sent at {delivery.next_at}"


INVARIANTS = (nothing_lies_about, others_are_told)
