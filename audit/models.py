"""The append-only record. Guard triggers (migration 0002) refuse to change or remove an event."""

import hashlib
import json
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Concat
from django.urls import reverse

from .filters import Filters
from .ids import uuid7
from .kinds import KINDS
from .scopes import Scopes


def actor_ids(text: str) -> list[str]:
    """The ids an actor may be meant by: the text itself, and the accounts of that user name or full name."""
    full_name = Concat("first_name", Value(" "), "last_name")
    people = get_user_model().objects.annotate(full=full_name).filter(Q(username=text) | Q(full=text))
    return [text, *map(str, people.values_list("pk", flat=True))]


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, scopes: Scopes) -> Self:
        """What may be seen. Absence of a scope means no."""
        rows = self.exclude(subject_id__in=scopes.withheld) if scopes.withheld else self
        if scopes.everything:
            return rows
        seen = Q(queue__in=scopes.queues) & ~Q(queue="") | Q(queue="", workflow__in=scopes.workflows) & ~Q(workflow="")
        if scopes.hidden:
            seen &= ~Q(subject_id__in=scopes.hidden)
        if scopes.actor_id:
            seen |= Q(actor_kind="person", actor_id=scopes.actor_id)
        return rows.filter(seen)

    def matching(self, filters: Filters) -> Self:
        events = self
        if filters.kinds:
            events = events.filter(kind__in=filters.kinds)
        if filters.actor:
            events = events.filter(actor_id__in=actor_ids(filters.actor))
        if filters.runs:
            events = events.filter(run__in=filters.runs)
        if filters.workflow:
            events = events.filter(workflow=filters.workflow)
        if filters.queue:
            events = events.filter(queue=filters.queue)
        if filters.since:
            events = events.filter(at__gte=filters.since)
        if filters.until:
            events = events.filter(at__lt=filters.until)
        return events.about(filters.q) if filters.q else events

    def about(self, text: str) -> Self:
        """Events of the subject or run with this id, or the event itself."""
        same = Q(subject_id=text) | Q(run=text)
        try:
            return self.filter(same | Q(pk=UUID(text)))
        except ValueError:
            return self.filter(same)

    def before(self, at: datetime, key: UUID) -> Self:
        """Older than this place. The first condition is what an index can start from."""
        return self.filter(Q(at__lte=at) & (Q(at__lt=at) | Q(id__lt=key)))

    def after(self, at: datetime, key: UUID) -> Self:
        return self.filter(Q(at__gte=at) & (Q(at__gt=at) | Q(id__gt=key))).oldest_first()

    def oldest_first(self) -> Self:
        return self.order_by("at", "id")


class Event(models.Model):
    """One thing that happened. `body` is the record itself; the columns repeat what the pages search for."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    at = models.DateTimeField()  # the database's clock, whole milliseconds
    kind = models.CharField(max_length=40)
    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=200)
    run = models.CharField(max_length=36, blank=True)
    workflow = models.CharField(max_length=80, blank=True)
    queue = models.CharField(max_length=80, blank=True)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=150, blank=True)
    # A name is personal data: it stays beside the record, never in it, so that the record need not be erased with it.
    actor_label = models.CharField(max_length=200, blank=True)
    body = models.BinaryField()  # canonical JSON, the exact bytes that are hashed later

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["at", "id"], name="audit_event_at"),
            models.Index(fields=["run", "at"], name="audit_event_run"),
            models.Index(fields=["kind", "at"], name="audit_event_kind"),
            models.Index(fields=["subject_id"], name="audit_event_subject"),
            models.Index(fields=["workflow", "at"], name="audit_event_workflow"),
            models.Index(fields=["queue", "at"], name="audit_event_queue"),
            models.Index(fields=["actor_id", "at"], name="audit_event_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject_type} {self.subject_id}"

    def get_absolute_url(self) -> str:
        return reverse("audit:record", args=[self.pk])

    @property
    def title(self) -> str:
        return KINDS.get(self.kind, self.kind)

    @property
    def data(self) -> Any:
        """What the event says beyond who, what and when."""
        return json.loads(bytes(self.body))["data"]

    @property
    def text(self) -> str:
        """The canonical bytes as people can read them."""
        return bytes(self.body).decode()

    @property
    def digest(self) -> str:
        """SHA-256 of the record, 64 hexadecimal digits."""
        return hashlib.sha256(self.body).hexdigest()


class Pending(models.Model):
    """An event without a place in the tree yet. No foreign key: a lookup per event would guard nothing."""

    event_id = models.UUIDField(primary_key=True)

    def __str__(self) -> str:
        return str(self.event_id)
