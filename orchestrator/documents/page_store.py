"""What was made of a document's bytes, kept once for the same content: the text and words of its pages, and their
pictures. Both follow from the bytes alone, so that writing them twice changes nothing."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from django.conf import settings

from orchestrator.agents.base import OpenDocument, Transient
from orchestrator.models import Document, DocumentPage

from .layout import PageText
from .sandbox import ReadResult, read_document, render_document_page
from .store import quarantine, read_bytes, write_whole

PAGE_WIDTH = 1240  # pixels of a page picture
MAX_FOUND = 200  # places a search gives
AROUND = 60  # characters on either side of what was found
UNSTORABLE = str.maketrans("", "", "\x00")  # PostgreSQL keeps no NUL in text


def read_stored(document: OpenDocument, *, expected: Literal["invoice", "receipt"]) -> ReadResult:
    """Reads a stored document, keeps its pages, and puts it into quarantine where malware was found in it. Transient
    where the machine was too busy: that says nothing about the document."""
    result = read_document(document.read(), name=document.name, expected=expected)
    if result.starved:
        raise Transient(f"{document.name}: the machine was too busy to read it in time")
    if result.quarantined:
        quarantine(sha256=document.sha256, reason=result.reading.refusal or "")
    else:
        keep_pages(document.sha256, result.pages)
        # Of this upload alone: another one may be part of a packet somebody is deciding on.
        Document.objects.filter(pk=document.id).update(pages=max(result.page_count, 1))
    return result


def keep_pages(sha256: str, pages: Sequence[PageText]) -> None:
    """Keeps the pages of a content, where nobody has yet."""
    DocumentPage.objects.bulk_create([page_row(sha256, page) for page in pages], ignore_conflicts=True)


def page_row(sha256: str, page: PageText) -> DocumentPage:
    return DocumentPage(
        sha256=sha256,
        number=page.number,
        width=page.width,
        height=page.height,
        text=page.text.translate(UNSTORABLE),
        words=[[word.text.translate(UNSTORABLE), *word.box] for word in page.words],
    )


def pages_of(sha256: str) -> list[DocumentPage]:
    """The kept pages without their words, in order."""
    return list(DocumentPage.objects.filter(sha256=sha256).defer("words").order_by("number"))


def page_picture(sha256: str, number: int) -> bytes:
    """Page `number` (from 1) as WebP: rendered once, in a limited child, and kept beside the original. Raises Refused
    where the document has no such page or cannot be shown."""
    kept = picture_path(sha256, number)
    if kept.exists():
        return kept.read_bytes()
    picture = render_document_page(read_bytes(sha256), number, PAGE_WIDTH)
    write_whole(kept, picture)
    return picture


def picture_path(sha256: str, number: int) -> Path:
    return Path(settings.DOCUMENT_DIR) / "pages" / sha256[:2] / f"{sha256}-{number}-{PAGE_WIDTH}.webp"


@dataclass(frozen=True, slots=True)
class Found:
    """A place in a text: its line (from 1, over all pages) and the words around it."""

    line: int
    before: str
    match: str
    after: str


def find_text(lines: Sequence[str], query: str) -> list[Found]:
    """Where the words stand, in this order, whatever is between them but letters; at most MAX_FOUND places."""
    words = query.split()
    if not words:
        return []
    pattern = re.compile(r"\W+".join(map(re.escape, words)), re.IGNORECASE)
    return list(islice(_matches(lines, pattern), MAX_FOUND))


def _matches(lines: Sequence[str], pattern: re.Pattern[str]) -> Iterator[Found]:
    for number, line in enumerate(lines, start=1):
        for match in pattern.finditer(line):
            start, end = match.span()
            yield Found(number, line[max(0, start - AROUND) : start], match[0], line[end : end + AROUND])
