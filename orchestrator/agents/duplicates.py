"""Was this invoice paid before? Pure: rows of the payment history against one invoice."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .base import REVERSED
from .findings import Discrepancy, Option
from .invoices_model import Invoice
from .matching import compact, name_key, number, plain

DEAD = frozenset({"cancelled", "rejected", REVERSED, "void"})  # states in which nothing was or will be paid
AGAIN = frozenset({"duplicate_document", "duplicate_exact", "number_reused"})  # what is paid anew after a reversal
TITLES = {"number_reused": "Number used before", "reversed_before": "Paid before and reversed"}
PART_OF = 4  # a number that continues another must share at least so many characters with it


@dataclass(frozen=True, slots=True)
class Known:
    """How a row of the history relates to the invoice."""

    kind: str
    row: dict[str, Any]


def counts(row: dict[str, Any]) -> bool:
    return state_of(row) not in DEAD


def state_of(row: dict[str, Any]) -> str:
    return str(row.get("status") or "paid").lower()


def find_duplicates(
    invoice: Invoice, rows: Iterable[dict[str, Any]], *, vendor_id: str | None, sha256: str
) -> Iterator[Known]:
    """Rows that are this invoice again, each once, by the strongest reason."""
    for row in rows:
        kind = duplicate_kind(invoice, row, vendor_id=vendor_id, sha256=sha256)
        if kind and counts(row):
            yield Known(kind, row)
        elif kind in AGAIN and state_of(row) == REVERSED:
            yield Known("reversed_before", row)


def duplicate_kind(invoice: Invoice, row: dict[str, Any], *, vendor_id: str | None, sha256: str) -> str:
    """The kind of duplicate, or "". The same amount alone is none: rent and subscriptions repeat."""
    if sha256 and row.get("document_sha256") == sha256:
        return "duplicate_document"
    if not same_seller(invoice, row, vendor_id):
        return ""
    same_amount = amounts_agree(invoice, row)
    ours, theirs = compact(invoice.invoice_number), compact(row.get("invoice_number"))
    if ours and ours == theirs:
        return "duplicate_exact" if same_amount or row.get("gross_total") is None else "number_reused"
    same_day = bool(invoice.issue_date) and invoice.issue_date == row.get("issue_date")
    return "duplicate_renumbered" if same_amount and (same_day or _continues(ours, theirs)) else ""


def same_seller(invoice: Invoice, row: dict[str, Any], vendor_id: str | None) -> bool:
    """By our vendor number, else by VAT id, else by name."""
    pairs = (
        (vendor_id, row.get("vendor_id")),
        (compact(invoice.seller.vat_id), compact(row.get("seller_vat_id"))),
        (name_key(invoice.seller.name), name_key(row.get("seller"))),
    )
    for ours, theirs in pairs:
        if ours and theirs:
            return ours == theirs
    return False


def amounts_agree(invoice: Invoice, row: dict[str, Any]) -> bool:
    ours, theirs = number(invoice.gross_total), number(row.get("gross_total"))
    one_currency = not (invoice.currency and row.get("currency")) or invoice.currency == row["currency"]
    return ours is not None and ours == theirs and one_currency


def _continues(ours: str, theirs: str) -> bool:
    """ "18383" and "18383A": one number begins with the other."""
    shorter, longer = sorted((ours, theirs), key=len)
    return len(shorter) >= PART_OF and longer.startswith(shorter)


def duplicate_difference(invoice: Invoice, known: Known) -> Discrepancy:
    """The duplicate in words for a clerk, with what both say."""
    row, currency = known.row, invoice.currency or ""
    other = f"invoice {row.get('invoice_number')} of {row.get('issue_date') or 'an unknown day'}"
    paid = (
        f"{other}, {_amount(row.get('gross_total'))} {row.get('currency') or currency} ({row.get('status') or 'paid'})"
    )
    this = f"invoice {invoice.invoice_number} of {invoice.issue_date}, {_amount(invoice.gross_total)} {currency}"
    message = {
        "duplicate_document": f"This very document was handed in before as {paid}.",
        "duplicate_exact": f"This invoice was handed in before: {paid}.",
        "duplicate_renumbered": f"It looks like a copy under another number: this is {this}; known is {paid}.",
        "reversed_before": f"It was paid before, and that was taken back: {paid}. This is {this}.",
        "number_reused": f"The seller used this number before for another amount: this is {this}; known is {paid}.",
    }[known.kind]
    return Discrepancy(
        kind=known.kind,
        severity="stop",
        title=TITLES.get(known.kind, "Possible duplicate"),
        message=message,
        earlier=row.get("payment_id"),
        pointer="/read/invoice/invoice_number",
        options=[
            Option(value=invoice.invoice_number, source="invoice"),
            Option(value=row.get("invoice_number"), source="payment history"),
        ],
    )


def _amount(value: str | None) -> str:
    found = number(value)
    return plain(found) if found is not None else "an unknown amount"
