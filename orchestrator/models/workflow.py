"""What may run: workflows with their published versions, data sources, agents' accounts."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7

from .handed_over import HandedOver


class Workflow(HandedOver):
    """A named process. What it does stands in its versions; `current` is the one new runs are pinned to."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    is_active = models.BooleanField(default=True, help_text=_("Off: no new run can be started."))
    current = models.ForeignKey(
        "WorkflowVersion", models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    draft = models.TextField(blank=True, editable=False, help_text=_("The YAML that was handed over last."))

    class Meta:
        ordering = ["title"]
        permissions = [
            ("start_run", _("Can start runs of this workflow")),
            ("view_runs", _("Can see runs of this workflow")),
        ]

    def __str__(self) -> str:
        return self.title


class WorkflowVersion(models.Model):
    """An immutable published definition; running runs stay pinned to theirs."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workflow = models.ForeignKey(Workflow, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    source = models.TextField(help_text=_("The YAML as it was published."))
    definition = models.JSONField()
    digest = models.CharField(max_length=64)
    published_at = models.DateTimeField(db_default=Now())
    authored_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["workflow", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="version_number_once"),
            models.CheckConstraint(
                condition=~models.Q(published_by=models.F("authored_by")), name="version_published_by_a_second_person"
            ),
        ]

    def __str__(self) -> str:
        return gettext("%(name)s, version %(number)s") % {"name": self.workflow.name, "number": self.number}


class DataSource(models.Model):
    """Something an agent may be allowed to read. The grant is a guardian object permission of the agent's account."""

    class Kind(models.TextChoices):
        TABLE = "table", _("table of rows with a key")
        REGISTER = "register", _("register of what runs have entered, with how each run stands")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TABLE)
    key_field = models.CharField(max_length=60, help_text=_("The field whose value identifies a row."))

    class Meta:
        ordering = ["title"]
        permissions = [("read_source", _("Can read this source (agents and people)"))]

    def __str__(self) -> str:
        return self.title


class SourceRow(models.Model):
    """One row of a table source. `key` is the value of the source's key field."""

    source = models.ForeignKey(DataSource, models.CASCADE, related_name="rows")
    key = models.CharField(max_length=200)
    data = models.JSONField()
    digest = models.CharField(max_length=64)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["source", "key"]
        constraints = [models.UniqueConstraint(fields=["source", "key"], name="source_key_once")]

    def __str__(self) -> str:
        return f"{self.source_id}: {self.key}"


class ControlEntry(models.Model):
    """What a control case would have entered into a register. Its own run reads it there, and no other does."""

    source = models.ForeignKey(DataSource, models.CASCADE, related_name="+")
    key = models.CharField(max_length=200, help_text=_("The id of its run."))
    data = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "key"], name="control_entry_once")]

    def __str__(self) -> str:
        return f"{self.source_id}: {self.key}"


class AgentAccount(models.Model):
    """The account an agent acts under. What it may read hangs on the user, like a person's permissions."""

    agent = models.CharField(max_length=80, unique=True)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.PROTECT, related_name="agent_account")

    def __str__(self) -> str:
        return self.agent


class ExchangeRate(models.Model):
    """Units of BASE_CURRENCY for one unit of `currency`, from a day on."""

    currency = models.CharField(max_length=3)
    rate = models.DecimalField(max_digits=18, decimal_places=8)
    valid_from = models.DateField()

    class Meta:
        ordering = ["currency", "-valid_from"]
        constraints = [
            models.UniqueConstraint(fields=["currency", "valid_from"], name="one_rate_a_day"),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="rate_is_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.rate} ({self.valid_from})"
