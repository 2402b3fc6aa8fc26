"""One case: reading it, keeping what was filled in, recording an answer, taking it back."""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import resolve
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseLocation, trigger_client_event

from orchestrator.http import Request
from orchestrator.models import Decision
from orchestrator.permissions import may
from orchestrator.words import later as _

from . import counts, services, toast
from .answer import Answer
from .around import look_around, neighbours
from .case_page import CasePage
from .choices import VERDICTS, choices_of
from .errors import AlreadyDecided, Conflict, Invalid, Missing, NotAllowed, ReviewError, Stale, TooLate
from .feedback import TOLD, Feedback
from .forms import SnoozeForm, TextForm
from .inbox import Sight, Wanted, newest_review, newest_round, reach_of
from .models import Approval, Draft, Review
from .packet import difference
from .past import similar
from .permissions import allowed, standing_of
from .presence import changes
from .reversing import answered_by
from .talk import can_speak
from .toast import Toast
from .views_queue import case_url, claim_first, queue_url


def make_page(request: Request, review: Review, answer: Answer, verdicts: list[str], **more: Any) -> CasePage:
    view = {name: request.GET.get(name, "")[:200].strip() for name in ("doc", "as", "find", "open")}
    return CasePage(review, request.user, verdicts, answer, Wanted.of(request.GET), view, **more)


def render_case(request: Request, page: CasePage, status: int = 200, **more: Any) -> HttpResponse:
    """The whole page; for htmx after a refused answer, its decision panel alone takes the place of the old one."""
    context = {"case": page, "text_form": TextForm(), "snooze_form": SnoozeForm(), **more}
    context["may_speak"] = bool(page.allowed) or can_speak(page.user, page.review)
    response = render(request, "cases/case.html", context, status=status)
    if status != 200 and request.htmx:
        response["HX-Retarget"] = response["HX-Reselect"] = "#decision"
        response["HX-Push-Url"] = "false"
    return response


@login_required
@require_safe
@vary_on_headers("HX-Request")
def case(request: Request, task: UUID) -> HttpResponse:
    """`X-Ahead` loads it before it is wanted: recorded as that, and as looked at only once the page shows it."""
    review, ahead = newest_round(task, drafts_of=request.user), request.headers.get("X-Ahead") == "1"
    try:
        verdicts = services.view(review=review, actor=request.user, ahead=ahead)["allowed"]
    except NotAllowed as refused:
        raise Http404(str(refused)) from refused
    kept, saved_at = getattr(review, "draft", None), getattr(review, "draft_at", None)
    answer = Answer.of_draft(kept, review.packet, review.packet_digest) if kept and review.is_live else Answer()
    sight, queues = look_around(request.user)
    page = make_page(request, review, answer, verdicts, saved_at=saved_at, queues=queues)
    around: dict[str, Any] = {
        **beside(sight, page),
        "past": similar(sight, review),
        "waiting": counts.waiting(request.user),
        "ahead": ahead,
        **since(review, request.GET.get("since", "")),
    }
    return render_case(request, page, **around)


def beside(sight: Sight, page: CasePage) -> dict[str, Any]:
    """Where the case stands in the list it was opened from, for its bar."""
    before, after = neighbours(sight, page.wanted, page.review)
    title = sight.title_of(page.wanted.view) or gettext("Queue")
    return {"before": before, "after": after, "view_title": title}


def since(review: Review, digest: str) -> dict[str, Any]:
    """What changed since the case had this digest, for whoever comes from an older page."""
    found = changes(review, digest[:64])
    before = review.task.reviews.filter(packet_digest=digest[:64]).first() if found else None
    changed = described(difference(before.packet, review.packet)) if before else ()
    return {"since": found, "changed": changed} if found else {}


@login_required
@require_http_methods(["POST", "PUT"])
def draft(request: Request, task: UUID) -> HttpResponse:
    """Keeps what is filled in, reserves the case at the first change, and says what would follow. Of a case that is
    never theirs to decide, and of a page that was answered, there is nothing to keep."""
    review = newest_review(request.user, task)
    post = request.POST if request.method == "POST" else QueryDict(request.body)
    answer, verdicts = Answer.of(post.dict()), allowed(request.user, review)
    never_theirs = not verdicts and not standing_of(request.user, review).decides
    if never_theirs or is_recorded(post.get("nonce", "")):
        return HttpResponse(status=204) if request.htmx else redirect(case_url(review, Wanted.of(request.GET)))
    kept = keep(request, review, answer)
    if review.claimed_by_id is None and verdicts:
        review = reserve(request, review) or review
    if answer.verdict:
        services.reveal(review_id=review.pk, actor=request.user, choice=answer.verdict)
    if not request.htmx:
        return redirect(case_url(review, Wanted.of(request.GET)))
    page = make_page(request, review, answer, verdicts, saved_at=kept.saved_at)
    return render(request, "cases/_consequence.html", {"case": page, "settling": True})


def is_recorded(nonce: str) -> bool:
    """The last draft of a page may come after its answer: it must not reserve again what waits for others."""
    return bool(nonce) and Approval.objects.filter(nonce=nonce[:80]).exists()


@login_required
@require_safe
def targets(request: Request, task: UUID, verdict: str) -> HttpResponse:
    """The list of a choice that was too long to come with the page."""
    review = newest_review(request.user, task)
    answer = Answer.of({**request.GET.dict(), "verdict": verdict})
    offered = choices_of(review, request.user, answer, allowed(request.user, review), None)
    choice = next((found for found in offered if found.verdict == verdict), None)
    if choice is None:
        raise Http404(f"no choice {verdict}")
    return render(request, "cases/_targets.html", {"choice": choice})


def keep(request: Request, review: Review, answer: Answer) -> Draft:
    """What was filled in stays the person's, whatever has become of the case."""
    data = answer.kept(review.packet, review.packet_digest)
    return services.save_draft(task_id=review.task_id, actor=request.user, data=data)


def reserve(request: Request, review: Review) -> Review | None:
    """Losing the race for a claim is no reason to lose what was typed."""
    try:
        return services.claim(review_id=review.pk, actor=request.user)
    except (Conflict, NotAllowed):
        return None


@login_required
@require_POST
def claim(request: Request, task: UUID) -> HttpResponse:
    review = newest_review(request.user, task)
    try:
        services.claim(review_id=review.pk, actor=request.user)
    except ReviewError as error:
        return refused(request, review, Answer(), error)
    return redirect(case_url(review, Wanted.of(request.GET)))


@login_required
@require_POST
def release(request: Request, task: UUID) -> HttpResponse:
    review = newest_review(request.user, task)
    services.release(review_id=review.pk, actor=request.user)
    return redirect(queue_url(Wanted.of(request.GET)))


@login_required
@require_POST
def decide(request: Request, task: UUID) -> HttpResponse:
    answer = Answer.of(request.POST.dict())
    given = services.Answer(
        verdict=answer.verdict,
        digest=request.POST.get("digest", ""),
        nonce=request.POST.get("nonce", ""),
        reason=answer.reason,
        comment=answer.comment,
        corrections=answer.corrections,
        target=answer.target,
        hours=answer.hours,
        seconds_open=seconds_since(request.POST.get("opened", "")),
        opened=looked_into(request.POST.get("looked", "")),
    )
    try:
        key = round_seen(request, task)
        taken = services.decide_from_outside(review_id=key, actor=request.user, answer=given, case=task)
    except ReviewError as error:
        review = newest_review(request.user, task)
        if error.status != NotAllowed.status:
            keep(request, review, answer)
        return refused(request, review, answer, error)
    keep_toast(request, taken.review, answer, taken.outcome)
    wanted = Wanted.of(request.GET)
    url = queue_url(wanted) if taken.who.auto_next is False else following(request, wanted, taken.review)
    return toast.sent(request, gone_on(request, url))


def looked_into(text: str) -> list[str]:
    """The parts of the page that were opened, as its script noted them."""
    return list(dict.fromkeys(part[:60] for part in text.split() if part.isprintable()))[:40]


def gone_on(request: Request, url: str) -> HttpResponse:
    """The next case takes the place of this one; the list has a frame of its own, which takes that of the page. Where
    the page has loaded the next case already, it is told to show it, and gets what else has changed."""
    is_case = resolve(urlsplit(url).path).url_name == "case"
    if request.htmx and request.headers.get("X-Ahead") == url:
        response = render(request, "cases/_gone_on.html")
        response["HX-Reswap"], response["HX-Push-Url"] = "none", "false"
        return trigger_client_event(response, "desk:next", {"url": url}, after="settle")
    return redirect(url) if is_case or not request.htmx else HttpResponseLocation(url, target="body")


def round_seen(request: Request, task: UUID) -> UUID:
    """The round the page showed, so that an answer to an earlier one is told what has happened since."""
    try:
        return UUID(request.POST.get("review", ""))
    except ValueError:
        return newest_review(request.user, task).pk


def seconds_since(opened: str) -> int | None:
    try:
        moment = parse_datetime(opened)
    except ValueError:
        moment = None
    return max(0, int((timezone.now() - moment).total_seconds())) if moment and moment.tzinfo else None


def refused(request: Request, review: Review, answer: Answer, error: ReviewError) -> HttpResponse:
    """Nothing was recorded: the same page with what was filled in, and what is in the way."""
    errors = error.errors if isinstance(error, Invalid) else ()
    conflict = None if errors else error
    if isinstance(error, AlreadyDecided):
        error.outcome["when"] = parse_datetime(error.outcome.get("at") or "")
    page = make_page(request, review, answer, allowed(request.user, review), errors=named(errors), conflict=conflict)
    page.seen_digest = request.POST.get("digest", "")[:64]
    changed = described(error.difference) if isinstance(error, Stale) else ()
    bar = (
        beside(look_around(request.user)[0], page) if conflict else {}
    )  # it is told anew: who holds it, what became of it
    return render_case(request, page, error.status, changed=changed, **bar)


MISSING = {
    "verdict": _("Choose a decision."),
    "reason": _("Choose a reason."),
    "target": _("Choose where it goes, or to whom."),
    "comment": _("Write the question."),
}


def named(errors: Any) -> list[tuple[str, str]]:
    """Objections as the page says them: (field, words). What is missing is asked for by what is to be done."""
    missing = [field in MISSING and (isinstance(words, Missing) or field == "verdict") for field, words in errors]
    return [(f, asked_for(f, words) if gone else words) for (f, words), gone in zip(errors, missing, strict=True)]


def asked_for(field: str, words: str) -> str:
    """ "reason: is missing; a rejection says why" is "Choose a reason: a rejection says why." """
    why = words.partition("; ")[2]
    if not why or field in ("target", "verdict"):
        return str(MISSING[field])
    return gettext("%(what)s: %(why)s.") % {"what": str(MISSING[field]).rstrip("."), "why": gettext(why)}


def described(difference: Any) -> list[dict[str, Any]]:
    """What changed in a packet, in words a reviewer knows: `/values/3/value` is "values, 4, value"."""
    shown = [item for item in difference if not item["path"].startswith(("/case", "/data_digest"))]
    return [{**item, "where": item["path"].strip("/").replace("_", " ").replace("/", ", ")} for item in shown]


def keep_toast(request: Request, review: Review, answer: Answer, result: dict[str, Any]) -> None:
    """What was recorded, for the next pages; with a time until which it may be taken back."""
    what = f"{review.number or review.title}: {VERDICTS[answer.verdict][3]}."
    if "feedback" in result:
        toast.leave(request, None)
        messages.info(request, Feedback.of(result["feedback"]).html, extra_tags=TOLD)
        return
    until = parse_datetime(result.get("undo_until") or "")
    if until and until > timezone.now():
        # Where others sign after it, or have the case now, there is nothing to reverse.
        settled = result["review_status"] not in Review.LIVE and not answer.target.startswith("queue:")
        toast.leave(request, Toast(what, until, decision=result["decision"], settled=settled))
    else:
        toast.leave(request, None)
        messages.success(request, what)


def following(request: Request, wanted: Wanted, review: Review) -> str:
    """Where to go after an answer: the next case of the same list, or the list."""
    sight = reach_of(request.user)
    taken = claim_first(request, sight, wanted, after=review) or claim_first(request, sight, wanted)
    return case_url(taken, wanted) if taken else queue_url(wanted)


@login_required
@require_POST
def undo(request: Request, pk: UUID) -> HttpResponse:
    last = toast.current(request)
    toast.leave(request, None)
    try:
        undone = services.undo(decision_id=pk, actor=request.user)
    except ReviewError as error:
        if isinstance(error, TooLate) and Decision.objects.filter(pk=pk).exists():
            return toast.sent(request, reversal_page(request, pk, status=409, why_not=str(error)))
        context = {"title": gettext("This can no longer be undone"), "why": str(error), "back": "/queue/"}
        return toast.sent(request, render(request, "refused.html", context, status=error.status))
    messages.success(
        request, gettext("Undone. %(value)s The case is open again.") % {"value": last.what if last else ""}
    )
    task = Review.objects.values_list("task_id", flat=True).get(pk=undone["review"])
    return toast.sent(request, redirect("case", task))


@login_required
@require_safe
def last_act(request: Request) -> HttpResponse:
    """What the last act of this browser has become, for a page that stays open."""
    return render(request, "cases/_last_act.html")


def reversal_page(request: Request, pk: UUID, *, status: int = 200, **more: Any) -> HttpResponse:
    decision, review = answered_by(pk)
    if not may(request.user, "view", review):
        raise Http404(f"no answer {pk}")
    shown = {"decision": decision, "review": review, "verdict": VERDICTS[decision.verdict][3], **more}
    return render(request, "cases/reversal.html", shown, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def reversal(request: Request, pk: UUID) -> HttpResponse:
    """What can be asked once an answer can no longer be undone."""
    if request.method != "POST":
        return reversal_page(request, pk)
    why = request.POST.get("why", "")
    try:
        services.ask_for_reversal(decision_id=pk, actor=request.user, why=why)
    except ReviewError as error:
        return reversal_page(request, pk, status=error.status, error=str(error), text=why)
    messages.success(request, gettext("The reversal was asked for: it is a case of its own, for others to decide."))
    return redirect("case", answered_by(pk)[1].task_id)


@login_required
@require_POST
def answer(request: Request, task: UUID) -> HttpResponse:
    """The person who was asked says what they know."""
    review, form = newest_review(request.user, task), TextForm(request.POST)
    if not form.is_valid():
        page = make_page(request, review, Answer(), allowed(request.user, review))
        return render_case(request, page, 422, text_form=form)
    try:
        services.answer(review_id=review.pk, actor=request.user, text=form.cleaned_data["text"])
    except ReviewError as error:
        return refused(request, review, Answer(), error)
    return redirect(case_url(review, Wanted.of(request.GET)))
