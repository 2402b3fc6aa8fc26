"""Agents that read an invoice and hold it against what was ordered and received."""

from collections.abc import Sized
from typing import Any

from pydantic import BaseModel

from orchestrator.documents.page_store import read_stored

from .base import AgentContext, Permanent, Result, agent
from .findings import stopping
from .invoices_differences import reading_differences
from .invoices_model import Invoice, invoice_of
from .invoices_order import OrderReport, order_report
from .reports import DocumentReport, as_read, evidence_of

DECISIVE = ("invoice_number", "seller.name", "issue_date", "payable", "currency", "iban", "order_reference")


class ReadInput(BaseModel):
    input: dict[str, Any]


class ReadReport(DocumentReport):
    """`invoice` is what later steps use and people correct."""

    invoice: Invoice


@agent("invoices.read", version="1", lane="ocr")
def read(case: ReadInput, ctx: AgentContext) -> Result[ReadReport]:
    """Reads the run's document. A document that cannot be read is an answer too: refused, with the reason."""
    document = ctx.document("document")
    if document is None:
        raise Permanent("document: the run has no document in the role 'document'; start it with one")
    result = read_stored(document, expected="invoice")
    reading = result.reading
    report = ReadReport(
        **as_read(document, result),
        invoice=invoice_of(reading),
        discrepancies=reading_differences(reading),
        **stopping(reading.checks),
    )
    return Result(report, reading.confidence, _rationale(report), evidence_of(document, reading, DECISIVE))


def _rationale(report: ReadReport) -> str:
    if report.refusal:
        return report.refusal
    notes = len(report.checks) - report.stops
    held = "all checks hold" if not report.checks else f"{report.stops} checks stop it, {notes} are notes"
    number = report.invoice.invoice_number or "without a number"
    return f"Invoice {number} with {_lines(report.invoice.lines)} read by {report.reading.reader}; {held}."


class Read(BaseModel):
    """What later steps use of the reading."""

    invoice: Invoice
    document: str | None = None


class Vendor(BaseModel):
    """What later steps use of the vendor lookup."""

    known: bool = False
    vendor_id: str | None = None
    name: str | None = None
    vat_id: str | None = None
    iban: str | None = None
    iban_changed_at: str | None = None


class MatchInput(BaseModel):
    read: Read
    vendor: Vendor


@agent("invoices.match_order", version="1", sources=["purchase-orders", "receipts", "tolerances", "payment-history"])
def match_order(case: MatchInput, ctx: AgentContext) -> Result[OrderReport]:
    """Three-way match: invoice, order, and what was received, within the vendor's tolerances."""
    report, confidence = order_report(case.read.invoice, case.vendor.vendor_id, ctx.source)
    return Result(report, confidence, _match_rationale(report))


def _match_rationale(report: OrderReport) -> str:
    if not report.found:
        return report.discrepancies[0].message
    verdict = "differs" if report.stops else "agrees"
    return f"{_lines(report.matched_lines)} matched to order {report.order_number}; the invoice {verdict}."


def _lines(found: Sized) -> str:
    return "1 line" if len(found) == 1 else f"{len(found)} lines"
