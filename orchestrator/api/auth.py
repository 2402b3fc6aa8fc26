"""Who calls: bearer tokens alone. No session and no cookie counts here, so nothing can be forged across sites."""

from typing import Any

from django.http import HttpRequest
from ninja.security import HttpBearer

from orchestrator import tokens


class Bearer(HttpBearer):
    """`Authorization: Bearer TOKEN` (RFC 6750). The account becomes `request.user`, and nothing else can."""

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        user = tokens.user_of(token)
        if user is not None:
            request.user = user
        return user
