"""Pages about the desk itself: how a person likes to work, how it is going, the shortcuts."""

from itertools import groupby

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orchestrator.http import Request
from orchestrator.pages.language import CHOSEN, language_for
from orchestrator.pages.paging import newest_first

from .forms import KeysForm, PreferenceForm
from .keys import bindings
from .notices import for_telling, mark_read, tell
from .preferences import save_preference
from .templatetags.desk import reader_of


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def me(request: Request) -> HttpResponse:
    liked = reader_of(request).liked
    posted = request.POST if request.method == "POST" else None
    form, moved = PreferenceForm(posted, instance=liked), KeysForm(posted, chosen=liked.keymap, prefix="key")
    if posted is not None and form.is_valid() and moved.is_valid():
        save_preference(actor=request.user, keymap=moved.cleaned_data, **form.cleaned_data)
        request.session[CHOSEN] = form.cleaned_data.get("language", "")
        with translation.override(language_for(request)):
            messages.success(request, _("Saved."))
        return redirect("me")
    return render(request, "me/me.html", {"form": form, "keys": moved}, status=422 if posted is not None else 200)


@login_required
@require_safe
def notices(request: Request) -> HttpResponse:
    """What the reader was told, the newest first. Following one leads to its page; reading it there is not asked."""
    page = newest_first(for_telling(request.user.notices.all()), "at", request.GET.get("cursor", ""))
    return render(request, "notices/notices.html", {"told": tell(page.rows), "next": page.next})


@login_required
@require_POST
def read_notices(request: Request) -> HttpResponse:
    mark_read(actor=request.user)
    return redirect("notices")


@login_required
@require_safe
def keys(request: Request) -> HttpResponse:
    liked = reader_of(request).liked
    pages = [(page, list(found)) for page, found in groupby(bindings(liked.keymap), key=lambda one: one.key.page)]
    return render(request, "help/keys.html", {"single_keys": liked.single_keys, "pages": pages})
