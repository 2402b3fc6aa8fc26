"""Selected cases: a page that shows them and asks what it needs to know, then the act, then how it went with each."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from audit.ids import uuid7
from orchestrator.http import Request
from orchestrator.words import later as _

from . import bulk, services, toast
from .errors import Invalid, NotAllowed
from .forms import BulkForm
from .inbox import Wanted
from .toast import Toast
from .views_queue import queue_url, refused
from .why import worst_look

WORDS = {
    "approve": ("Approve", "approved"),
    "reroute": (_("Reroute"), _("sent to another team")),
    "delegate": (_("Delegate"), _("handed over")),
    "ask": (_("Ask about"), _("asked about")),
    "snooze": (_("Snooze"), _("put aside")),
}


@login_required
@require_POST
@never_cache
def choose(request: Request) -> HttpResponse:
    """Nothing is done yet. The cases shown here count as looked at: they are what the answer will be bound to."""
    act = request.POST.get("act", "")
    try:
        picks = bulk.picked(request.user, request.POST.getlist("case"))
    except Invalid as error:
        return refused(request, gettext("Nothing was selected"), str(error), error.status)
    if act not in WORDS:
        return refused(
            request,
            gettext("Nothing was done"),
            gettext("act: %(value)r; expected one of %(words)s") % {"value": act[:20], "words": ", ".join(WORDS)},
            422,
        )
    for pick in picks:
        look(request, pick)
    return ask(request, act, picks, BulkForm(act, picks, request.user))


def look(request: Request, pick: bulk.Pick) -> None:
    try:
        if pick.review is not None:
            services.view(review=pick.review, actor=request.user)
    except NotAllowed:
        return  # what they may see and do is said when it is done


def ask(request: Request, act: str, picks: list[bulk.Pick], form: BulkForm, status: int = 200) -> HttpResponse:
    for pick in picks:
        if pick.review is not None:
            pick.review.tone, pick.review.icon = worst_look(pick.review.reasons)  # type: ignore[attr-defined]
    context = {
        "act": act,
        "verb": WORDS[act][0],
        "picks": picks,
        "form": form,
        "batch": request.POST.get("batch") or uuid7(),
        "obstacles": bulk.obstacles(picks) if act == "approve" else [],
        "wanted": Wanted.of(request.GET),
    }
    return render(request, "queue/bulk.html", context, status=status)


@login_required
@require_POST
def act(request: Request) -> HttpResponse:
    wanted, name = Wanted.of(request.GET), request.POST.get("act", "")
    try:
        batch = UUID(request.POST.get("batch", ""))
        picks = bulk.picked(request.user, request.POST.getlist("case"))
    except Invalid as error:
        return refused(request, gettext("Nothing was done"), str(error), error.status)
    except ValueError:
        return refused(
            request, gettext("Nothing was done"), gettext("batch: expected the id that the page gave it"), 422
        )
    if name not in WORDS:
        return refused(
            request,
            gettext("Nothing was done"),
            gettext("act: %(value)r; expected one of %(words)s") % {"value": name[:20], "words": ", ".join(WORDS)},
            422,
        )
    form = BulkForm(name, picks, request.user, request.POST)
    if not form.is_valid():
        return ask(request, name, picks, form, 422)
    try:
        outcomes = bulk.act_on(picks=picks, actor=request.user, batch=batch, given=form.given)
    except Invalid as error:
        form.add_error(None, str(error))
        return ask(request, name, picks, form, 422)
    return report(request, wanted, outcomes, WORDS[name][1], batch)


def report(request: Request, wanted: Wanted, outcomes: Any, past: str, batch: UUID) -> HttpResponse:
    """Back to the list where all went well; else a page that names each case that was refused, and each that turned out
    to have been a control case."""
    done = [outcome for outcome in outcomes if not outcome.refused]
    until = max((outcome.undo_until for outcome in done if outcome.undo_until), default=None)
    what = ngettext("%(n)s case %(past)s.", "%(n)s cases %(past)s.", len(done)) % {"n": len(done), "past": past}
    if until:
        toast.leave(request, Toast(what, datetime.fromisoformat(until), batch=str(batch)))
    elif done:
        messages.success(request, what)
    left = [outcome for outcome in outcomes if outcome.refused]
    told = [outcome for outcome in done if outcome.feedback]
    if not left and not told:
        return toast.sent(request, redirect(queue_url(wanted)))
    context = {"done": done, "left": left, "told": told, "total": len(outcomes), "what": what, "wanted": wanted}
    return toast.sent(request, render(request, "queue/bulk_done.html", context, status=200 if done else 409))


@login_required
@require_POST
def undo(request: Request, batch: UUID) -> HttpResponse:
    toast.leave(request, None)
    outcomes = bulk.undo_all(actor=request.user, batch=batch)
    if not outcomes:
        return refused(
            request, gettext("There is nothing to undo"), gettext("Nothing of this can be taken back any more."), 409
        )
    return report(request, Wanted(), outcomes, gettext("taken back"), batch)
