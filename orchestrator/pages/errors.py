"""Refusals as pages: what was not done, why, and where to go on."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from orchestrator.services import InputInvalid, ServiceError


def explain(form: forms.Form, wrong: InputInvalid) -> None:
    """A service's objections at the fields they name; what names none stands over the form."""
    for name, message in wrong.errors:
        known = name.split(".")[0]
        form.add_error(known if known in form.fields else None, message)


def conflict(request: HttpRequest, late: Exception, back: str) -> HttpResponse:
    """409: somebody or something else was first."""
    return render(request, "refused.html", {"title": "Nothing was changed", "why": str(late), "back": back}, status=409)


def forbidden(request: HttpRequest, why: str) -> HttpResponse:
    return render(request, "refused.html", {"title": "You may not do that", "why": why, "back": "/queue/"}, status=403)


def refused(request: HttpRequest, error: ServiceError, back: str, status: int = 422) -> HttpResponse:
    return render(
        request, "refused.html", {"title": "That was not done", "why": str(error), "back": back}, status=status
    )
