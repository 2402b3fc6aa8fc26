"""Documents by content: bytes lie under their SHA-256 in DOCUMENT_DIR, written whole or not at all."""

import hashlib
import os
import re
import tempfile
import unicodedata
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext

from audit.log import SYSTEM, database_now, person, record
from orchestrator.models import Document, RunDocument

from .media_type import malware_verdict, sniff

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


class DocumentRefused(ValueError):
    """A file that is not taken in; `code` is "too_large", "empty", "unsupported" or "quota"."""

    def __init__(self, code: str, message: str):
        self.code = code
        super().__init__(message)


class StoredDocument:
    """A document of a run, as an agent sees it (agents.base.OpenDocument)."""

    def __init__(self, row: Document):
        self.id: UUID = row.pk
        self.sha256: str = row.sha256
        self.name: str = row.name
        self.media_type: str = row.media_type

    def read(self) -> bytes:
        return read_bytes(self.sha256)


def path_of(sha256: str) -> Path:
    return Path(settings.DOCUMENT_DIR) / sha256[:2] / sha256


def read_bytes(sha256: str) -> bytes:
    """The content; a file whose bytes no longer have that digest is an error, never returned."""
    data = path_of(sha256).read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise OSError(f"document {sha256}: the stored bytes have another digest")
    return data


def shown_name(name: str) -> str:
    """The sender's file name for people: last part, printable, at most 255 characters. Never used as a path."""
    name = unicodedata.normalize("NFC", re.split(r"[\\/]", name)[-1])
    return UNPRINTABLE.sub("", name).strip()[:255] or "document"


def write_bytes(data: bytes) -> str:
    """Stores the content once and returns its SHA-256; a crash leaves the whole file or none."""
    sha256 = hashlib.sha256(data).hexdigest()
    target = path_of(sha256)
    if not target.exists():
        write_whole(target, data)
    return sha256


def write_whole(target: Path, data: bytes) -> None:
    """Writes a file so that nobody ever sees a part of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(target)


def store_document(*, data: bytes, name: str, actor: AbstractBaseUser) -> Document:
    """Takes a file in. Malware is taken in too, into quarantine: the run tells its sender that it was refused, and
    nobody is handed the file. Errors: DocumentRefused (too large, empty, more than one person may hand in)."""
    if not data:
        raise DocumentRefused("empty", gettext("file: %(name)r is empty") % {"name": shown_name(name)})
    if len(data) > settings.DOCUMENT_MAX_BYTES:
        limit = settings.DOCUMENT_MAX_BYTES
        words = gettext("file: %(size)s bytes, at most %(most)s are taken") % {"size": len(data), "most": limit}
        raise DocumentRefused("too_large", words)
    keep_to_quota(actor)
    sha256, threat = write_bytes(data), malware_verdict(data)
    with transaction.atomic():
        document = Document.objects.create(
            sha256=sha256,
            name=shown_name(name),
            media_type=sniff(data),
            size=len(data),
            pages=Document.objects.filter(sha256=sha256).aggregate(most=Max("pages"))["most"] or 1,
            uploaded_by=actor,
        )
        record(
            "document.stored",
            subject=("document", str(document.pk)),
            actor=person(actor),
            data={"sha256": sha256, "size": len(data), "media_type": document.media_type},
        )
        if threat:
            quarantine(sha256=sha256, reason=f"The file contains malware ({threat}).")
            document.refresh_from_db()
    return document


def keep_to_quota(actor: AbstractBaseUser) -> None:
    """Refuses what goes over a person's share. Files that come at the same moment may go over it by as many."""
    limit, since = settings.DOCUMENTS_PER_DAY, database_now() - timedelta(days=1)
    if limit and Document.objects.filter(uploaded_by=actor, uploaded_at__gt=since)[:limit].count() >= limit:
        words = gettext("file: you handed in %(most)s files within 24 hours, the most that are taken")
        raise DocumentRefused("quota", words % {"most": f"{limit:,}"})


@transaction.atomic
def quarantine(*, sha256: str, reason: str) -> None:
    """Nobody is handed this content any more, under whatever name it came; each upload of it is put on record once."""
    for row in Document.objects.filter(sha256=sha256, state=Document.State.STORED).order_by("pk"):
        moved = Document.objects.filter(pk=row.pk, state=Document.State.STORED)
        if moved.update(state=Document.State.QUARANTINED, reason=reason[:300]):
            used = RunDocument.objects.filter(document=row).values_list("run_id", "run__version__workflow__name")
            run, workflow = used.first() or ("", "")
            record(
                "document.refused",
                subject=("document", str(row.pk)),
                actor=SYSTEM,
                run=str(run),
                workflow=workflow,
                data={"sha256": sha256, "reason": reason},
            )
