"""Who can sign in: people. An agent's account is there to hold permissions, whatever password it was given."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest


class PeopleBackend(ModelBackend):
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **further: Any
    ) -> Any:
        from .permissions import is_agent  # the apps are not ready when settings name this module

        user = super().authenticate(request, username, password, **further)
        return None if user is not None and is_agent(user) else user
