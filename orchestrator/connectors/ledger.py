"""The built-in demo ledger as a connector: class K, in this database."""

from datetime import timedelta

from django.db import IntegrityError, transaction

from orchestrator.models import LedgerEntry

from .base import Confirmed, Refused, Reply, Sent


class LedgerConnector:
    name = "ledger"
    klass = "K"
    retention = timedelta(days=3650)  # entries are never removed
    settle_window = timedelta(0)
    max_in_flight = 1000

    def send(self, sent: Sent) -> Reply:
        """Books once per key; the same key with other bytes is refused."""
        values = {
            "kind": sent.kind,
            "business_key": sent.business_key,
            "payload": sent.payload,
            "payload_digest": sent.payload_digest,
        }
        try:
            with transaction.atomic():
                return Confirmed(LedgerEntry.objects.create(key=sent.key, **values).ref)
        except IntegrityError:
            return self.find(sent) or Refused("the ledger did not take the entry")

    def find(self, sent: Sent) -> Reply | None:
        entry = LedgerEntry.objects.filter(key=sent.key).first()
        if entry is None:
            return None
        if entry.payload_digest != sent.payload_digest:
            return Refused("the ledger has this key with other content")
        return Confirmed(entry.ref)
