"""What happens on a case beside answering it: who reads it, who holds it, what is said and added."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from orchestrator.digests import digest
from orchestrator.http import Request

from . import services
from .answer import Answer
from .errors import Invalid, ReviewError
from .inbox import Wanted, newest_review
from .models import Review
from .permissions import allowed
from .presence import Beat
from .views_case import keep, make_page, refused, render_case
from .views_queue import case_url


@login_required
@require_POST
def beat(request: Request, task: UUID) -> HttpResponse:
    """Every half minute from an open page; 204 while there is nothing new to say."""
    review, said = newest_review(request.user, task), Beat.of(request.POST)
    heard = services.beat(review=review, actor=request.user, said=said)
    key = digest([str(heard), str(review.claimed_until), review.claimed_by_id])[:16]
    if key == request.POST.get("said") and not said.ahead:
        return HttpResponse(status=204)
    page = make_page(request, review, Answer(), allowed(request.user, review))
    return render(request, "cases/_heard.html", {"case": page, "heard": heard, "said": key, "digest": said.digest})


@login_required
@require_POST
def take_over(request: Request, task: UUID) -> HttpResponse:
    return done_or_refused(request, newest_review(request.user, task), services.ask_to_take_over)


@login_required
@require_POST
def hand_over(request: Request, task: UUID) -> HttpResponse:
    return done_or_refused(request, newest_review(request.user, task), services.hand_over)


@login_required
@require_POST
def reopen(request: Request, task: UUID) -> HttpResponse:
    """Asks whoever answered first to take the answer back."""
    review = newest_review(request.user, task)
    response = done_or_refused(request, review, services.ask_to_reopen)
    if response.status_code == 302:
        messages.success(request, gettext("They were asked to look again."))
    return response


def done_or_refused(request: Request, review: Review, act: Any) -> HttpResponse:
    try:
        act(review_id=review.pk, actor=request.user)
    except ReviewError as error:
        return refused(request, review, Answer(), error)
    return redirect(case_url(review, Wanted.of(request.GET)))


@login_required
@require_POST
def recommendation(request: Request, task: UUID) -> HttpResponse:
    """Opens the agent's view before a choice, where the policy lets people ask for it; that is recorded."""
    review, answer = newest_review(request.user, task), Answer.of(request.POST.dict())
    verdicts = allowed(request.user, review)
    if verdicts:
        keep(request, review, answer)
        services.reveal(review_id=review.pk, actor=request.user, choice=answer.verdict)
    if not request.htmx:
        return redirect(case_url(review, Wanted.of(request.GET)))
    page = make_page(request, review, answer, verdicts)
    return render(request, "cases/_recommendation.html", {"case": page})


@login_required
@require_POST
def comment(request: Request, task: UUID) -> HttpResponse:
    review, text = newest_review(request.user, task), request.POST.get("text", "")
    try:
        services.comment(review_id=review.pk, actor=request.user, text=text)
    except Invalid as error:
        page = make_page(request, review, Answer(), allowed(request.user, review))
        return render_case(request, page, 422, talk_error=str(error), talk_text=text)
    except ReviewError as error:
        return refused(request, review, Answer(), error)
    return redirect(f"{case_url(review, Wanted.of(request.GET))}#talk")


@login_required
@require_POST
def attach(request: Request, task: UUID) -> HttpResponse:
    review, file = newest_review(request.user, task), request.FILES.get("file")
    try:
        if file is None:
            raise Invalid([("file", gettext("file: is missing; choose a document"))])
        document = services.attach(review_id=review.pk, actor=request.user, data=file.read(), name=file.name)
    except Invalid as error:
        page = make_page(request, review, Answer(), allowed(request.user, review))
        return render_case(request, page, 422, file_error=str(error))
    except ReviewError as error:
        return refused(request, review, Answer(), error)
    messages.success(request, gettext("%(document_name)s was added.") % {"document_name": document.name})
    return redirect(case_url(review, Wanted.of(request.GET)))
