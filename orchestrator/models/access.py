"""API tokens."""

import hashlib
import secrets

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext


class ApiToken(models.Model):
    """A bearer token. Only its SHA-256 is kept: the token itself is shown once."""

    digest = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="api_tokens")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return gettext("token of %(user)s until %(day)s") % {"user": self.user, "day": f"{self.expires_at:%Y-%m-%d}"}

    @staticmethod
    def new_secret() -> str:
        return "cs_" + secrets.token_urlsafe(32)

    @staticmethod
    def digest_of(secret: str) -> str:
        return hashlib.sha256(secret.encode()).hexdigest()
