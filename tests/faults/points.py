"""The named points: boundaries of the product's functions, wrapped from outside. Each is passed at full speed unless a
trial has armed it."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import httpcore
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from .arming import ACTIONS, Arming

WORKER = (
    "claim.after_commit",
    "grant.before_commit",
    "grant.after_commit",
    "call.before_send",
    "call.after_send",
    "call.after_response",
    "record.before_commit",
    "record.after_commit",
)
WEB = ("decide.after_lock", "decide.before_commit", "decide.after_commit")

SENT = "http11.send_request_body.complete"  # an event of httpcore's trace extension


def shorten_times() -> None:
    """Leases, sweeps and patience outside, as the settings of the trials say."""
    from orchestrator import engine, jobs, recording, timeouts
    from orchestrator.connectors import http, outbound

    recording.LEASE = timedelta(seconds=settings.FAULT_LEASE)
    engine.CLAIMED["lease_until"] = Now() + recording.LEASE
    recording.HOLD_PAUSE = timedelta(seconds=settings.FAULT_SWEEP)
    jobs.SWEEP_SECONDS = timeouts.STUCK = settings.FAULT_SWEEP
    outbound.call.__kwdefaults__["seconds"] = settings.FAULT_CALL
    http.HttpConnector.retention = timedelta(seconds=settings.FAULT_RETENTION)


def reach(point: str) -> None:
    """What is armed here happens now."""
    if settings.FAULT_FOLDER and (action := Arming(Path(settings.FAULT_FOLDER)).take(point)):
        ACTIONS[action]()


def install() -> None:
    """Wraps the functions. AttributeError where one is not there any more: a point must never quietly vanish."""
    from orchestrator import effects, engine
    from orchestrator.connectors.http import HttpConnector
    from reviews import deciding, services

    around(engine, "claim", after="claim.after_commit", where=returned)
    around(effects, "grant", before_commit="grant.before_commit", after="grant.after_commit", where=returned)
    around(HttpConnector, "send", before="call.before_send", after="call.after_response")
    around(engine, "record", before_commit="record.before_commit", after="record.after_commit", where=records_an_effect)
    around(deciding, "locked", after="decide.after_lock")
    around(deciding, "_decide", after="decide.before_commit")
    around(services, "decide_from_outside", after="decide.after_commit")
    trace_calls()


def returned(args: Any, result: Any) -> bool:
    """It did something: work was claimed, an effect was granted."""
    return bool(result)


def records_an_effect(args: Any, result: Any) -> bool:
    return any(work.step.kind == "effect" for work, _ in args[0])


def around(
    owner: Any,
    name: str,
    *,
    before: str = "",
    before_commit: str = "",
    after: str = "",
    where: Callable[[Any, Any], bool] = lambda args, result: True,
) -> None:
    """Points before a function, inside its transaction as its last act, and after it."""
    original = getattr(owner, name)

    def inside(*args: Any, **kwargs: Any) -> Any:
        if not before_commit:
            return original(*args, **kwargs)
        with transaction.atomic():  # the function's own block becomes a savepoint of this one
            result = original(*args, **kwargs)
            if where(args, result):
                reach(before_commit)
            return result

    @wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before:
            reach(before)
        result = inside(*args, **kwargs)
        if after and where(args, result):
            reach(after)
        return result

    setattr(owner, name, wrapped)


def trace_calls() -> None:
    """call.after_send: the request has left, and no byte of the answer was read."""
    original = httpcore.ConnectionPool.stream

    def told(event: str, info: Any) -> None:
        if event == SENT:
            reach("call.after_send")

    @wraps(original)
    def stream(pool: httpcore.ConnectionPool, method: Any, url: Any, **kwargs: Any) -> Any:
        if method == "POST":
            kwargs["extensions"] = {**(kwargs.get("extensions") or {}), "trace": told}
        return original(pool, method, url, **kwargs)

    httpcore.ConnectionPool.stream = stream  # type: ignore[method-assign]
