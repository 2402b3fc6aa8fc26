"""The shared invoices are read as well as promised, and nothing wrong passes."""

import json

import pytest

from orchestrator.documents.hybrid import MONEY
from orchestrator.documents.invoice_pdf import read_invoice_pages
from orchestrator.documents.pdf import read_pdf
from orchestrator.documents.reading import Reading
from orchestrator.documents.sandbox import PASS_CONFIDENCE, read_document
from tests.data_sets import DATA

INVOICES = DATA / "invoice_pdf"
pytestmark = pytest.mark.skipif(not INVOICES.exists(), reason="the shared data is not there: set COUNTERSIGN_DATA")


def rows() -> list[dict]:
    return [json.loads(line) for line in (INVOICES / "truth.jsonl").read_text().splitlines()]


def truth_of(row: dict, name: str) -> str | None:
    value = row["truth"]["fields"]
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def same(name: str, wanted: str | None, found: str | None) -> bool:
    if wanted is None or found is None:
        return wanted == found
    if name in MONEY:
        return float(wanted) == float(found)
    return "".join(wanted.split()).casefold() == "".join(found.split()).casefold()


def wrong_fields(row: dict, reading: Reading) -> list[str]:
    return [n for n in row["truth"]["visible_fields"] if not same(n, truth_of(row, n), reading.value(n))]


def passes(reading: Reading) -> bool:
    stops = [check for check in reading.checks if check.severity == "stop"]
    return not reading.refusal and not stops and reading.confidence >= PASS_CONFIDENCE["invoice"]


@pytest.fixture(scope="module")
def page_readings() -> list[tuple[dict, Reading]]:
    """Each shared invoice as its page shows it, without its data."""
    return [(row, read_invoice_pages(read_pdf((INVOICES / row["files"][0]).read_bytes()).pages)) for row in rows()]


def test_pages_without_data_are_read_and_nothing_wrong_passes(page_readings):
    fields = wrong = passed = 0
    for row, reading in page_readings:
        missed = wrong_fields(row, reading)
        fields, wrong, passed = (
            fields + len(row["truth"]["visible_fields"]),
            wrong + len(missed),
            passed + passes(reading),
        )
        assert not (passes(reading) and missed), (row["id"], missed)
    assert 1 - wrong / fields >= 0.95
    assert passed >= 15


def test_hybrids_are_read_by_their_data_and_nothing_wrong_passes():
    for row in rows():
        for name in (name for name in row["files"] if "/hybrid/" in name):
            reading = read_document((INVOICES / name).read_bytes()).reading
            assert reading.reader.startswith("hybrid"), name
            assert not (passes(reading) and wrong_fields(row, reading)), name


def test_every_quote_of_every_value_stands_on_its_page(page_readings):
    for row, reading in page_readings:
        assert "quote-not-found" not in {check.id for check in reading.checks}, row["id"]
        for name, value in reading.fields.items():
            assert all(p.page and p.box and p.quote for p in value.passages), (row["id"], name)


@pytest.mark.slow
def test_scans_are_read_and_nothing_wrong_passes():
    fields = wrong = 0
    for row in rows():
        for name in (name for name in row["files"] if "/scan/" in name):
            result = read_document((INVOICES / name).read_bytes())
            missed = wrong_fields(row, result.reading)
            fields, wrong = fields + len(row["truth"]["visible_fields"]), wrong + len(missed)
            assert not (passes(result.reading) and missed), (name, missed)
            assert result.peak_rss_mb <= 512
    assert 1 - wrong / fields >= 0.8
