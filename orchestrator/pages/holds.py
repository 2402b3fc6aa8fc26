"""The hold switch: operators stop effects at once, with a reason, and let them go on."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from orchestrator import services
from orchestrator.forms import HoldForm
from orchestrator.http import Request
from orchestrator.models import Hold
from orchestrator.permissions import may
from orchestrator.words import later as _

from .errors import conflict, explain, forbidden

EARLIER = 20
ONLY_OPERATORS = _("Effects are stopped and released by operators.")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def holds(request: Request) -> HttpResponse:
    if not may(request.user, "pull", Hold()):
        return forbidden(request, ONLY_OPERATORS)
    form = HoldForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            services.pull_hold(actor=request.user, **form.cleaned_data)
            return redirect("holds")
        except services.InputInvalid as wrong:
            explain(form, wrong)
        except services.Conflict as late:
            return conflict(request, late, reverse("holds"))
    earlier = Hold.objects.exclude(released_at=None).select_related("pulled_by", "released_by")
    context = {"form": form, "earlier": earlier.order_by("-released_at")[:EARLIER]}
    return render(request, "holds/holds.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def release(request: Request, pk: UUID) -> HttpResponse:
    if not may(request.user, "release", Hold()):
        return forbidden(request, ONLY_OPERATORS)
    try:
        services.release_hold(hold_id=pk, actor=request.user)
    except services.SecondPersonNeeded as alone:
        return forbidden(request, f"{alone}.")
    except services.Conflict as late:
        return conflict(request, late, reverse("holds"))
    return redirect("holds")
