"""Is one purchase invoiced in parts, each below a limit? Pure: rows of the payment history, and of the register of what
was handed in, against one invoice."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from .base import REVERSED
from .duplicates import counts, same_seller
from .invoices_model import Invoice
from .matching import compact, number

WINDOW_DAYS = 7
OVER = ("succeeded", "failed", "cancelling", "cancelled", "rejected", REVERSED)  # how a run stands that pays no more


def week_total(invoice: Invoice, rows: Iterable[dict[str, Any]], *, vendor_id: str | None) -> str | None:
    """What is to be paid, with what the same vendor was or is to be paid for other invoices in the same currency that
    are dated at most WINDOW_DAYS before or after this one. None where this one's own amount is not known."""
    own = number(invoice.payable)
    if own is None:
        return None
    others = (number(row.get("gross_total")) for row in rows if _is_beside(invoice, row, vendor_id))
    return f"{sum((amount for amount in others if amount is not None and amount > 0), start=own):f}"


def under_way(
    entries: Iterable[dict[str, Any]], paid: Iterable[dict[str, Any]], *, before: int
) -> list[dict[str, Any]]:
    """The entries that were there before number `before` and are not paid yet: of two invoices that come at the same
    moment the later one sees the other."""
    known = {compact(row.get("invoice_number")) for row in paid}
    return [
        row
        for row in entries
        if row["entry"] < before and row["status"] not in OVER and compact(row.get("invoice_number")) not in known
    ]


def _is_beside(invoice: Invoice, row: dict[str, Any], vendor_id: str | None) -> bool:
    return (
        counts(row)
        and same_seller(invoice, row, vendor_id)
        and (row.get("currency") or invoice.currency) == invoice.currency
        and compact(row.get("invoice_number")) != compact(invoice.invoice_number)
        and _days_apart(invoice.issue_date, row.get("issue_date")) <= WINDOW_DAYS
    )


def _days_apart(one: str | None, other: Any) -> int:
    try:
        return abs((date.fromisoformat(str(one)) - date.fromisoformat(str(other))).days)
    except ValueError:
        return WINDOW_DAYS + 1
