"""Liveness and readiness, for probes: no session, no login, nothing about anybody's data."""

import logging
import os
from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from audit.log import database_now
from audit.models import Event, Pending

from .recovery import workers_alive

logger = logging.getLogger(__name__)
ANSWER_SECONDS = 2.0  # a broker that takes longer is away, as far as a probe is concerned


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing of anybody: a database that is away is no reason to kill it."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 while database and broker answer, else 503. Missing workers do not make the web unready: work waits."""
    found: dict[str, Any] = {"database": answers(database_answers), "broker": answers(broker_answers)}
    ready = all(found.values())
    if found["database"]:
        found |= {"workers": workers_alive(), "oldest_pending_seconds": oldest_pending_seconds()}
    return JsonResponse({"ready": ready, **found}, status=200 if ready else 503)


def answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except (DatabaseError, redis.RedisError, OSError):
        logger.warning("%s failed", ask.__name__, exc_info=True)
        return False
    return True


def database_answers() -> None:
    database_now()


def broker_answers() -> None:
    """PING, or for the embedded broker: its folder can be written to. OSError or RedisError otherwise."""
    if settings.REDIS_URL:
        limits = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
        with redis.Redis.from_url(settings.REDIS_URL, **limits) as client:
            client.ping()
    elif not os.access(settings.BROKER_DIR, os.W_OK | os.X_OK):
        raise OSError(f"{settings.BROKER_DIR} cannot be written to")


def oldest_pending_seconds() -> float | None:
    """How long the oldest event has waited for its place in the tree; None where none waits. Ids are time-ordered."""
    oldest = Pending.objects.order_by("pk").values_list("pk", flat=True).first()
    at = Event.objects.filter(pk=oldest).values_list("at", flat=True).first() if oldest else None
    return round(max(0.0, (database_now() - at).total_seconds()), 3) if at else None
