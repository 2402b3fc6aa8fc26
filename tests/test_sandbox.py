"""Whatever a document is, its reading ends in time, within memory, with an answer, and leaves no process behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.documents import sandbox
from orchestrator.documents.media_type import Refused
from orchestrator.documents.sandbox import MAX_RSS_MB, MAX_SECONDS, read_document, render_document_page
from orchestrator.documents.sandbox_read import confirmed
from tests.data_sets import DATA
from tests.reading_papers import german_invoice, pdf, picture
from tests.services import PROJECT_DIR

HOSTILE = DATA / "hostile_files"


def children() -> set[str]:
    """Process ids of our children that are still there, zombies included."""
    me, found = str(os.getpid()), set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[1] == me:
            found.add(status.parent.name)
    return found


def test_a_text_pdf_is_read_in_a_child_that_is_gone_afterwards():
    before = children()
    result = read_document(pdf(german_invoice()))
    assert result.reading.value("gross_total") == "1190"
    assert result.page_count == 1
    assert result.pages[0].words
    assert 10 < result.peak_rss_mb < 150
    assert children() == before


def test_a_document_that_takes_too_long_is_killed_with_words_for_a_clerk(monkeypatch):
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.02)
    before = children()
    result = read_document(pdf(german_invoice()))
    assert "took longer" in result.reading.refusal
    assert children() == before


def test_a_reader_that_had_no_processor_time_is_tried_again_and_one_that_had_is_not(monkeypatch):
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.02)
    monkeypatch.setattr(sandbox, "BUSY", 1_000.0)
    assert read_document(pdf(german_invoice())).starved
    monkeypatch.setattr(sandbox, "BUSY", 0.0)
    slow = read_document(pdf(german_invoice()))
    assert not slow.starved
    assert "took longer" in slow.reading.refusal


def test_processor_time_is_that_of_the_process():
    before = sandbox.cpu_seconds(os.getpid())
    assert sum(range(10_000_000))
    assert 0.05 < sandbox.cpu_seconds(os.getpid()) - before < 20
    assert sandbox.cpu_seconds(2**22 + 1) == 0.0


def test_a_document_that_needs_too_much_memory_is_killed_with_words_for_a_clerk(monkeypatch):
    monkeypatch.setattr(sandbox, "MAX_RSS_MB", 15)
    result = read_document(pdf(german_invoice()))
    assert "memory" in result.reading.refusal
    assert result.peak_rss_mb > 15


def test_a_file_over_the_size_limit_is_refused_unread():
    assert "at most 25 MB" in read_document(b"%PDF-1.7" + b"0" * 25_000_001).reading.refusal


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 100, b"%PDF-1.7", b"\xff\xd8\xff\xe0", b"II*\0", b"RIFF\0\0\0\0WEBP", b"{}"]
)
def test_a_broken_file_is_a_refusal_and_never_an_exception(data):
    result = read_document(data)
    assert result.reading.refusal
    assert result.reading.fields == {}


def test_the_child_can_write_no_file_and_sees_no_environment():
    code = (
        "import sys, os, json; sys.argv=['x']; sys.path.insert(0, sys.path[0]);"
        f"import runpy; module = runpy.run_path({str(sandbox.CHILD)!r}, run_name='child'); module['_limit']();"
        "result = 'written'\n"
        "try:\n open('/tmp/countersign-sandbox-test', 'w').write('x' * 10000)\n"
        "except OSError as error:\n result = 'refused'\n"
        "print(json.dumps(result))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    Path("/tmp/countersign-sandbox-test").unlink(missing_ok=True)
    assert done.returncode != 0 or json.loads(done.stdout) == "refused"


def test_the_child_imports_neither_django_nor_celery():
    code = (
        f"import runpy; module = runpy.run_path({str(sandbox.CHILD)!r}, run_name='child');"
        "module['_stand_in_for_package']();"
        "import orchestrator.documents.sandbox_read, orchestrator.documents.hybrid, sys;"
        "print([name for name in ('django', 'celery', 'rapidocr', 'onnxruntime', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


ENGINES = "('rapidocr', 'onnxruntime', 'cv2', 'pypdfium2')"


@pytest.mark.parametrize(
    "at_rest",
    [
        "from orchestrator.wsgi import application; from django.urls import get_resolver; get_resolver().url_patterns",
        "from orchestrator.celery import app; app.loader.import_default_modules(); "
        "from orchestrator.agents import registry; assert 'invoices.read' in registry.all_agents()",
    ],
    ids=["web process", "worker"],
)
def test_neither_web_process_nor_worker_at_rest_loads_a_recogniser(at_rest):
    code = f"{at_rest}\nimport sys; print([name for name in {ENGINES} if name in sys.modules])"
    kept = {name: os.environ[name] for name in ("PATH", "VAR_DIR") if name in os.environ}
    environment = kept | {"DJANGO_SETTINGS_MODULE": "orchestrator.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_a_worker_that_reads_a_scan_loads_no_recogniser_itself(tmp_path):
    path = tmp_path / "scan.png"
    picture(["Rechnung Nr. 4711", "Gesamtbetrag 119,00 EUR"]).save(path)
    code = (
        "from pathlib import Path; from orchestrator.documents.sandbox import read_document;"
        f"result = read_document(Path({str(path)!r}).read_bytes()); assert result.pages[0].words;"
        f"import sys; print([name for name in {ENGINES} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_DIR, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_scan_is_not_recognised_when_the_caller_wants_no_recognition(tmp_path):
    path = tmp_path / "scan.png"
    picture(["Rechnung Nr. 4711", "Gesamtbetrag 119,00 EUR"]).save(path)
    result = read_document(path.read_bytes(), ocr=False)
    assert result.needs_ocr
    assert result.reading.refusal is None
    assert result.peak_rss_mb < 150


def test_a_scan_is_recognised_within_the_limits(tmp_path):
    path = tmp_path / "scan.png"
    lines = [
        "Rechnung Nr. 4711 vom 13.06.2018",
        "Nettobetrag: 100,00 EUR",
        "Umsatzsteuer: 19,00 EUR",
        "Gesamtbetrag: 119,00 EUR",
    ]
    picture(lines).save(path)
    result = read_document(path.read_bytes())
    assert result.reading.value("gross_total") == "119"
    assert result.reading.value("invoice_number") == "4711"
    assert result.reading.fields["gross_total"].passages[0].box
    assert result.peak_rss_mb <= MAX_RSS_MB


def test_a_number_that_a_scan_says_once_is_read_a_second_time(tmp_path):
    path = tmp_path / "scan.png"
    lines = ["Rechnung Nr. 4711 vom 13.06.2018", "Bestellnummer: B-7731-2018", "Gesamtbetrag: 119,00 EUR"]
    picture(lines, size=(2000, 800), font_size=64).save(path)
    order = read_document(path.read_bytes()).reading.fields["order_reference"]
    assert order.readings == {"beside": "B-7731-2018", "second look": "B-7731-2018"}
    assert order.confidence > 0.85
    assert confirmed(0.8, agrees=False) == 0.4 < 0.8 < confirmed(0.8, agrees=True)


def test_a_page_is_rendered_as_webp_of_the_wanted_width():
    webp = render_document_page(pdf(german_invoice()), 1, 620)
    assert webp[:4] == b"RIFF"
    assert int.from_bytes(webp[26:28], "little") & 0x3FFF == 620


def test_a_page_that_does_not_exist_is_refused_by_name():
    with pytest.raises(Refused, match="no page 2"):
        render_document_page(pdf(german_invoice()), 2)


def test_a_web_page_is_never_rendered():
    with pytest.raises(Refused):
        render_document_page(b"<html></html>", 1)


def hostile_rows() -> list[dict]:
    path = HOSTILE / "truth.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.slow
@pytest.mark.skipif(not hostile_rows(), reason="the shared data is not there: set COUNTERSIGN_DATA")
@pytest.mark.parametrize("row", hostile_rows(), ids=lambda row: row["id"])
def test_every_hostile_file_ends_in_time_and_memory_with_an_answer(row):
    result = read_document((HOSTILE / row["files"][0]).read_bytes())
    assert result.seconds <= MAX_SECONDS + 5  # until a busy machine has ended it
    assert result.peak_rss_mb <= MAX_RSS_MB
    stops = [check for check in result.reading.checks if check.severity == "stop"]
    assert result.reading.refusal or stops or result.reading.fields
    if row["truth"].get("expect") == "refuse":
        assert result.reading.refusal
    if row["truth"].get("expect") == "refuse_or_human":
        assert result.reading.refusal or stops
