"""Effects over HTTP: POST {ERP_BASE_URL}/effects/<kind> with an Idempotency-Key. Class K, unless the conformance test
(`manage.py check_connector`) found that the outside keeps less than that.

201 and 200 carry {"ref"}; 409 says the key is known with another body; another 4xx is a definite refusal; anything
else, and no answer, is in doubt.
"""

import json
from datetime import timedelta
from typing import Any

from django.conf import settings

from orchestrator.models import ConnectorCheck
from orchestrator.text import is_storable, storable

from . import outbound
from .base import Confirmed, InDoubt, Refused, Reply, Sent

JSON = {"Content-Type": "application/json"}
AGAIN_LATER = (408, 425, 429)


class HttpConnector:
    name = "http"
    retention = timedelta(hours=24)
    settle_window = timedelta(minutes=2)
    max_in_flight = 16

    def __init__(self, base_url: str = ""):
        self.base_url = (base_url or settings.ERP_BASE_URL).rstrip("/")

    @property
    def klass(self) -> str:
        """What the last conformance test of this address found; the contract promises K."""
        found = ConnectorCheck.objects.filter(base_url=self.base_url).order_by("-checked_at", "-pk").first()
        return found.klass if found else "K"

    def send(self, sent: Sent) -> Reply:
        try:
            status, answer = self.post(sent.kind, sent.key, sent.business_key, dict(sent.payload))
        except outbound.AddressRefused as error:
            return Refused(str(error))
        except outbound.NoAnswer as error:
            return InDoubt(str(error))
        if status in (200, 201):
            ref = answer.get("ref")
            good = isinstance(ref, str) and ref and is_storable(ref)
            return Confirmed(ref[:200]) if good else InDoubt(f"answer {status} without a ref")
        if status == 409:
            return Refused("the key is known with another body (409)")
        if 400 <= status < 500 and status not in AGAIN_LATER:
            return Refused(f"refused with {status}")
        return InDoubt(f"answer {status}")

    def find(self, sent: Sent) -> Reply | None:
        try:
            status, answer = self.get(sent.key)
        except (outbound.AddressRefused, outbound.NoAnswer) as error:
            return InDoubt(f"could not be asked: {error}")
        if status == 404:
            return None
        if status != 200:
            return InDoubt(f"could not be asked: answer {status}")
        if answer.get("payload_digest") not in (None, sent.payload_digest):
            return Refused("the outside has this key with other content")
        return Confirmed(storable(str(answer.get("ref", "")))[:200])

    def post(self, kind: str, key: str, business_key: str, payload: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """(status, JSON object, empty unless it went well)."""
        body = json.dumps({"kind": kind, "business_key": business_key, "payload": payload}).encode()
        url = f"{self.base_url}/effects/{kind}"
        return _plain(outbound.call("POST", url, headers={**JSON, "Idempotency-Key": key}, body=body))

    def get(self, key: str) -> tuple[int, dict[str, Any]]:
        return _plain(outbound.call("GET", f"{self.base_url}/effects/{key}", headers={}))


def _plain(answer: outbound.Answer) -> tuple[int, dict[str, Any]]:
    return answer.status, answer.json() if answer.status < 300 and answer.body else {}
