"""Who is the seller among the vendors we know? Pure: candidate rows against one invoice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .findings import Discrepancy, Option
from .invoices_model import Party
from .matching import compact, name_key, similarity

ALIKE = 0.6  # names below this are told to the reviewer although the VAT id fits
# How certain it is that a row is the seller, by what agrees.
BY_VAT_ID, BY_IBAN, BY_NAME = "VAT id", "bank account", "name"
CERTAIN = {BY_VAT_ID: 0.99, BY_IBAN: 0.9, BY_NAME: 0.85}


@dataclass(frozen=True, slots=True)
class Found:
    """A vendor row and what led to it; `rivals` are other rows that fit as well."""

    row: dict[str, Any]
    by: str
    rivals: tuple[dict[str, Any], ...] = ()


def choose(rows: Sequence[dict[str, Any]], by: str, seller: Party, iban: str | None) -> Found | None:
    """The row that fits best: among several of one VAT id the account decides, then the name."""
    if not rows:
        return None

    def fit(row: dict[str, Any]) -> tuple[bool, float]:
        same_account = bool(iban) and compact(row.get("iban")) == compact(iban)
        return same_account, similarity(row.get("name"), seller.name)

    best, *others = sorted(rows, key=fit, reverse=True)
    rivals = tuple(row for row in others if fit(row) == fit(best))
    return Found(best, by, rivals)


def certainty(found: Found, seller: Party) -> float:
    """0 to 1: by what agrees, more where the name agrees too, less where several rows fit."""
    alike = similarity(found.row.get("name"), seller.name)
    sure = CERTAIN[found.by] + (1 - CERTAIN[found.by]) * alike
    return round(sure / (1 + len(found.rivals)), 4)


def vendor_differences(found: Found | None, seller: Party) -> Iterator[Discrepancy]:
    """What a person should know about the seller and our record of it."""
    if found is None:
        yield unknown_vendor(seller)
        return
    if found.rivals:
        yield ambiguous_vendor(found)
    yield from _other_vat_id(found, seller)
    yield from _other_name(found, seller)


def unknown_vendor(seller: Party) -> Discrepancy:
    ids = f" with VAT id {seller.vat_id}" if seller.vat_id else " without a VAT id"
    return Discrepancy(
        kind="vendor_unknown",
        severity="stop",
        title="Unknown vendor",
        message=f"{seller.name or 'The seller'}{ids} is not among our vendors.",
        pointer="/read/invoice/seller/vat_id" if seller.vat_id else "/read/invoice/seller/name",
        options=[Option(value=seller.vat_id or seller.name, source="invoice")],
    )


def ambiguous_vendor(found: Found) -> Discrepancy:
    rows = [found.row, *found.rivals]
    listed = ", ".join(f"{row.get('name')} ({row.get('vendor_id')})" for row in rows[:5])
    return Discrepancy(
        kind="vendor_ambiguous",
        severity="stop",
        title="Several vendors fit",
        message=f"{len(rows)} vendors have this {found.by}: {listed}.",
        pointer="/vendor/vendor_id",
        options=[Option(value=row.get("vendor_id"), source=str(row.get("name"))) for row in rows[:5]],
    )


def _other_vat_id(found: Found, seller: Party) -> Iterator[Discrepancy]:
    ours, theirs = found.row.get("vat_id"), seller.vat_id
    if not ours or not theirs or compact(ours) == compact(theirs):
        return
    yield Discrepancy(
        kind="vendor_vat_id_differs",
        severity="stop",
        title="VAT id",
        message=(
            f"The invoice gives the VAT id {theirs}, our record of {found.row.get('name')} says {ours};"
            f" the vendor was found by its {found.by}."
        ),
        pointer="/read/invoice/seller/vat_id",
        options=[Option(value=theirs, source="invoice"), Option(value=ours, source="vendor master")],
    )


def _other_name(found: Found, seller: Party) -> Iterator[Discrepancy]:
    ours = found.row.get("name")
    names = [name for name in (seller.name, seller.trading_name) if name]
    if not ours or not names or any(similarity(ours, name) >= ALIKE for name in names):
        return
    certain = found.by == BY_VAT_ID and name_key(ours) != ""
    yield Discrepancy(
        kind="vendor_name_differs",
        severity="note" if certain else "stop",
        title="Vendor name",
        message=f"The invoice comes from {names[0]}; the vendor with this {found.by} is {ours} in our records.",
        pointer="/read/invoice/seller/name",
        options=[Option(value=names[0], source="invoice"), Option(value=ours, source="vendor master")],
    )
