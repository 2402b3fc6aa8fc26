"""Is the money asked to the account we know? Pure."""

from collections.abc import Iterator
from datetime import date

from .findings import Discrepancy, Option
from .invoices_model import Invoice
from .matching import compact

RECENT_DAYS = 30  # an account changed so shortly before an invoice is how payments are diverted


def account_differences(
    invoice: Invoice, *, vendor_name: str | None, iban: str | None, changed_at: str | None
) -> Iterator[Discrepancy]:
    """`iban` and `changed_at` (ISO date) are those of our record of the vendor."""
    vendor = vendor_name or "the vendor"
    if invoice.iban and iban and compact(invoice.iban) != compact(iban):
        yield _changed(invoice, vendor, iban)
    elif invoice.iban and not iban:
        yield _unconfirmed(invoice, vendor)
    elif not invoice.iban and not iban:
        yield _no_account(vendor)
    if iban and _changed_shortly_before(invoice.issue_date, changed_at):
        yield _recent(invoice, vendor, iban, changed_at or "")


def _changed(invoice: Invoice, vendor: str, iban: str) -> Discrepancy:
    return Discrepancy(
        kind="bank_account_changed",
        severity="stop",
        title="Bank account changed",
        message=(
            f"The invoice asks for payment to {invoice.iban}, our record of {vendor} says {iban}."
            " Call the vendor on a number you already have before you approve the new account."
        ),
        pointer="/read/invoice/iban",
        options=[Option(value=invoice.iban, source="invoice"), Option(value=iban, source="vendor master")],
    )


def _unconfirmed(invoice: Invoice, vendor: str) -> Discrepancy:
    return Discrepancy(
        kind="bank_account_unconfirmed",
        severity="stop",
        title="Bank account not on record",
        message=f"The invoice asks for payment to {invoice.iban}, but we have no account of {vendor} on record.",
        pointer="/read/invoice/iban",
        options=[Option(value=invoice.iban, source="invoice"), Option(value=None, source="vendor master")],
    )


def _no_account(vendor: str) -> Discrepancy:
    return Discrepancy(
        kind="bank_account_absent",
        severity="note",
        title="No bank account",
        message=f"Neither the invoice nor our record of {vendor} names an account: the ERP's payment terms apply.",
    )


def _changed_shortly_before(issued: str | None, changed_at: str | None) -> bool:
    try:
        days = (date.fromisoformat(issued or "") - date.fromisoformat((changed_at or "")[:10])).days
    except ValueError:
        return False
    return days <= RECENT_DAYS


def _recent(invoice: Invoice, vendor: str, iban: str, changed_at: str) -> Discrepancy:
    return Discrepancy(
        kind="bank_account_recent",
        severity="stop",
        title="Bank account changed recently",
        message=(
            f"The account of {vendor} was changed to {iban} on {changed_at[:10]}, within {RECENT_DAYS} days before"
            f" the invoice of {invoice.issue_date} or after it."
        ),
        pointer="/read/invoice/iban",
    )
