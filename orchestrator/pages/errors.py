"""Refusals as pages: what was not done, why, and where to go on."""

import logging
from collections.abc import Callable

from django import forms
from django.db import InternalError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext

from orchestrator.services import InputInvalid, ServiceError

logger = logging.getLogger(__name__)


class TryAgain:
    """Middleware: a database that is away, or a row that somebody holds too long, is a 503 that says so. Nothing was
    recorded; the page asks the database for nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]):
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, (OperationalError, InternalError)):  # the latter: ended while this process was frozen
            return None
        logger.warning("%s %s: the database did not answer in time (%s)", request.method, request.path, error)
        page = render_to_string("503.html", {"asked": request.method == "GET", "path": request.get_full_path()})
        return HttpResponse(page, status=503, headers={"Retry-After": "5"})


def explain(form: forms.Form, wrong: InputInvalid) -> None:
    """A service's objections at the fields they name; what names none stands over the form."""
    for name, message in wrong.errors:
        known = name.split(".")[0]
        form.add_error(known if known in form.fields else None, message)


def conflict(request: HttpRequest, late: Exception, back: str) -> HttpResponse:
    """409: somebody or something else was first."""
    return render(
        request, "refused.html", {"title": gettext("Nothing was changed"), "why": str(late), "back": back}, status=409
    )


def forbidden(request: HttpRequest, why: str) -> HttpResponse:
    return render(
        request, "refused.html", {"title": gettext("You may not do that"), "why": why, "back": "/queue/"}, status=403
    )


def refused(request: HttpRequest, error: ServiceError, back: str, status: int = 422) -> HttpResponse:
    return render(
        request, "refused.html", {"title": gettext("That was not done"), "why": str(error), "back": back}, status=status
    )
