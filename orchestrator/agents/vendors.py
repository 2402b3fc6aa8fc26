"""Agent that finds the vendor of an invoice in the vendor master."""

from pydantic import BaseModel

from .base import AgentContext, Result, Source, agent
from .findings import Compared, Discrepancy, stopping
from .invoices_model import Invoice
from .matching import compact, name_key
from .vendors_lookup import BY_IBAN, BY_NAME, BY_VAT_ID, Found, certainty, choose, vendor_differences


class Read(BaseModel):
    invoice: Invoice


class LookupInput(BaseModel):
    read: Read


class VendorReport(Compared):
    """`match` tells what led to the vendor. `iban` and `vat_id` are those of our record."""

    known: bool
    vendor_id: str | None = None
    name: str | None = None
    vat_id: str | None = None
    iban: str | None = None
    iban_changed_at: str | None = None
    flagged: bool = False
    flag_reason: str = ""
    blocked: bool = False
    match: str = ""


@agent("vendors.lookup", version="1", sources=["vendor-master"])
def lookup(case: LookupInput, ctx: AgentContext) -> Result[VendorReport]:
    """By VAT id, then bank account, then name: the first that leads to a vendor counts."""
    invoice = case.read.invoice
    found = find_vendor(invoice, ctx.source("vendor-master"))
    report = report_of(found, list(vendor_differences(found, invoice.seller)))
    if found is None:
        return Result(report, 1.0, report.discrepancies[0].message)
    rationale = f"{report.name} ({report.vendor_id}) found by its {found.by}."
    return Result(report, certainty(found, invoice.seller), rationale)


def find_vendor(invoice: Invoice, vendors: Source) -> Found | None:
    seller = invoice.seller
    searches = (
        (BY_VAT_ID, "vat_id", compact(seller.vat_id)),
        (BY_IBAN, "iban", compact(invoice.iban)),
        (BY_NAME, "name_key", name_key(seller.name)),
    )
    for by, field, value in searches:
        found = choose(vendors.find(**{field: value}), by, seller, invoice.iban) if value else None
        if found:
            return found
    return None


def report_of(found: Found | None, differences: list[Discrepancy]) -> VendorReport:
    if found is None:
        return VendorReport(known=False, discrepancies=differences, **stopping(differences))
    row = found.row
    return VendorReport(
        known=True,
        vendor_id=row.get("vendor_id"),
        name=row.get("name"),
        vat_id=row.get("vat_id"),
        iban=row.get("iban"),
        iban_changed_at=row.get("iban_changed_at"),
        flagged=bool(row.get("flagged")),
        flag_reason=row.get("flag_reason") or "",
        blocked=bool(row.get("blocked")),
        match=found.by,
        discrepancies=differences,
        **stopping(differences),
    )
