"""Documents: taken in by content, shown as metadata to those who may see them."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext
from ninja import File, Router, Status
from ninja.files import UploadedFile

from orchestrator.documents.media_type import REFUSALS, sniff
from orchestrator.documents.store import DocumentRefused, store_document
from orchestrator.http import Request
from orchestrator.models import Document
from orchestrator.permissions import get_visible_or_404
from orchestrator.run_document import document_part

from .errors import ApiError, invalid
from .shapes import DocumentShape, refusals

router = Router(tags=["documents"])
STATUS = {"too_large": 413, "unsupported": 415, "empty": 422, "quota": 429}


@router.post("", response={201: DocumentShape} | refusals(400, 413, 415, 422, 429))
def upload_document(request: Request, file: UploadedFile = File(...)) -> Status[Any]:  # noqa: B008
    """Takes a file in. What it is, is told by its content and not by its name."""
    further = [*request.POST, *(name for name in request.FILES if name != "file")]
    if further or len(request.FILES.getlist("file")) > 1:
        raise invalid((further[0] if further else "file", gettext("is not taken; expected one part, named file")))
    data = file.read()
    check_type(data)
    try:
        document = store_document(data=data, name=file.name or "", actor=request.user)
    except DocumentRefused as refused:
        raise ApiError(STATUS[refused.code], str(refused), [("file", str(refused))]) from refused
    return Status(201, document_part(document))


def check_type(data: bytes) -> None:
    kind = sniff(data)
    if kind in REFUSALS and kind != "empty":
        why = gettext(REFUSALS[kind])
        raise ApiError(415, f"file: {why}", [("file", why)])


@router.get("/{uuid:document_id}", response={200: DocumentShape} | refusals(404))
def get_document(request: Request, document_id: UUID) -> dict[str, Any]:
    """A document you uploaded, or one of a run you may see."""
    return document_part(get_visible_or_404(Document.objects.all(), request.user, pk=document_id))
