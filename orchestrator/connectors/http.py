"""Effects over HTTP: POST {ERP_BASE_URL}/effects/<kind> with an Idempotency-Key. Class K.

201 and 200 carry {"ref"}; 409 says the key is known with another body; another 4xx is a definite refusal; anything
else, and no answer, is in doubt.
"""

import json
from datetime import timedelta
from typing import Any

import httpx
from django.conf import settings

from .base import Confirmed, InDoubt, Refused, Reply, Sent

TIMEOUT = httpx.Timeout(20, connect=3)  # seconds; well under half a lease
MAX_BODY = 64_000  # bytes of an answer that are read


class HttpConnector:
    name = "http"
    klass = "K"
    retention = timedelta(hours=24)
    settle_window = timedelta(minutes=2)

    def __init__(self, base_url: str = ""):
        self.base_url = (base_url or settings.ERP_BASE_URL).rstrip("/")

    def send(self, sent: Sent) -> Reply:
        body = {"kind": sent.kind, "business_key": sent.business_key, "payload": dict(sent.payload)}
        try:
            status, answer = self._call("POST", f"/effects/{sent.kind}", {"Idempotency-Key": sent.key}, body)
        except (httpx.HTTPError, ValueError) as error:
            return InDoubt(f"no usable answer: {type(error).__name__}")
        if status in (200, 201):
            ref = answer.get("ref")
            return Confirmed(ref[:200]) if isinstance(ref, str) and ref else InDoubt(f"answer {status} without a ref")
        if status == 409:
            return Refused("the key is known with another body (409)")
        if 400 <= status < 500 and status not in (408, 425, 429):
            return Refused(f"refused with {status}")
        return InDoubt(f"answer {status}")

    def find(self, sent: Sent) -> Reply | None:
        try:
            status, answer = self._call("GET", f"/effects/{sent.key}")
        except (httpx.HTTPError, ValueError) as error:
            return InDoubt(f"could not be asked: {type(error).__name__}")
        if status == 404:
            return None
        if status != 200:
            return InDoubt(f"could not be asked: answer {status}")
        if answer.get("payload_digest") not in (None, sent.payload_digest):
            return Refused("the outside has this key with other content")
        return Confirmed(str(answer.get("ref", ""))[:200])

    def _call(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """(status, JSON object). Redirects are not followed, answers are capped; ValueError for anything but JSON."""
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client,
            client.stream(method, self.base_url + path, headers=headers, json=body) as response,
        ):
            raw = b""
            for chunk in response.iter_bytes():
                raw += chunk
                if len(raw) > MAX_BODY:
                    raise ValueError("answer too long")
        answer = json.loads(raw) if raw and response.status_code < 300 else {}
        if not isinstance(answer, dict):
            raise ValueError("answer is not a JSON object")
        return response.status_code, answer
