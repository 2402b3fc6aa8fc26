"""What one person writes and another puts in force."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class HandedOver(models.Model):
    """A draft, and who handed it over exactly as it stood: nobody puts in force alone what they wrote."""

    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        help_text=_("Who handed the draft over to be published."),
    )
    proposed_digest = models.CharField(max_length=64, blank=True, editable=False, help_text=_("The draft handed over."))

    class Meta:
        abstract = True
