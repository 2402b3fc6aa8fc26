"""Several files at once: each is a run of its own, what is not taken in is named, and how far they are is shown."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from orchestrator import engine, forms, services
from orchestrator.grants import give
from orchestrator.models import Run, Workflow

from .cast import cast, second_admin
from .desk import signed_in, text_of

pytestmark = pytest.mark.django_db

FLOW = """
workflow: papers
title: Papers
input: {paper: document, vendor_hint: string?}
steps:
  sent: {timer: 30d}
"""


@pytest.fixture
def clerk(settings: Any, tmp_path: Any) -> Any:
    settings.DOCUMENT_DIR = tmp_path
    everybody = cast()
    services.save_workflow(source=FLOW, actor=everybody.admin, second=second_admin())
    give("start_run", everybody.clerk, Workflow.objects.get(name="papers"), actor=everybody.admin)
    return everybody.clerk


def hand_in(person: Any, *contents: bytes, **fields: str) -> Any:
    files = [SimpleUploadedFile(f"paper-{n}.pdf", content) for n, content in enumerate(contents, start=1)]
    return signed_in(person).post(reverse("start-workflow", args=["papers"]), {"paper": files, **fields})


def test_each_of_several_files_is_a_run_of_its_own_with_the_same_input(clerk: Any) -> None:
    answer = hand_in(clerk, b"%PDF-1", b"%PDF-2", b"%PDF-3", vendor_hint="Kestrel")
    assert answer.url.startswith(reverse("runs") + "?handed_in=")
    runs = Run.objects.order_by("key")
    assert [run.documents.get().name for run in runs] == ["paper-1.pdf", "paper-2.pdf", "paper-3.pdf"]
    assert {run.input["vendor_hint"] for run in runs} == {"Kestrel"}
    assert len({run.input["paper"] for run in runs}) == 3


def test_one_file_leads_to_its_run(clerk: Any) -> None:
    answer = hand_in(clerk, b"%PDF-1")
    assert answer.url == reverse("run", args=[Run.objects.get().pk])
    assert Run.objects.get().key == ""


def test_what_is_not_taken_in_is_named_and_keeps_nothing_else_back(clerk: Any, settings: Any) -> None:
    settings.DOCUMENT_MAX_BYTES = 20
    client = signed_in(clerk)
    files = [SimpleUploadedFile("small.pdf", b"%PDF"), SimpleUploadedFile("large.pdf", b"%PDF" + b"0" * 20)]
    page = client.post(reverse("start-workflow", args=["papers"]), {"paper": files}, follow=True)
    assert Run.objects.count() == 1
    assert "Not taken in: large.pdf" in text_of(page)
    alone = hand_in(clerk, b"%PDF" + b"0" * 20, b"%PDF" + b"1" * 20)
    assert alone.status_code == 422
    assert "paper-1.pdf" in text_of(alone)
    assert "paper-2.pdf" in text_of(alone)


def test_more_files_than_are_taken_at_once_start_nothing(clerk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "MOST_FILES", 2)
    answer = hand_in(clerk, b"%PDF-1", b"%PDF-2", b"%PDF-3")
    assert answer.status_code == 422
    assert "3 files: expected at most 2 at once." in text_of(answer)
    assert not Run.objects.exists()


def test_the_list_tells_how_far_they_are_until_all_are_through(clerk: Any) -> None:
    url = hand_in(clerk, b"%PDF-1", b"%PDF-2").url
    client = signed_in(clerk)
    page = text_of(client.get(url))
    assert "0 of 2 files are through." in page
    assert "2 still being read" in page
    assert 'hx-trigger="every 2s"' in page
    engine.drain()
    page = text_of(client.get(url, headers={"HX-Request": "true"}))
    assert "2 of 2 files are through." in page
    assert "2 waiting" in page
    assert "every 2s" not in page


def test_only_whoever_handed_them_in_is_told(clerk: Any) -> None:
    url = hand_in(clerk, b"%PDF-1", b"%PDF-2").url
    outsider = get_user_model().objects.get(username="outsider")
    page = text_of(signed_in(outsider).get(url))
    assert "files are through" not in page
    assert "paper-1.pdf" not in page
