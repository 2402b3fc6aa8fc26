"""What stands against reimbursing a receipt, in words for a clerk. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Literal

from orchestrator.documents.reading import Reading
from orchestrator.documents.receipts_compare import Fingerprint, compare_receipts

from .base import REVERSED
from .expenses_model import NO_NUMBER, Claimed, Receipt
from .findings import Discrepancy, Option
from .invoices_differences import label
from .matching import number, plain

UNCERTAIN = 0.85  # below it a person is shown what else the value might be
DECISIVE = ("company", "date", "total")
REFUSED = frozenset({"rejected", "cancelled", "failed"})  # how a run ends that reimbursed nothing
STANDING = {
    "succeeded": "reimbursed",
    REVERSED: "reimbursed, and taken back",
    "waiting": "waiting for a person",
    "running": "under way",
}


def reading_differences(reading: Reading, receipt: Receipt) -> Iterator[Discrepancy]:
    """What was not found, and what else a value may be that is not certain."""
    for check in reading.checks:
        if check.severity == "stop":
            field = check.fields[0] if check.fields else ""
            kind = "value_missing" if check.id == "field-not-found" else check.id.replace("-", "_")
            yield _difference(kind, "stop", label(field) or "Reading", check.message, field)
    if receipt.total and not receipt.currency:
        yield _difference("value_missing", "stop", "Currency", "The receipt does not say its currency.", "currency")
    for name in DECISIVE:
        found = reading.fields.get(name)
        if found and found.value and found.confidence < UNCERTAIN:
            message = (
                f"The {label(name).lower()} was read as {found.value} with a confidence of {found.confidence:.2f}."
            )
            others = [Option(value=value, source=said) for said, value in found.readings.items() if value]
            options = distinct([Option(value=found.value, source="receipt"), *others])
            yield _difference("uncertain", "note", f"{label(name)} is uncertain", message, name, options)


def _difference(
    kind: str, severity: Literal["stop", "note"], title: str, message: str, field: str, options: Iterable[Option] = ()
) -> Discrepancy:
    pointer = f"/read/receipt/{field}" if field in Receipt.model_fields else None
    return Discrepancy(
        kind=kind, severity=severity, title=title, message=message, pointer=pointer, options=list(options)
    )


def distinct(options: Iterable[Option]) -> list[Option]:
    """One option for each value, the first who says it."""
    return list({option.value: option for option in reversed(list(options))}.values())[::-1]


def claim_differences(
    receipt: Receipt, claimed: Claimed, today: date, max_age_days: int | None
) -> Iterator[Discrepancy]:
    """What the claimant says against the receipt, and the receipt's day against the day it was handed in."""
    total, wanted = number(receipt.total), claimed.claimed and number(claimed.claimed.amount)
    if claimed.claimed and total is not None and (wanted != total or claimed.claimed.currency != receipt.currency):
        said = f"{plain(wanted or total)} {claimed.claimed.currency}"
        options = [Option(value=receipt.total, source="receipt"), Option(value=claimed.claimed.amount, source="claim")]
        message = f"Claimed are {said}; the receipt says {plain(total)} {receipt.currency or 'without a currency'}."
        yield _difference("amount_differs", "stop", "Amount", message, "total", distinct(options))
    day = day_of(receipt.date)
    if day and day > today + timedelta(days=1):
        message = f"The receipt is of {day}, which is after the day it was handed in, {today}."
        yield _difference("date_in_future", "stop", "Date", message, "date")
    elif day and max_age_days is not None and (today - day).days > max_age_days:
        age = (today - day).days
        message = f"The receipt is {age} days old; claims are to be made within {max_age_days} days."
        yield _difference("too_old", "stop", "Date", message, "date")


def day_of(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def known_claims(
    mine: Fingerprint, rows: Iterable[dict[str, Any]], *, before: int | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, entry) of earlier claims for the same receipt, or for one that can hardly be told from it. `before` is the
    number of this claim's own entry: who comes later looks at the earlier ones, never the other way round."""
    for row in rows:
        earlier = before is None or int(row.get("entry", 0)) < before
        verdict = compare_receipts(mine, fingerprint_of(row)) if earlier else "different"
        if verdict != "different" and row.get("status") in REFUSED:
            yield "refused_before", row
        elif verdict != "different":
            yield {"duplicate": "duplicate_receipt", "near_miss": "near_miss"}[verdict], row


def fingerprint_of(row: Mapping[str, Any]) -> Fingerprint:
    """Of a receipt's values or an entry of the register. The time of day in place of a number is no number."""
    number_ = row.get("receipt_number")
    return Fingerprint(
        company=row.get("company"),
        date=row.get("date"),
        total=row.get("total"),
        number=None if number_ in (NO_NUMBER, row.get("time")) else number_,
        time=row.get("time"),
        sha256=row.get("sha256") or "",
        image=row.get("image"),
    )


def claim_difference(kind: str, row: Mapping[str, Any], mine: Fingerprint, receipt: Receipt) -> Discrepancy:
    status = str(row.get("status") or "reimbursed")
    total = f"{row.get('total') or 'an unknown amount'} {row.get('currency') or ''}".strip()
    where = f"{row.get('company') or 'an unknown shop'} on {row.get('date') or 'an unknown day'} for {total}"
    claim = f"{row.get('started_by_name') or 'somebody'} claimed {where}, handed in {row.get('started_on') or 'before'}"
    claim += f" ({STANDING.get(status, status)})"
    same = "This very file was handed in before" if row.get("sha256") == mine.sha256 else "It is the same receipt"
    severity: Literal["stop", "note"] = "note" if kind == "refused_before" else "stop"
    title, message = {
        "duplicate_receipt": ("Claimed before", f"{same}: {claim}."),
        "near_miss": ("Much like another", f"Same shop, date and total under another number or time: {claim}."),
        "refused_before": ("Claimed before and refused", f"{claim}."),
    }[kind]
    options = [
        Option(value=receipt.receipt_number, source="this receipt"),
        Option(value=row.get("receipt_number"), source="the other receipt"),
    ]
    found = _difference(kind, severity, title, message, "receipt_number", options)
    return found.model_copy(update={"earlier": row.get("claim")})
