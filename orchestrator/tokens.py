"""Bearer tokens: made, looked up, taken back. Only a token's SHA-256 is ever stored."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models.functions import Now

from audit.log import Actor, database_now, record

from .models import ApiToken

DAYS = 90
MAX_DAYS = 366


@transaction.atomic
def issue_token(*, user: AbstractBaseUser, days: int = DAYS, actor: Actor) -> tuple[str, ApiToken]:
    """A new token: (the secret, which is shown once and stored nowhere; the row). ValueError for other days than
    1 to 366."""
    if not 1 <= days <= MAX_DAYS:
        raise ValueError(f"days: {days}; expected 1 to {MAX_DAYS}")
    secret, now = ApiToken.new_secret(), database_now()
    token = ApiToken.objects.create(
        digest=ApiToken.digest_of(secret), user=user, created_at=now, expires_at=now + timedelta(days=days)
    )
    _told("token.created", token, actor, expires_at=token.expires_at)
    return secret, token


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: Actor) -> bool:
    """Ends a token at once. False: it had been revoked before."""
    revoked = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=Now())
    if revoked:
        _told("token.revoked", token, actor)
    return bool(revoked)


def user_of(secret: str) -> Any:
    """The account a token speaks for; None for one that is unknown, expired or revoked, or an account switched off."""
    live = ApiToken.objects.filter(revoked_at=None, expires_at__gt=Now(), user__is_active=True)
    token = live.select_related("user").filter(digest=ApiToken.digest_of(secret)).first()
    return token.user if token else None


def _told(kind: str, token: ApiToken, actor: Actor, **data: object) -> None:
    record(kind, subject=("token", token.digest[:16]), actor=actor, data={"user": str(token.user_id), **data})
