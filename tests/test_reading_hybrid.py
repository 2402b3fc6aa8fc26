"""A PDF with embedded data: the data is read, the page is its witness, and each difference is put before a person."""

import io

import pypdfium2 as pdfium
import pytest

from orchestrator.agents.invoices_differences import reading_differences
from orchestrator.documents.hybrid import merge, read_attachments
from orchestrator.documents.invoice_pdf import read_invoice_pages
from orchestrator.documents.pdf import read_pdf
from orchestrator.documents.reading import Check, ReadValue
from orchestrator.documents.sandbox import PASS_CONFIDENCE, read_document
from tests.data_sets import DATA
from tests.reading_papers import Sheet, german_invoice, pdf, with_attachment

SAMPLE = DATA / "invoice_pdf/files/hybrid/fx-en16931-miete.pdf"
pytestmark = pytest.mark.skipif(not SAMPLE.exists(), reason="the shared data is not there: set COUNTERSIGN_DATA")


def embedded() -> bytes:
    return read_pdf(SAMPLE.read_bytes()).attachments[0][1]


def page_only() -> bytes:
    return (DATA / "invoice_pdf/files/plain/fx-en16931-miete.pdf").read_bytes()


ACCOUNT = "DE02120300000000202051"


def page_with_account() -> bytes:
    """The page and a second one that prints an account."""
    merged = pdfium.PdfDocument(page_only())
    merged.import_pages(pdfium.PdfDocument(pdf(Sheet().text(60, 60, f"IBAN {ACCOUNT}"))))
    buffer = io.BytesIO()
    merged.save(buffer)
    return buffer.getvalue()


def stops(data: bytes) -> dict[str, set[str]]:
    """The fields of each stopping check."""
    found: dict[str, set[str]] = {}
    for check in read_document(data).reading.checks:
        if check.severity == "stop":
            found.setdefault(check.id, set()).update(check.fields)
    return found


def test_data_and_page_that_agree_pass_with_both_as_evidence():
    result = read_document(SAMPLE.read_bytes())
    gross = result.reading.fields["gross_total"]
    assert result.reading.reader.startswith("hybrid")
    assert gross.readings["data"] == gross.readings["page"] == "340.96"
    assert gross.passages[0].page == 4
    assert gross.passages[0].box
    assert result.reading.confidence >= PASS_CONFIDENCE["invoice"]
    assert stops(SAMPLE.read_bytes()) == {}


@pytest.mark.parametrize(
    ("old", "new", "check", "field"),
    [
        (b">340.96<", b">940.96<", "page-differs", "gross_total"),
        (b">9314110911/00/M/00/N<", b">9314110911/00/M/00/X<", "page-differs", "invoice_number"),
        (b">MUSTER-Autovermietung<", b">Andere Firma GmbH<", "page-differs", "seller.name"),
    ],
)
def test_data_that_says_something_else_than_the_page_stops(old, new, check, field):
    assert old in embedded()
    found = stops(with_attachment(page_only(), "factur-x.xml", embedded().replace(old, new)))
    assert field in found[check]


def test_two_different_invoices_in_one_file_stop():
    other = embedded().replace(b">340.96<", b">1.00<")
    twice = with_attachment(with_attachment(page_only(), "factur-x.xml", embedded()), "zugferd-invoice.xml", other)
    assert "gross_total" in stops(twice)["embedded-xml-rival"]


def test_broken_data_is_said_and_the_page_is_read():
    reading = read_document(with_attachment(page_only(), "factur-x.xml", embedded()[:2000])).reading
    assert "embedded-xml-unreadable" in {check.id for check in reading.checks}
    assert reading.value("gross_total") == "340.96"


def test_data_of_another_invoice_than_the_one_printed_stops():
    found = stops(with_attachment(pdf(german_invoice()), "factur-x.xml", embedded()))
    found.setdefault("not-on-page", set())
    assert {"invoice_number", "gross_total", "seller.name"} <= found["page-differs"] | found["not-on-page"]


def test_an_attachment_that_is_no_invoice_does_not_replace_the_page():
    reading = read_document(with_attachment(pdf(german_invoice()), "readme.txt", b"only words")).reading
    assert reading.reader == "invoice-page/1"


def test_a_name_with_its_legal_form_is_the_same_party():
    content = read_pdf(SAMPLE.read_bytes())
    xml, problems = read_attachments(content.attachments)
    page = xml.model_copy(deep=True)
    page.fields["seller.name"].value = "MUSTER-Autovermietung GmbH"
    assert problems == []
    assert "seller.name" not in {name for check in merge(xml, page, content.pages).checks for name in check.fields}


def test_a_wrong_account_that_only_the_page_names_stops():
    content = read_pdf(SAMPLE.read_bytes())
    xml, _ = read_attachments(content.attachments)
    assert xml.value("iban") is None
    page = read_invoice_pages(read_pdf(pdf(german_invoice())).pages)
    page.checks.append(Check(id="iban-checksum", severity="stop", message="The IBAN is wrong.", fields=["iban"]))
    assert "iban-checksum" in {check.id for check in merge(xml, page, content.pages).checks}
    xml.fields["iban"] = ReadValue(value="DE02120300000000202051")
    assert "iban-checksum" not in {check.id for check in merge(xml, page, content.pages).checks}


def test_an_account_that_only_the_page_names_is_offered_with_both_sources():
    reading = read_document(with_attachment(page_with_account(), "factur-x.xml", embedded())).reading
    (found,) = [one for one in reading_differences(reading) if one.kind == "only_on_page"]
    assert [(option.source, option.value) for option in found.options] == [("data", None), ("page", ACCOUNT)]


def test_a_total_that_differs_is_offered_as_the_data_and_as_the_page_say_it():
    changed = embedded().replace(b">340.96<", b">940.96<")
    reading = read_document(with_attachment(page_only(), "factur-x.xml", changed)).reading
    found = {one.pointer: one for one in reading_differences(reading) if one.kind == "page_differs"}
    options = [(option.source, option.value) for option in found["/read/invoice/gross_total"].options]
    assert options == [("data", "940.96"), ("page", "340.96")]
    assert "embedded data says 940.96, the page says 340.96" in found["/read/invoice/gross_total"].message
