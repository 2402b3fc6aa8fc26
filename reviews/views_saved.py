"""Views that a person has given a name."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from orchestrator.http import Request

from .errors import Invalid
from .models import SavedView
from .preferences import delete_view, rename_view, save_view
from .views_queue import refused


@login_required
@require_POST
def save(request: Request) -> HttpResponse:
    try:
        view = save_view(actor=request.user, name=request.POST.get("name", ""), query=request.POST.get("query", ""))
    except Invalid as error:
        return refused(request, gettext("The view was not saved"), str(error), error.status)
    messages.success(request, gettext("Saved as “%(view_name)s”.") % {"view_name": view.name})
    return redirect(f"{reverse('queue')}?{view.query}")


@login_required
@require_POST
def rename(request: Request, pk: int) -> HttpResponse:
    view = get_object_or_404(SavedView, pk=pk, user=request.user)
    try:
        rename_view(actor=request.user, view=view, name=request.POST.get("name", ""))
    except Invalid as error:
        return refused(request, gettext("The view keeps its name"), str(error), error.status)
    return redirect(f"{reverse('queue')}?{view.query}")


@login_required
@require_POST
def delete(request: Request, pk: int) -> HttpResponse:
    view = get_object_or_404(SavedView, pk=pk, user=request.user)
    delete_view(actor=request.user, view=view)
    messages.success(request, gettext("“%(view_name)s” is no longer saved.") % {"view_name": view.name})
    return redirect("queue")
