"""Documents by content: bytes lie under their SHA-256 in DOCUMENT_DIR, written whole or not at all."""

import hashlib
import os
import re
import tempfile
import unicodedata
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from audit.log import person, record
from orchestrator.models import Document

from .media_type import sniff

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


class DocumentRefused(ValueError):
    """A file that is not taken in; `code` is "too_large", "empty" or "unsupported"."""

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
    if target.exists():
        return sha256
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(target)
    return sha256


def store_document(*, data: bytes, name: str, actor: AbstractBaseUser) -> Document:
    """Takes a file in. Errors: DocumentRefused (too large, empty, of no known kind)."""
    if not data:
        raise DocumentRefused("empty", f"file: {shown_name(name)!r} is empty")
    if len(data) > settings.DOCUMENT_MAX_BYTES:
        limit = settings.DOCUMENT_MAX_BYTES
        raise DocumentRefused("too_large", f"file: {len(data)} bytes, at most {limit} are taken")
    sha256 = write_bytes(data)
    with transaction.atomic():
        document = Document.objects.create(
            sha256=sha256, name=shown_name(name), media_type=sniff(data), size=len(data), uploaded_by=actor
        )
        record(
            "document.stored",
            subject=("document", str(document.pk)),
            actor=person(actor),
            data={"sha256": sha256, "size": len(data), "media_type": document.media_type},
        )
    return document
