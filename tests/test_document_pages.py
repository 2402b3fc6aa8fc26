"""What was made of a document is kept once, shown to whoever may see the document, and nothing of malware is."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from audit.models import Event
from orchestrator.documents.page_store import find_text, picture_path, read_stored
from orchestrator.documents.store import StoredDocument, store_document
from orchestrator.evaluation import world
from orchestrator.evaluation.playing import play
from orchestrator.models import Document, DocumentPage
from tests.desk import signed_in, text_of
from tests.reading_papers import Sheet, german_invoice, pdf

EICAR = base64.b64decode("WDVPIVAlQEFQWzRcUFpYNTQoUF4pN0NDKTd9JEVJQ0FSLVNUQU5EQVJELUFOVElWSVJVUy1URVNULUZJTEUhJEgrSCo=")
LETTER = pdf(german_invoice(), Sheet().text(60, 120, "Allgemeine Bedingungen"))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ravi(settings: Any, tmp_path: Path) -> Any:
    settings.DOCUMENT_DIR = tmp_path / "documents"
    return get_user_model().objects.create_user("ravi")


@pytest.fixture
def letter(ravi: Any) -> Document:
    document = store_document(data=LETTER, name="letter.pdf", actor=ravi)
    read_stored(StoredDocument(document), expected="invoice")
    document.refresh_from_db()
    return document


def test_the_pages_of_a_content_are_kept_once_with_a_box_for_every_word(letter: Document, ravi: Any) -> None:
    again = store_document(data=LETTER, name="copy.pdf", actor=ravi)
    assert (letter.pages, again.pages) == (2, 2)
    read_stored(StoredDocument(again), expected="invoice")
    first, second = DocumentPage.objects.filter(sha256=letter.sha256)
    assert "Nordlicht Technik GmbH" in first.text
    assert second.text == "Allgemeine Bedingungen"
    word, *box = second.words[0]
    assert word == "Allgemeine"
    assert all(0 <= corner <= 1 for corner in box)
    assert (first.width, first.height) == (595, 842)


def test_a_page_is_rendered_once_and_then_read_from_where_it_is_kept(letter: Document, ravi: Any) -> None:
    client, url = signed_in(ravi), f"/documents/{letter.pk}/p/2.webp"
    answer = client.get(url)
    assert answer["Content-Type"] == "image/webp"
    assert answer.content[:4] + answer.content[8:12] == b"RIFFWEBP"
    kept = picture_path(letter.sha256, 2)
    assert kept.read_bytes() == answer.content
    kept.write_bytes(b"kept")
    assert client.get(url).content == b"kept"
    assert client.get(f"/documents/{letter.pk}/p/3.webp").status_code == 404


def test_the_original_is_a_download_with_its_digest(letter: Document, ravi: Any) -> None:
    answer = signed_in(ravi).get(f"/documents/{letter.pk}/original/")
    assert answer.content == LETTER
    assert answer["Content-Disposition"].startswith("attachment")
    assert base64.b64encode(hashlib.sha256(LETTER).digest()).decode() in answer["Repr-Digest"]


@pytest.mark.parametrize("what", ["original/", "text/", "find/?q=Kiel", "p/1.webp"])
def test_d10_nothing_of_a_document_is_shown_to_who_may_not_see_it(letter: Document, what: str) -> None:
    stranger = get_user_model().objects.create_user("stranger")
    assert signed_in(stranger).get(f"/documents/{letter.pk}/{what}").status_code == 404
    assert Client().get(f"/documents/{letter.pk}/{what}").status_code == 302


def test_words_are_found_in_the_text_and_lead_to_their_line(letter: Document, ravi: Any) -> None:
    page = text_of(signed_in(ravi).get(f"/documents/{letter.pk}/find/", {"q": "allgemeine bedingungen"}))
    assert "1 place with" in page
    assert "<mark>Allgemeine Bedingungen</mark>" in page
    [found] = find_text(["one", "a  (B) c"], "a b")
    assert (found.line, found.match, found.after) == (2, "a  (B", ") c")
    assert find_text(["x"] * 500, "x")[-1].line == 200
    assert find_text(["x"], " ") == []


def test_d08_malware_is_put_into_quarantine_and_never_handed_out(ravi: Any) -> None:
    upload = store_document(data=b"%PDF-1.7 " + EICAR, name="invoice.pdf", actor=ravi)
    assert upload.state == Document.State.QUARANTINED
    assert "EICAR" in upload.reason
    [refused] = Event.objects.filter(kind="document.refused")
    assert str(upload.pk) in bytes(refused.body).decode()
    client = signed_in(ravi)
    original = client.get(f"/documents/{upload.pk}/original/")
    assert original.status_code == 403
    assert "quarantine" in text_of(original)
    assert client.get(f"/documents/{upload.pk}/p/1.webp").status_code == 404
    assert "In quarantine" in text_of(client.get(f"/documents/{upload.pk}/text/"))


def test_d08_a_run_with_malware_ends_with_the_reason_and_without_an_effect(ravi: Any) -> None:
    world.furnish()
    played = play("invoice-to-pay", data=EICAR, name="invoice.xml", actor=ravi)
    assert (played.route, played.effects) == ("refuse", 0)
    assert "malware" in played.reasons[0]
    assert Document.objects.get().state == Document.State.QUARANTINED
