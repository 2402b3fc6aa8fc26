"""Putting a case aside and taking it back."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from audit.ids import uuid7
from orchestrator.http import Request

from . import services, toast
from .errors import ReviewError
from .forms import SnoozeForm
from .inbox import Wanted, newest_review
from .snoozing import kept_as
from .toast import Toast
from .views_queue import case_url, queue_url


@login_required
@require_POST
def snooze(request: Request, task: UUID) -> HttpResponse:
    """`until` names one of the times offered; `at` with a date and time of one's own."""
    review, form = newest_review(request.user, task), SnoozeForm(request.POST)
    if not form.is_valid():
        return refused(request, review.title, [words for errors in form.errors.values() for words in errors], 422)
    nonce = f"page:{uuid7()}"
    try:
        put_aside = services.snooze(review_id=review.pk, actor=request.user, until=form.time, nonce=nonce)
    except ReviewError as error:
        return refused(request, review.title, [str(error)], error.status)
    until = timezone.localtime(put_aside.snoozed_until)
    what = gettext("%(value)s: put aside until %(until)s.") % {
        "value": review.number or review.title,
        "until": date_format(until, "SHORT_DATETIME_FORMAT"),
    }
    if kept := kept_as(nonce):
        toast.leave(request, Toast(what, kept.until, decision=str(kept.pk)))
    else:
        messages.success(request, what)
    return toast.sent(request, redirect(queue_url(Wanted.of(request.GET))))


@login_required
@require_POST
def wake(request: Request, task: UUID) -> HttpResponse:
    review = newest_review(request.user, task)
    try:
        services.wake(review_id=review.pk, actor=request.user)
    except ReviewError as error:
        return refused(request, review.title, [str(error)], error.status)
    messages.success(request, gettext("%(value)s: back in the queue.") % {"value": review.number or review.title})
    return redirect(case_url(review, Wanted.of(request.GET)))


def refused(request: Request, title: str, why: list[str], status: int) -> HttpResponse:
    context = {
        "title": gettext("Nothing was changed: %(title)s") % {"title": title},
        "why": " ".join(why),
        "back": "/queue/",
    }
    return render(request, "refused.html", context, status=status)
