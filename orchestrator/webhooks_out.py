"""Events of runs and reviews, told to whoever asked for them: Standard Webhooks headers, CloudEvents 1.0 as JSON.

The trail is the outbox: what was committed there is found by the next sweep, so telling costs the engine nothing. The
id of a message is that of its event and stays the same however often it is sent.
"""

import json
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from audit.canonical import iso_utc
from audit.log import database_now
from audit.models import Event

from . import dispatch
from .clock import Clock
from .connectors import outbound
from .models import Run, WebhookDelivery, WebhookEndpoint
from .webhooks import signature

TOLD = ("run.", "review.")  # kinds of event that may leave the house
OVERLAP = timedelta(seconds=60)  # an event may be committed this much later than it says
BATCH = 500
AT_ONCE = 20  # deliveries a job tries before it lets others in
LEASE = timedelta(seconds=60)
SECONDS = 10.0  # one attempt, all in all
# Pauses after the first, second … attempt (Standard Webhooks, "Retry schedule"); after the last it is given up.
PAUSES = [timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)]


def sweep() -> int:
    """Finds what is to be told (settings.SWEEPERS) and wakes a worker to send it; returns how much was found."""
    found = sum(collect(endpoint) for endpoint in WebhookEndpoint.objects.filter(is_active=True))
    if _due().exists():
        dispatch.wake("deliveries")
    return found


@transaction.atomic
def collect(endpoint: WebhookEndpoint) -> int:
    """Puts the new events of one endpoint aside for sending. Looking twice at the last minute is harmless: an event is
    put aside once."""
    now = database_now()
    wanted = Q()
    for kind in endpoint.kinds or TOLD:
        wanted |= Q(kind__startswith=kind)
    rows = Event.objects.filter(wanted, at__gte=endpoint.read_until - OVERLAP).oldest_first()
    known = endpoint.deliveries.filter(event__in=rows.values("pk")).values_list("event", flat=True)
    fresh = [row for row in rows.exclude(pk__in=known)[:BATCH] if row.kind.startswith(TOLD)]
    untold = of_control_cases(fresh)
    made = [
        WebhookDelivery(endpoint=endpoint, event=row.pk, kind=type_of(row), body=body_of(row), next_at=now)
        for row in fresh
        if row.run not in untold
    ]
    WebhookDelivery.objects.bulk_create(made, ignore_conflicts=True)
    until = fresh[-1].at if len(fresh) == BATCH else now
    WebhookEndpoint.objects.filter(pk=endpoint.pk, read_until__lt=until).update(read_until=until)
    return len(made)


def of_control_cases(events: Collection[Event]) -> set[str]:
    """The runs among those of these events that nobody outside hears of."""
    runs = {event.run for event in events if event.run}
    return set(map(str, Run.objects.filter(pk__in=runs, control=True).values_list("pk", flat=True)))


def type_of(event: Event) -> str:
    return f"countersign.{event.kind}"


def body_of(event: Event) -> str:
    """The event as CloudEvents 1.0 in its JSON format."""
    recorded = json.loads(bytes(event.body))
    scope = {"run": event.run, "workflow": event.workflow, "queue": event.queue}
    message = {
        "specversion": "1.0",
        "id": str(event.pk),
        "source": f"/runs/{event.run}/" if event.run else "/",
        "type": type_of(event),
        "time": iso_utc(event.at, "milliseconds"),
        "subject": event.subject_id,
        "datacontenttype": "application/json",
        "data": {**recorded["data"], **scope},
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))


def deliver(*, budget: int = AT_ONCE, send: Callable[..., outbound.Answer] = outbound.call) -> int:
    """Sends what is due, one after the other, at most `budget` of them; returns how many were tried."""
    tried = 0
    while tried < budget and (delivery := claim()) is not None:
        tried += 1
        settle(delivery, *attempt(delivery, send))
    return tried


@transaction.atomic
def claim() -> WebhookDelivery | None:
    """The next delivery, kept from other workers for a while by its own due time."""
    row = _due().order_by("next_at", "id").select_for_update(skip_locked=True, of=("self",)).first()
    if row is not None:
        WebhookDelivery.objects.filter(pk=row.pk).update(next_at=Now() + LEASE, attempts=F("attempts") + 1)
        row.refresh_from_db()
    return row


def _due() -> QuerySet[WebhookDelivery]:
    rows = WebhookDelivery.objects.filter(next_at__lte=Clock(), endpoint__is_active=True)
    return rows.select_related("endpoint")


def attempt(delivery: WebhookDelivery, send: Callable[..., outbound.Answer]) -> tuple[bool, str]:
    """(delivered, what it came to). The answer's body is not kept: it is a stranger's text."""
    body, now = delivery.body.encode(), int(database_now().timestamp())
    headers = {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "User-Agent": "Countersign",
        "webhook-id": str(delivery.event),
        "webhook-timestamp": str(now),
        "webhook-signature": signature(delivery.endpoint.secret, str(delivery.event), now, body),
    }
    try:
        answer = send("POST", delivery.endpoint.url, headers=headers, body=body, seconds=SECONDS)
    except (outbound.AddressRefused, outbound.NoAnswer) as error:
        return False, str(error)
    return 200 <= answer.status < 300, f"answer {answer.status}"


def settle(delivery: WebhookDelivery, delivered: bool, answer: str) -> None:
    """Keeps what the attempt came to. A delivery somebody else has meanwhile taken is left alone."""
    mine = WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, status="pending")
    now = database_now()
    if delivered:
        mine.update(status="delivered", next_at=None, ended_at=now, answer=answer)
    elif delivery.attempts > len(PAUSES):
        mine.update(status="failed", next_at=None, ended_at=now, answer=answer[:200])
    else:
        mine.update(next_at=next_try(now, delivery.attempts), answer=answer[:200])


def next_try(now: datetime, attempts: int) -> datetime:
    return now + PAUSES[attempts - 1]
