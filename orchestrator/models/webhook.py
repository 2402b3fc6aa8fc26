"""Webhooks (Standard Webhooks): signed events that come in, and those that go out."""

import base64
import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7

from .handed_over import HandedOver
from .run import Run, Wait
from .workflow import Workflow


def new_secret() -> str:
    """A signing secret as Standard Webhooks writes it: whsec_ and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Connection(HandedOver):
    """A way between us and others. What one person writes stands still until another has put it in force."""

    is_active = models.BooleanField(default=True)
    put_in_force_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        abstract = True


ALONE = Q(is_active=True, proposed_by=models.F("put_in_force_by"))


class Hook(Connection):
    """An address under /hooks/ where a signed event may come in. It wakes the runs that wait for an event of its name,
    and starts a run where a workflow is named."""

    name = models.SlugField(max_length=100, unique=True)
    secret = models.CharField(max_length=100, default=new_secret)
    correlation = models.CharField(
        max_length=100, default="subject", help_text=_("Path in the body to the value that tells runs apart.")
    )
    workflow = models.ForeignKey(Workflow, models.PROTECT, null=True, blank=True, related_name="hooks")
    runs_as = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("Who starts the run."),
    )
    input = models.JSONField(default=dict, blank=True, help_text=_("Input field of the workflow: path in the body."))

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(workflow__isnull=True) | Q(runs_as__isnull=False), name="hook_runs_as_somebody"
            ),
            models.CheckConstraint(condition=~ALONE, name="hook_put_in_force_by_a_second_person"),
        ]

    def __str__(self) -> str:
        return self.name


class HookDelivery(models.Model):
    """One event that came in. Its id is kept, so that the same message is not taken twice."""

    hook = models.ForeignKey(Hook, models.PROTECT, related_name="deliveries")
    webhook_id = models.CharField(max_length=120)
    correlation = models.CharField(max_length=200, blank=True)
    body = models.JSONField()
    received_at = models.DateTimeField(db_default=Now())
    wait = models.ForeignKey(Wait, models.PROTECT, null=True, related_name="+", help_text=_("What it woke."))
    run = models.ForeignKey(Run, models.PROTECT, null=True, related_name="+", help_text=_("What it started."))

    class Meta:
        ordering = ["-received_at"]
        verbose_name_plural = "hook deliveries"
        constraints = [models.UniqueConstraint(fields=["hook", "webhook_id"], name="webhook_taken_once")]
        indexes = [models.Index(fields=["hook", "correlation"], name="hook_unmatched", condition=Q(wait__isnull=True))]

    def __str__(self) -> str:
        return f"{self.hook_id}: {self.webhook_id}"


class WebhookEndpoint(Connection):
    """Where events of runs and reviews are sent."""

    name = models.SlugField(max_length=60, unique=True)
    url = models.URLField(max_length=500)
    secret = models.CharField(max_length=100, default=new_secret)
    kinds = models.JSONField(default=list, blank=True, help_text=_('Such as ["run.", "review.approved"]; empty: all.'))
    read_until = models.DateTimeField(db_default=Now(), help_text=_("Events up to here were looked at."))

    class Meta:
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~ALONE, name="endpoint_put_in_force_by_a_second_person")]

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """One event on its way to one endpoint."""

    class Status(models.TextChoices):
        PENDING = "pending", _("to be sent")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("given up")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries")
    event = models.UUIDField(help_text=_("The event of the trail it tells of."))
    kind = models.CharField(max_length=60)
    body = models.TextField()
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=200, blank=True, help_text=_("What the last attempt came to."))
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="one_delivery_per_event"),
            models.CheckConstraint(
                condition=Q(next_at__isnull=True) ^ Q(status="pending"), name="pending_delivery_has_a_time"
            ),
        ]
        indexes = [models.Index(fields=["next_at"], name="webhook_due", condition=Q(next_at__isnull=False))]

    def __str__(self) -> str:
        return f"{self.kind} → {self.endpoint_id}"
