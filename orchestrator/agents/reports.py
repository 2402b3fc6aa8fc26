"""What an agent that reads a document tells, whatever kind of document it is."""

from collections.abc import Iterable
from math import ceil
from typing import Any

from orchestrator.documents.reading import Check, Reading
from orchestrator.documents.sandbox import ReadResult

from .base import OpenDocument, quote
from .findings import Compared


class DocumentReport(Compared):
    """`reading` tells how the values were found, `discrepancies` what a person has to look at, `peak_rss_mb` what
    reading took. What is quarantined must not be handed out."""

    document: str | None
    sha256: str = ""
    readable: bool
    refusal: str = ""
    reading: Reading
    checks: list[Check] = []
    pages: int = 1
    quarantined: bool = False
    peak_rss_mb: int = 0


def as_read(document: OpenDocument, result: ReadResult) -> dict[str, Any]:
    """The values of a DocumentReport that follow from the reading alone."""
    reading = result.reading
    return {
        "document": str(document.id),
        "sha256": document.sha256,
        "readable": reading.refusal is None,
        "refusal": reading.refusal or "",
        "reading": reading,
        "checks": reading.checks,
        "pages": result.page_count or 1,
        "quarantined": result.quarantined,
        "peak_rss_mb": ceil(result.peak_rss_mb),
    }


def evidence_of(document: OpenDocument, reading: Reading, fields: Iterable[str]) -> list[dict[str, Any]]:
    """Where the values that a decision hangs on stand in the document."""
    found = [reading.fields[name] for name in fields if name in reading.fields]
    return [quote(document, passage) for value in found for passage in value.passages[:1]]
