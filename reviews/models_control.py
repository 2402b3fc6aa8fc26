"""A case with a known answer, planted among the real ones: what is right, who planted it, and what became of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7
from orchestrator.models import Run


class ControlCase(models.Model):
    """Its run has `control` set, and so has every round of it. Until it is answered it looks like any other."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        CAUGHT = "caught", _("caught")
        MISSED = "missed", _("missed")
        UNASKED = "unasked", _("passed without a person")
        WITHDRAWN = "withdrawn", _("withdrawn")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.OneToOneField(Run, models.PROTECT, related_name="control_case")
    verdicts = models.JSONField(help_text=_("The answers that are right: approve, reject, reroute."))
    corrections = models.JSONField(
        default=dict, blank=True, help_text=_('What a right approval corrects: {"JSON pointer into the case": value}.')
    )
    why = models.TextField(max_length=1000, help_text=_("Why that is right: told to whoever has answered."))
    planted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    planted_at = models.DateTimeField(db_default=Now())
    withdrawn_at = models.DateTimeField(null=True, editable=False)
    review = models.ForeignKey("reviews.Review", models.PROTECT, null=True, editable=False, related_name="+")
    approval = models.OneToOneField("reviews.Approval", models.PROTECT, null=True, editable=False, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+")
    caught = models.BooleanField(null=True, editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-planted_at"]
        permissions = [("stand_in", _("Stands as who handed in control cases"))]
        constraints = [
            models.CheckConstraint(
                condition=Q(answered_at=None, caught=None, person=None)
                | Q(answered_at__isnull=False, caught__isnull=False, person__isnull=False),
                name="control_case_answered_whole",
            )
        ]
        indexes = [models.Index(fields=["id"], name="control_case_waits", condition=Q(answered_at__isnull=True))]

    def __str__(self) -> str:
        return self.run.subject or str(self.run)

    @property
    def state(self) -> "ControlCase.State":
        if self.answered_at is not None:
            return self.State.CAUGHT if self.caught else self.State.MISSED
        if self.withdrawn_at is not None:
            return self.State.WITHDRAWN
        return self.State.UNASKED if self.run.ended_at is not None else self.State.WAITING
