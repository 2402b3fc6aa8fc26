"""What can be done outside: each kind of effect, how its payload is made from the case, and who carries it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop as _

from orchestrator.agents.corrected_totals import payable_after
from orchestrator.definitions import lookup

from .base import Connector
from .http import HttpConnector
from .ledger import LedgerConnector

Payload = dict[str, str | None]
BEFORE = "before-corrections"  # where a payload finds what stood at each corrected pointer; no step's name
CONFIRMED_EFFECT = "confirmed-effect"  # where the payload of a taking back finds what is taken back; no step's name


class PayloadProblem(ValueError):
    """The case does not hold what the effect needs; the message says what is missing, in a clerk's words."""


@dataclass(frozen=True, slots=True)
class Action:
    """`question` is what the reviewer is asked, made from the payload. `history` gives the row that later runs find in
    the table source `history_source` once it is confirmed."""

    kind: str
    title: str
    payload: Callable[[Mapping[str, Any]], Payload]
    question: str
    required: tuple[str, ...]
    history_source: str = ""
    history: Callable[[Mapping[str, Any]], dict[str, Any]] | None = None


_actions: dict[str, Action] = {}


def action(kind: str, **described: Any) -> Callable:
    """Registers the function that makes the payload of an effect kind from the case data."""

    def register(function: Callable[[Mapping[str, Any]], Payload]) -> Callable:
        _actions[kind] = Action(kind, payload=function, **described)
        return function

    return register


def get_action(kind: str) -> Action:
    return _actions[kind]


def action_kinds() -> list[str]:
    return sorted(_actions)


def questions() -> list[str]:
    """Every form of a question there is."""
    return [found.question for found in _actions.values()]


def connector_for(kind: str) -> Connector:
    """The ERP where one is configured, else the built-in ledger."""
    return HttpConnector() if settings.ERP_BASE_URL else LedgerConnector()


def payload_of(kind: str, data: Mapping[str, Any]) -> Payload:
    """The payload for this case; PayloadProblem names what is missing."""
    found = get_action(kind)
    payload = found.payload(data)
    missing = [name for name in found.required if not payload.get(name)]
    if missing:
        raise PayloadProblem(f"{found.title} needs {', '.join(name.replace('_', ' ') for name in missing)}")
    return payload


def paid_row(data: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the payment history: what the screening of later invoices compares with."""
    invoice, seller = data["read"]["invoice"], data["read"]["invoice"].get("seller") or {}
    named = {line["line"]: line["order_line"] for line in lookup(data, ["order", "matched_lines"]) or []}
    lines = invoice.get("lines") or []
    return {
        "vendor_id": lookup(data, ["vendor", "vendor_id"]),
        "seller": seller.get("name"),
        "seller_vat_id": seller.get("vat_id"),
        **{
            name: invoice.get(name) for name in ("invoice_number", "issue_date", "gross_total", "net_total", "currency")
        },
        "order_reference": invoice.get("order_reference"),
        "document_sha256": lookup(data, ["read", "sha256"]),
        "status": "paid",
        "lines": [{"order_line_id": named.get(line["id"]), "quantity": line["quantity"]} for line in lines],
    }


@action(
    "erp.pay_invoice",
    title=_("Pay the invoice"),
    question=_("Pay {vendor_name} {amount} {currency} for invoice {invoice_number}?"),
    required=("vendor_id", "vendor_name", "invoice_number", "amount", "currency"),
    history_source="payment-history",
    history=paid_row,
)
def pay_invoice(data: Mapping[str, Any]) -> Payload:
    invoice, vendor = lookup(data, ["read", "invoice"]) or {}, data.get("vendor") or {}
    return {
        "vendor_id": vendor.get("vendor_id"),
        "vendor_name": vendor.get("name"),
        "invoice_number": invoice.get("invoice_number"),
        "amount": payable_after(invoice, data.get(BEFORE) or {}),
        "currency": invoice.get("currency"),
        "iban": invoice.get("iban") or vendor.get("iban"),
        "due_date": invoice.get("due_date"),
        "order_reference": invoice.get("order_reference"),
    }


@action(
    "erp.reverse_payment",
    title=_("Reverse the payment"),
    question=_("Reverse the payment of invoice {invoice_number} to {vendor_name}?"),
    required=("vendor_id", "invoice_number", "amount", "currency"),
)
def reverse_payment(data: Mapping[str, Any]) -> Payload:
    """The payment as it was made, named by the reference it was confirmed under."""
    paid = lookup(data, [CONFIRMED_EFFECT, "payload"]) or pay_invoice(data)
    names = ("vendor_id", "vendor_name", "invoice_number", "amount", "currency")
    return {name: paid.get(name) for name in names} | {"reverses": lookup(data, [CONFIRMED_EFFECT, "ref"])}


@action(
    "erp.reimburse",
    title=_("Reimburse the claim"),
    question=_("Reimburse {employee_name} {amount} {currency} for {shop} on {date}?"),
    required=("employee", "shop", "date", "amount", "currency"),
)
def reimburse(data: Mapping[str, Any]) -> Payload:
    """To whoever handed the receipt in; the amount is the receipt's total as it was approved."""
    receipt, claim, said = lookup(data, ["read", "receipt"]) or {}, data.get("claim") or {}, data.get("input") or {}
    return {
        "employee": claim.get("started_by"),
        "employee_name": claim.get("started_by_name"),
        "shop": receipt.get("company"),
        "date": receipt.get("date"),
        "receipt_number": receipt.get("receipt_number"),
        "amount": receipt.get("total"),
        "currency": receipt.get("currency"),
        "category": said.get("category"),
        "purpose": said.get("purpose"),
    }


@action(
    "erp.reverse_reimbursement",
    title=_("Take the reimbursement back"),
    question=_("Take back from {employee_name} {amount} {currency} for {shop} on {date}?"),
    required=("employee", "amount", "currency"),
)
def reverse_reimbursement(data: Mapping[str, Any]) -> Payload:
    """The reimbursement as it was made, named by the reference it was confirmed under."""
    made = lookup(data, [CONFIRMED_EFFECT, "payload"]) or reimburse(data)
    names = ("employee", "employee_name", "shop", "date", "receipt_number", "amount", "currency")
    return {name: made.get(name) for name in names} | {"reverses": lookup(data, [CONFIRMED_EFFECT, "ref"])}
