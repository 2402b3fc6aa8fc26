"""The request as pages and the API meet it: `login_required` or a token has put a person there."""

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class Request(HttpRequest):
    """For annotations alone: nobody makes one."""

    user: User
    htmx: HtmxDetails
    toast: Any
