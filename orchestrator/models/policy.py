"""Policies: editable rules, and the immutable versions that are in force."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7

from .handed_over import HandedOver


class Policy(HandedOver):
    """A policy set: rules over the facts of a case. What is edited here is a draft until it is published."""

    class Route(models.TextChoices):
        CONTINUE = "continue", _("continue")
        REVIEW = "review", _("ask a person")
        ESCALATE = "escalate", _("escalate now")
        REROUTE = "reroute", _("send elsewhere now")
        PAUSE = "pause", _("pause everything and escalate")
        REJECT = "reject", _("reject now")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    vocabulary = models.JSONField(default=dict, help_text=_("The facts rules may use: name to type."))
    otherwise = models.CharField(
        max_length=10, choices=Route, default=Route.REVIEW, help_text=_("What happens when no rule fires.")
    )
    sample_percent = models.DecimalField(
        max_digits=5, decimal_places=2, default=0, help_text=_("Share of runs drawn for the quality sample, 0 to 100.")
    )
    current = models.ForeignKey(
        "PolicyVersion", models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["title"]
        verbose_name_plural = "policies"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(sample_percent__gte=0, sample_percent__lte=100), name="sample_is_a_percentage"
            )
        ]

    def __str__(self) -> str:
        return self.title


class PolicyRule(models.Model):
    """One rule of the draft. `condition` is CEL over the policy's facts; amounts are written as 50,000.00."""

    policy = models.ForeignKey(Policy, models.CASCADE, related_name="rules")
    position = models.PositiveIntegerField(default=0)
    name = models.SlugField(max_length=60)
    condition = models.TextField()
    route = models.CharField(max_length=10, choices=Policy.Route, default=Policy.Route.REVIEW)
    level = models.ForeignKey(
        "auth.Group",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("This group must approve as well, after the queue's own reviewers."),
    )
    target = models.CharField(
        max_length=120, blank=True, help_text=_("queue:NAME or step:NAME, for escalate, pause and reroute.")
    )
    reason = models.CharField(max_length=300, help_text=_("What the reviewer reads. {fact} shows the value."))

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["policy", "name"], name="rule_name_once")]

    def __str__(self) -> str:
        return self.name


class PolicyVersion(models.Model):
    """An immutable published policy set; a run is pinned to the one in force when it started."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    policy = models.ForeignKey(Policy, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    sample_percent = models.DecimalField(max_digits=5, decimal_places=2, default=0)
    digest = models.CharField(max_length=64)
    published_at = models.DateTimeField(db_default=Now())
    authored_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["policy", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "number"], name="policy_number_once"),
            models.CheckConstraint(
                condition=~models.Q(published_by=models.F("authored_by")), name="published_by_a_second_person"
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(name)s, version %(number)s") % {"name": self.policy.name, "number": self.number}
