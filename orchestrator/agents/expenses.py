"""Agents of expense claims: read the receipt, look for the same one among the claims, hold it against the rules."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from pydantic import BaseModel

from orchestrator.documents.page_store import read_stored

from .base import AgentContext, Permanent, Result, agent
from .expenses_differences import (
    DECISIVE,
    claim_difference,
    claim_differences,
    fingerprint_of,
    known_claims,
    reading_differences,
)
from .expenses_model import Claimed, Receipt, receipt_of
from .findings import Compared, stopping
from .reports import DocumentReport, as_read, evidence_of

NO_LIMIT = "0"  # a policy's amount has a value; whether it means anything is another fact, `limited`
SHOWN = 5  # earlier claims told of; more would be the same story


class ReadInput(BaseModel):
    input: Claimed


class ReadReport(DocumentReport):
    """`receipt` is what later steps use and people correct."""

    image_hash: str | None = None
    receipt: Receipt


@agent("expenses.read", version="1", lane="ocr")
def read(case: ReadInput, ctx: AgentContext) -> Result[ReadReport]:
    """Reads the receipt. One that cannot be read is an answer too: refused, with the reason."""
    document = ctx.document("receipt")
    if document is None:
        raise Permanent("receipt: the run has no document in the role 'receipt'; start it with one")
    result = read_stored(document, expected="receipt")
    reading, receipt = result.reading, receipt_of(result.reading, case.input)
    differences = list(reading_differences(reading, receipt))
    report = ReadReport(
        **as_read(document, result),
        image_hash=result.image_hash,
        receipt=receipt,
        discrepancies=differences,
        **stopping(differences),
    )
    evidence = evidence_of(document, reading, (*DECISIVE, "receipt_number"))
    return Result(report, reading.confidence, _rationale(report), evidence)


def _rationale(report: ReadReport) -> str:
    receipt = report.receipt
    if report.refusal:
        return report.refusal
    amount = f"{receipt.total or 'no total'} {receipt.currency or ''}".strip()
    return f"{receipt.company or 'An unknown shop'} on {receipt.date or 'an unknown day'}: {amount}."


class Read(BaseModel):
    """What later steps use of the reading."""

    receipt: Receipt
    sha256: str = ""
    image_hash: str | None = None


class DuplicateInput(BaseModel):
    read: Read


class DuplicateReport(Compared):
    """`duplicates` and `near_misses` count earlier claims that stand; those that were refused are only told of."""

    duplicates: int = 0
    near_misses: int = 0


@agent("expenses.find_duplicates", version="1", sources=["expense-claims"])
def find_duplicates(case: DuplicateInput, ctx: AgentContext) -> Result[DuplicateReport]:
    """Against every claim entered before this one, whether it was reimbursed, waits, or is still under way."""
    register, receipt = ctx.source("expense-claims"), case.read.receipt
    mine = fingerprint_of(
        receipt.model_dump() | {"sha256": case.read.sha256, "image": case.read.image_hash},
    )
    own = register.get(str(ctx.run_id))
    searches = {"sha256": case.read.sha256, "total": receipt.total, "date": receipt.date}
    rows = [row for field, value in searches.items() if value for row in register.find(**{field: value})]
    others = others_than(str(ctx.run_id), rows)
    found = list(known_claims(mine, others, before=own["entry"] if own else None))
    differences = [claim_difference(kind, row, mine, receipt) for kind, row in found[:SHOWN]]
    report = DuplicateReport(
        duplicates=sum(kind == "duplicate_receipt" for kind, _ in found),
        near_misses=sum(kind == "near_miss" for kind, _ in found),
        discrepancies=differences,
        **stopping(differences),
    )
    compared = [mine.company, mine.date, mine.total, mine.sha256, mine.number or mine.time, mine.image]
    return Result(report, sum(map(bool, compared)) / len(compared), _compared(report, len(others)))


def others_than(run_id: str, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each claim once, without this one."""
    return list({row["claim"]: row for row in rows if row["claim"] != run_id}.values())


def _compared(report: DuplicateReport, others: int) -> str:
    if report.discrepancies:
        return " ".join(found.message for found in report.discrepancies)
    return f"Compared with {others} claims of the same day or amount: none is for this receipt."


class Handed(BaseModel):
    """What later steps use of the entry in the register."""

    started_on: date


class RulesInput(BaseModel):
    input: Claimed
    read: Read
    claim: Handed


class RulesReport(Compared):
    """`limit` is the most that may be reimbursed for a receipt of the category, where `limited`. What the receipt says
    is no part of it: a total that people correct is held against the limit, never against what was read before."""

    checked: bool = True
    category: str
    limited: bool = False
    limit: str = NO_LIMIT
    limit_currency: str | None = None


@agent("expenses.check_rules", version="1", sources=["expense-rules"])
def check_rules(case: RulesInput, ctx: AgentContext) -> Result[RulesReport]:
    """What was claimed against the receipt, its age, and the limit of its category."""
    rules = ctx.source("expense-rules")
    wanted = case.input.category.strip().lower()
    rule = (rules.get(wanted) if wanted else None) or rules.get("default") or {}
    age = rule.get("max_age_days")
    found = claim_differences(case.read.receipt, case.input, case.claim.started_on, int(age) if age else None)
    differences, limited = list(found), bool(rule.get("limit"))
    report = RulesReport(
        category=str(rule.get("category") or wanted or "default"),
        limited=limited,
        limit=rule["limit"] if limited else NO_LIMIT,
        limit_currency=rule.get("currency") if limited else case.read.receipt.currency,
        discrepancies=differences,
        **stopping(differences),
    )
    return Result(report, 1.0, _held(report))


def _held(report: RulesReport) -> str:
    if report.discrepancies:
        return " ".join(found.message for found in report.discrepancies)
    limit = f"up to {report.limit} {report.limit_currency}" if report.limited else "without a limit"
    return f"Held against the rules for {report.category}: {limit}."
