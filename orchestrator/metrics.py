"""`GET /metrics` in Prometheus' text form: what is under way, what waits and how long, who is at work.

Everything is counted in the database when it is asked for, over indexes, so that every web process says the same.
"""

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit.log import database_now
from audit.models import Pending

from .health import oldest_pending_seconds
from .models import Effect, Heartbeat, Incident, Run, Task, Wait, WebhookDelivery
from .recovery import workers_alive

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LOOPBACK = ("127.0.0.1", "::1", "")  # empty: a socket file of this machine
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED")


@dataclass(frozen=True, slots=True)
class Gauge:
    """One metric: `samples` are (labels, value)."""

    name: str
    help: str
    samples: Iterable[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f"# HELP countersign_{self.name} {self.help}"
        yield f"# TYPE countersign_{self.name} gauge"
        for labels, value in self.samples:
            inner = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
            yield f"countersign_{self.name}{f'{{{inner}}}' if inner else ''} {value:.15g}"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answered to METRICS_TOKEN as a bearer; where none is set, to this machine alone and not through a proxy."""
    if not may_read(request):
        return HttpResponse("not found\n", status=404, content_type="text/plain")
    now = database_now()
    further = [import_string(path)(now) for path in settings.METRICS]
    lines = [line for gauges in (own(now), *further) for gauge in gauges for line in gauge.lines()]
    return HttpResponse("\n".join(lines) + "\n", content_type=CONTENT_TYPE)


def may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    by_proxy = any(name in request.META for name in FORWARDED)
    return request.META.get("REMOTE_ADDR", "") in LOOPBACK and not by_proxy


def own(now: datetime) -> Iterator[Gauge]:
    yield Gauge("runs", "Runs by status.", counted(Run.objects.all(), "status"))
    yield from queued(now)
    yield Gauge("waits", "Steps that wait for a time or an event.", [({}, Wait.objects.filter(ended_at=None).count())])
    yield Gauge("effects", "Effects by state.", counted(Effect.objects.all(), "state", "connector"))
    open_incidents = Incident.objects.filter(resolved_at=None)
    yield Gauge("incidents_open", "Incidents nobody has resolved.", counted(open_incidents, "kind"))
    pending = WebhookDelivery.objects.filter(next_at__isnull=False)
    yield Gauge("webhooks_pending", "Outgoing webhooks still to be delivered.", [({}, pending.count())])
    yield Gauge("workers", "Workers seen in the last half minute.", [({}, workers_alive())])
    seen = [({"worker": row.name}, age(row.at, now)) for row in Heartbeat.objects.order_by("name")]
    yield Gauge("worker_age_seconds", "Since each worker was last seen.", seen)
    yield Gauge("trail_pending", "Events that wait for their place in the tree.", [({}, Pending.objects.count())])
    oldest = oldest_pending_seconds()
    yield Gauge("trail_pending_age_seconds", "How long the oldest of them has waited.", [({}, oldest or 0)])


def queued(now: datetime) -> Iterator[Gauge]:
    """Waiting steps are counted by what they wait for; these are the ones workers see."""
    rows = Task.objects.filter(Q(ready_at__isnull=False) | Q(lease_until__isnull=False))
    yield Gauge("tasks", "Steps for workers, by status and lane.", counted(rows, "status", "lane"))
    due = Task.objects.filter(ready_at__lte=now).order_by().values("lane").annotate(oldest=Min("ready_at"))
    waited = [({"lane": row["lane"]}, age(row["oldest"], now)) for row in due]
    yield Gauge("queue_age_seconds", "How long the oldest step that is due has waited, by lane.", waited)


def counted(rows: QuerySet[Any], *labels: str) -> list[tuple[dict[str, str], float]]:
    found = rows.order_by(*labels).values(*labels).annotate(count=Count("pk"))
    return [({name: row[name] for name in labels}, row["count"]) for row in found]


def age(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())
