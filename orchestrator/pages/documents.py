"""Documents for people who may see them: the original as a download, its text, its pages as images."""

from base64 import b64encode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from audit.log import person, record
from orchestrator.documents.einvoice import text_view
from orchestrator.documents.media_type import Refused
from orchestrator.documents.page_store import find_text, page_picture, pages_of
from orchestrator.documents.store import read_bytes
from orchestrator.http import Request
from orchestrator.models import Document, RunDocument
from orchestrator.permissions import get_visible_or_404

XML = ("application/xml", "text/xml")
TEXT_LIMIT = 5_000  # lines shown; the original is always complete


def get_document(request: Request, pk: UUID, shown_as: str) -> Document:
    """The document, with the look at it on record: what a reviewer opened is part of what the decision rests on."""
    document = get_visible_or_404(Document.objects.all(), request.user, pk=pk)
    used = RunDocument.objects.filter(document=document).values_list("run_id", "run__version__workflow__name").first()
    run, workflow = used or ("", "")
    with transaction.atomic():
        record(
            "document.viewed",
            subject=("document", document.pk),
            actor=person(request.user),
            run=run,
            workflow=workflow,
            data={"as": shown_as, "sha256": document.sha256},
        )
    return document


@login_required
@require_safe
def original(request: Request, pk: UUID) -> HttpResponse:
    """The bytes as they came. Always a download and never rendered here: a document may contain anything."""
    document = get_document(request, pk, "original")
    if document.state == Document.State.QUARANTINED:
        context = {
            "title": gettext("This file is in quarantine"),
            "why": gettext("%(reason)s It is not handed out.") % {"reason": document.reason},
        }
        context["back"] = reverse("document-text", args=[pk])
        return render(request, "refused.html", context, status=403)
    response = HttpResponse(read_bytes(document.sha256), content_type=document.media_type)
    response.headers["Content-Disposition"] = attachment(document.name)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Repr-Digest"] = f"sha-256=:{base64_of(document.sha256)}:"  # RFC 9530
    return response


def attachment(name: str) -> str:
    """A Content-Disposition (RFC 6266) with the sender's name quoted or encoded."""
    return content_disposition_header(as_attachment=True, filename=name) or "attachment"


def base64_of(sha256: str) -> str:
    return b64encode(bytes.fromhex(sha256)).decode()


@login_required
@require_safe
def text(request: Request, pk: UUID) -> HttpResponse:
    """The document as lines of text, and where the words of `?q=` stand in it."""
    document = get_document(request, pk, "text")
    query = request.GET.get("q", "")[:200].strip()
    lines, cut = lines_of(document)
    context = {"document": document, "lines": lines, "cut": cut, "query": query, "found": find_text(lines, query)}
    return render(request, "documents/text.html", context)


def lines_of(document: Document) -> tuple[list[str], bool]:
    """The document as lines of text, and whether there are more than are shown."""
    if document.state == Document.State.QUARANTINED:
        return [], False
    if document.media_type in XML:
        lines = text_view(read_bytes(document.sha256))
    else:
        lines = [line for page in pages_of(document.sha256) for line in page.text.split("\n")]
    return lines[:TEXT_LIMIT], len(lines) > TEXT_LIMIT


@login_required
@require_safe
@cache_control(private=True, max_age=3600, immutable=True)
def page_image(request: Request, pk: UUID, number: int) -> HttpResponse:
    """One page as WebP. Only pictures leave here: nothing of the file itself is sent."""
    document = get_visible_or_404(Document.objects.all(), request.user, pk=pk)
    if document.state == Document.State.QUARANTINED:
        raise Http404("the file is in quarantine")
    try:
        picture = page_picture(document.sha256, number)
    except Refused as refused:
        raise Http404(str(refused)) from refused
    return HttpResponse(picture, content_type="image/webp")
