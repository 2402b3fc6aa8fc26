"""Signed events that come in, by Standard Webhooks (https://www.standardwebhooks.com, version 1.0.0): each is taken
once, wakes the run that waits for it, and starts a run where the hook says so."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from audit.log import SYSTEM, database_now, record

from . import services, waits
from .definitions import lookup
from .errors import InputInvalid, ServiceError
from .models import Hook, HookDelivery, Run

TOLERANCE = 300  # seconds between their clock and ours
MAX_BODY = 262_144  # bytes
MAX_ID = 120
NOBODY = "whsec_" + base64.b64encode(bytes(32)).decode()  # so that an unknown hook costs the same time


class SignatureRefused(ServiceError):
    """Whoever sent this cannot show that it is theirs, or sent it before. `why` is for the trail, not for them."""

    def __init__(self, why: str):
        self.why = why
        super().__init__("The signature was not accepted.")


def key_of(secret: str) -> bytes:
    """The bytes of a secret written as `whsec_<base64>`; ValueError where it is not."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("secret: expected whsec_ and base64") from None


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64 of HMAC-SHA256 over id.timestamp.body>`."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of the message; SignatureRefused unless one of its signatures is ours and its time is near `now`."""
    message_id, written = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not 0 < len(message_id) <= MAX_ID or not written.isascii() or not written.isdecimal() or len(written) > 12:
        raise SignatureRefused("headers missing or malformed")
    expected = signature(secret, message_id, int(written), body).encode()
    given = headers.get("webhook-signature", "").split(" ")[:10]
    if not sum(hmac.compare_digest(expected, one.encode()) for one in given):  # every one is compared
        raise SignatureRefused("signature does not match")
    if abs(now.timestamp() - int(written)) > TOLERANCE:
        raise SignatureRefused("timestamp is too far from now")
    return message_id


def receive(*, name: str, headers: Mapping[str, str], body: bytes) -> HookDelivery:
    """Takes one event. SignatureRefused (and a word in the trail), InputInvalid; nothing is changed by either."""
    try:
        return _take(name, headers, body)
    except SignatureRefused as refused:
        with transaction.atomic():
            record("webhook.refused", subject=("hook", name[:100]), actor=SYSTEM, data={"why": refused.why})
        raise


@transaction.atomic
def _take(name: str, headers: Mapping[str, str], body: bytes) -> HookDelivery:
    hook = Hook.objects.filter(name=name, is_active=True).select_related("workflow", "runs_as").first()
    message_id = verify(hook.secret if hook else NOBODY, headers, body, database_now())
    if hook is None:
        raise SignatureRefused("no such hook")
    found = parsed(body)
    correlation = lookup(found, hook.correlation.split("."))
    try:
        with transaction.atomic():
            delivery = HookDelivery.objects.create(
                hook=hook,
                webhook_id=message_id,
                correlation="" if isinstance(correlation, dict | list | None) else str(correlation)[:200],
                body=found,
            )
    except IntegrityError:
        raise SignatureRefused("the id was used before") from None
    woken = waits.deliver(delivery)
    run = _start(hook, delivery) if hook.workflow else None
    told = {"id": message_id, "woke": woken, "run": str(run.pk) if run else ""}
    record("webhook.received", subject=("hook", hook.name), actor=SYSTEM, data=told)
    return delivery


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object a body holds."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise InputInvalid([("body", "is not JSON")]) from None
    if not isinstance(found, dict):
        raise InputInvalid([("body", "is not a JSON object")])
    return found


def _start(hook: Hook, delivery: HookDelivery) -> Run:
    """The id of the message is the key: one message, one run."""
    given = {field: lookup(delivery.body, str(path).split(".")) for field, path in hook.input.items()}
    run, _ = services.start_run(
        workflow=hook.workflow.name,
        input={field: value for field, value in given.items() if value is not None},
        actor=hook.runs_as,
        key=f"hook:{hook.name}:{delivery.webhook_id}"[:200],
    )
    HookDelivery.objects.filter(pk=delivery.pk).update(run=run)
    return run
