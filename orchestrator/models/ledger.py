"""The built-in demo ledger: what stands in for an ERP where none is configured."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class LedgerEntry(models.Model):
    """One booked effect. It keeps its own journal, as an outside system would, and refuses a second of the same key."""

    key = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=80)
    business_key = models.CharField(max_length=250, blank=True)
    payload = models.JSONField()
    payload_digest = models.CharField(max_length=64)
    booked_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "ledger entries"
        ordering = ["-booked_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.business_key}"

    @property
    def ref(self) -> str:
        return f"L-{self.pk:08d}"


class Connector(models.Model):
    """A way by which effects reach the outside. Which authors may put its effects into definitions hangs here."""

    name = models.SlugField(max_length=40, unique=True)

    class Meta:
        ordering = ["name"]
        permissions = [("use_connector", _("Can put effects of this connector into workflows"))]

    def __str__(self) -> str:
        return self.name


class ConnectorCheck(models.Model):
    """What the conformance test found at an address: the class its effects have from then on."""

    base_url = models.CharField(max_length=300)
    klass = models.CharField(max_length=1)
    detail = models.JSONField(default=list)
    checked_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-checked_at"]

    def __str__(self) -> str:
        return f"{self.base_url}: class {self.klass}"
