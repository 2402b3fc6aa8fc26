"""Agent that screens a payment: was it made before, and does the money go where it went before?"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from .base import AgentContext, Result, Source, agent
from .duplicates import amounts_agree, duplicate_difference, find_duplicates
from .findings import Compared, Discrepancy, Recommendation, stopping
from .invoices_model import Invoice
from .matching import compact
from .payments_account import account_differences
from .splitting import under_way, week_total


class Read(BaseModel):
    invoice: Invoice


class Vendor(BaseModel):
    known: bool = False
    vendor_id: str | None = None
    name: str | None = None
    iban: str | None = None
    iban_changed_at: str | None = None


class Entry(BaseModel):
    """That the invoice is in the register of those handed in."""

    run: str


class ScreenInput(BaseModel):
    read: Read
    vendor: Vendor
    entry: Entry | None = None  # workflows published before there was the register have no such step


class Duplicate(BaseModel):
    """A payment known before, and how it relates to this invoice."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    invoice_number: str | None
    issue_date: str | None = None
    gross_total: str | None = None
    status: str = "paid"


class ScreenReport(Compared):
    """`screened` is true once this has run: policies on the amount wait for it."""

    screened: bool = True
    duplicates: list[Duplicate] = []
    bank_changed: bool = False
    week_total: str | None = None  # this invoice, and what the vendor gets for others of the same seven days
    recommendation: Recommendation | None = None


@agent("payments.screen", version="1", sources=["payment-history", "open-invoices"])
def screen(case: ScreenInput, ctx: AgentContext) -> Result[ScreenReport]:
    """Against the payment history and our record of the vendor's account."""
    invoice, vendor = case.read.invoice, case.vendor
    document = ctx.document("document")
    sha256 = document.sha256 if document else ""
    rows = candidates(invoice, vendor.vendor_id, sha256, ctx.source("payment-history"))
    beside = rows + (open_beside(vendor.vendor_id, rows, ctx) if case.entry else [])
    found = list(find_duplicates(invoice, rows, vendor_id=vendor.vendor_id, sha256=sha256))
    differences = [duplicate_difference(invoice, known) for known in found]
    if vendor.known:
        differences += account_differences(
            invoice, vendor_name=vendor.name, iban=vendor.iban, changed_at=vendor.iban_changed_at
        )
    stops = stopping(differences)
    report = ScreenReport(
        duplicates=[_duplicate(known.kind, known.row) for known in found],
        week_total=week_total(invoice, beside, vendor_id=vendor.vendor_id),
        bank_changed=any(difference.kind == "bank_account_changed" for difference in differences),
        discrepancies=differences,
        **stops,
        recommendation=recommend(differences) if stops["stops"] else Recommendation(verdict="approve", why=CLEAN),
    )
    return Result(report, confidence(invoice, vendor, rows), _rationale(report, len(rows)))


CLEAN = "It was not paid before, and the account is the one on record."


def recommend(differences: Iterable[Discrepancy]) -> Recommendation | None:
    """A second payment is refused; a changed account is for somebody who can call the vendor back."""
    stops = [difference for difference in differences if difference.severity == "stop"]
    changed = next((item for item in stops if item.kind == "bank_account_changed"), None)
    known = next((item for item in stops if "duplicate" in item.kind), None)
    if known is not None:
        return Recommendation(verdict="reject", why=known.message)
    return Recommendation(verdict="escalate", why=changed.message) if changed is not None else None


def candidates(invoice: Invoice, vendor_id: str | None, sha256: str, history: Source) -> list[dict[str, Any]]:
    """Rows that could be this invoice: of the same vendor, with its number or made from the same document."""
    searches = {
        "vendor_id": vendor_id,
        "seller_vat_id": compact(invoice.seller.vat_id),
        "invoice_number": invoice.invoice_number,
        "document_sha256": sha256,
    }
    return distinct(row for field, value in searches.items() if value for row in history.find(**{field: value}))


def open_beside(vendor_id: str | None, paid: list[dict[str, Any]], ctx: AgentContext) -> list[dict[str, Any]]:
    """What the vendor has handed in before this invoice and was not paid yet."""
    register = ctx.source("open-invoices")
    own = register.get(str(ctx.run_id))
    if own is None or not vendor_id:
        return []
    return under_way(register.find(vendor_id=vendor_id), paid, before=own["entry"])


def distinct(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({str(sorted(row.items(), key=str)): row for row in rows}.values())


def confidence(invoice: Invoice, vendor: Vendor, rows: list[dict[str, Any]]) -> float:
    """The share of what the screening compares that it could compare: number, amount, day, vendor, account; less where
    a known payment has the same amount and is yet no duplicate."""
    compared = [invoice.invoice_number, invoice.gross_total, invoice.issue_date, vendor.known, vendor.iban]
    alike = sum(amounts_agree(invoice, row) for row in rows)
    return round(sum(map(bool, compared)) / len(compared) / (1 + 0.1 * alike), 4)


def _duplicate(kind: str, row: dict[str, Any]) -> Duplicate:
    known = {name: row.get(name) for name in ("invoice_number", "issue_date", "gross_total")}
    return Duplicate(kind=kind, status=str(row.get("status") or "paid"), **known)


def _rationale(report: ScreenReport, compared: int) -> str:
    if report.stops:
        return " ".join(difference.message for difference in report.discrepancies if difference.severity == "stop")
    return f"Compared with {compared} earlier payments: no duplicate, and the account is the one on record."
