"""The append-only record. Guard triggers (migration 0002) refuse to change or remove an event."""

from django.db import models
from django.urls import reverse

from .ids import uuid7
from .kinds import KINDS


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


class Pending(models.Model):
    """An event that has no place in the tree yet. No foreign key: it would cost a lookup per event and guard nothing."""

    event_id = models.UUIDField(primary_key=True)

    def __str__(self) -> str:
        return str(self.event_id)
