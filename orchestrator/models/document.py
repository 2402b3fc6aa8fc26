"""Content-addressed documents and what was rendered from them."""

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7


class Document(models.Model):
    """One upload. Its bytes lie under their SHA-256 in DOCUMENT_DIR; knowing the digest gives no access."""

    class State(models.TextChoices):
        STORED = "stored", _("stored")
        QUARANTINED = "quarantined", _("quarantined")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sha256 = models.CharField(max_length=64, db_index=True)
    name = models.CharField(max_length=255, help_text=_("As the sender named it: shown, never used as a path."))
    media_type = models.CharField(max_length=100, help_text=_("By content, not by name."))
    size = models.PositiveBigIntegerField(help_text=_("Bytes."))
    pages = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=12, choices=State, default=State.STORED)
    reason = models.CharField(max_length=300, blank=True, help_text=_("Why it is in quarantine."))
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["uploaded_by", "uploaded_at"], name="document_quota")]

    def __str__(self) -> str:
        return self.name


class DocumentPage(models.Model):
    """The text of one page, with a box for every word; kept once for the same content."""

    sha256 = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    width = models.FloatField(default=0)
    height = models.FloatField(default=0)
    text = models.TextField(blank=True)
    words = models.JSONField(default=list, help_text=_("[[text, x0, y0, x1, y1], …], fractions of the page."))

    class Meta:
        ordering = ["sha256", "number"]
        constraints = [models.UniqueConstraint(fields=["sha256", "number"], name="page_once")]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} page {self.number}"
