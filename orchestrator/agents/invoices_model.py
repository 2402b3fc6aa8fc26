"""An invoice as agents pass it on: plain values, nested, corrected by people where they disagreed. No Django.

Amounts are decimal strings, dates ISO 8601, absent is None. `Reading` beside it tells how each value was found.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict

from orchestrator.documents.reading import Reading


class _Values(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Party(_Values):
    """Seller or buyer."""

    name: str | None = None
    trading_name: str | None = None
    vat_id: str | None = None
    tax_number: str | None = None
    legal_id: str | None = None
    id: str | None = None
    country: str | None = None
    address: str | None = None
    email: str | None = None


class InvoiceLine(_Values):
    """One line. `unit_price` is for `price_base_qty` units, for one where that is absent."""

    id: str | None = None
    name: str | None = None
    description: str | None = None
    seller_item_id: str | None = None
    buyer_item_id: str | None = None
    order_line_id: str | None = None
    quantity: str | None = None
    unit: str | None = None
    unit_price: str | None = None
    price_base_qty: str | None = None
    net_amount: str | None = None
    tax_category: str | None = None
    tax_rate: str | None = None


class Invoice(_Values):
    """What the flow works with."""

    document_type: str | None = None
    type_code: str | None = None
    invoice_number: str | None = None
    issue_date: str | None = None
    due_date: str | None = None
    currency: str | None = None
    buyer_reference: str | None = None
    order_reference: str | None = None
    contract_reference: str | None = None
    preceding_invoice: str | None = None
    seller: Party = Party()
    buyer: Party = Party()
    payee: Party = Party()
    iban: str | None = None
    payment_reference: str | None = None
    payment_terms: str | None = None
    line_total: str | None = None
    allowances: str | None = None
    charges: str | None = None
    net_total: str | None = None
    tax_total: str | None = None
    gross_total: str | None = None
    prepaid: str | None = None
    payable: str | None = None
    lines: list[InvoiceLine] = []


def invoice_of(reading: Reading) -> Invoice:
    """The values of a reading, without how they were found."""
    nested: dict[str, Any] = {}
    for name, found in reading.fields.items():
        party, _, field = name.partition(".")
        if not field:
            nested[name] = found.value
        elif party in ("seller", "buyer", "payee"):
            nested.setdefault(party, {})[field] = found.value
    nested["lines"] = [{name: found.value for name, found in line.items()} for line in reading.lines]
    return Invoice.model_validate(nested)
