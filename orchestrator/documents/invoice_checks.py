"""Check what was read of an invoice: EN 16931 rules by their ids, and rules of our own (lower case) where it has none.

A check stops a case or is a note. Notes are what real, payable invoices often get wrong, such as the check digit of a
VAT id. Totals agree to the cent, as EN 16931-1 §6.4.2 asks; tolerances of lines and of VAT stand in their modules.
"""

from collections.abc import Iterator
from decimal import localcontext

from stdnum import iban
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from orchestrator.documents import codelists
from orchestrator.documents.invoice_checks_lines import examine_lines
from orchestrator.documents.invoice_checks_outcome import Figures, Outcome, judge, stated
from orchestrator.documents.invoice_checks_totals import examine_totals
from orchestrator.documents.invoice_checks_vat import examine_vat
from orchestrator.documents.reading import Check, Reading

# Rule, field, what the field is called, whether every document must have it or only a structured one.
_REQUIRED = [
    ("BR-02", "invoice_number", "invoice number", True),
    ("BR-03", "issue_date", "issue date", True),
    ("BR-04", "type_code", "document type", False),
    ("BR-05", "currency", "currency", True),
    ("BR-06", "seller.name", "seller's name", True),
    ("BR-07", "buyer.name", "buyer's name", False),
    ("BR-12", "line_total", "sum of the lines", False),
    ("BR-13", "net_total", "total without tax", False),
    ("BR-14", "gross_total", "total with tax", True),
    ("BR-15", "payable", "amount due", False),
]
# Fields that stand once, or else mean the same each time.
_SINGLE = frozenset(
    {
        *(
            "invoice_number",
            "issue_date",
            "type_code",
            "currency",
            "line_total",
            "net_total",
            "tax_total",
            "gross_total",
        ),
        *("allowances", "charges", "prepaid", "rounding", "payable", "quantity", "unit_price", "net_amount"),
    }
)
PRECISION = 100  # digits: quantity × price / base of the longest numbers that are read, exactly
_MAX_VAT_ID = 15
_MIN_VAT_ID = 4


def check_invoice(reading: Reading) -> list[Check]:
    """The rules over values that do not hold, stops first."""
    failed = [outcome.check for outcome in examine(reading) if not outcome.holds]
    return sorted(failed, key=lambda check: check.severity != "stop")


def examine(reading: Reading) -> list[Outcome]:
    """Every rule over values that applies to this invoice, whether it holds or not."""
    figures = Figures(reading)
    parts = (
        _required,
        _readable,
        _codes,
        _dates,
        _parties,
        _account,
        _nature,
        examine_lines,
        examine_totals,
        examine_vat,
    )
    with localcontext(prec=PRECISION):
        return [outcome for part in parts for outcome in part(figures)]


def _required(figures: Figures) -> Iterator[Outcome]:
    for rule, field, name, always in _REQUIRED:
        if always or figures.structured:
            yield judge(rule, stated(figures.reading.fields.get(field)), f"The {name} is missing.", [field])
    if figures.structured:
        yield judge("BR-16", bool(figures.lines), "The invoice has no lines.", ["lines"])


def _readable(figures: Figures) -> Iterator[Outcome]:
    """Something stands there, but it is no date or amount; and readings that contradict each other."""
    records = [("", figures.reading.fields), *((f"lines.{n}.", line) for n, line in enumerate(figures.lines))]
    for prefix, record in records:
        for name, found in record.items():
            printed = found.readings.get("as printed")
            if found.value is None and printed is not None:
                is_date = name.endswith(("date", "start", "end"))
                rule, wanted = ("date-impossible", "a calendar date") if is_date else ("amount-unreadable", "an amount")
                words = name.replace("_", " ").replace(".", " ")
                yield judge(rule, False, f"The {words} “{printed[:60]}” is not {wanted}.", [prefix + name])
            if name in _SINGLE and "another" in found.readings:
                words, other = name.replace("_", " "), (found.readings["another"] or "")[:60]
                message = f"The {words} is given twice: {(found.value or '')[:60]} and {other}."
                yield judge("given-twice", False, message, [prefix + name])


def _codes(figures: Figures) -> Iterator[Outcome]:
    currency, kind = figures.currency, figures.text("type_code")
    if currency:
        known = currency in codelists.CURRENCIES
        yield judge("BR-CL-04", known, f"The currency “{currency[:20]}” is not an ISO 4217 code.", ["currency"])
        readings = figures.reading.fields["currency"].readings
        if "amounts" in readings:
            message = f"The invoice is in {currency[:3]}, but its amounts are in {readings['amounts']}."
            yield judge("currency-mixed", False, message, ["currency"])
    if kind:
        known = kind in codelists.DOCUMENT_TYPES
        yield judge("BR-CL-01", known, f"The document type “{kind[:20]}” is not in UNTDID 1001.", ["type_code"])


def _dates(figures: Figures) -> Iterator[Outcome]:
    issued, due = figures.text("issue_date"), figures.text("due_date")
    if issued and due:
        message = f"The invoice is due on {due}, before it was issued on {issued}."
        yield judge("due-before-issue", due >= issued, message, ["due_date", "issue_date"])


def _parties(figures: Figures) -> Iterator[Outcome]:
    for party, name in (("seller", "seller"), ("buyer", "buyer"), ("representative", "tax representative")):
        field = f"{party}.vat_id"
        number = "".join(char for char in figures.text(field) if char not in " .-").upper()
        if not number:
            continue
        yield judge(
            "BR-CO-09",
            number[:2] in codelists.VAT_PREFIXES,
            f"The {name}'s VAT id “{figures.text(field)[:30]}” does not start with a country code.",
            [field],
        )
        yield judge(
            "vat-id-length",
            _MIN_VAT_ID <= len(number) <= _MAX_VAT_ID,
            f"The {name}'s VAT id “{figures.text(field)[:30]}” has {len(number)} characters;"
            f" {_MIN_VAT_ID} to {_MAX_VAT_ID} are possible.",
            [field],
        )
        if (valid := _vat_id_is_valid(number)) is not None:
            message = f"The {name}'s VAT id “{figures.text(field)[:30]}” fails the check of its country's numbers."
            yield judge("vat-id-check-digit", valid, message, [field], "note")


def _vat_id_is_valid(number: str) -> bool | None:
    """By the rules of the member state; None outside the European Union."""
    if number[:2].lower() not in {*vat.MEMBER_STATES, "el", "xi"}:
        return None
    return bool(vat.is_valid(number))


def _account(figures: Figures) -> Iterator[Outcome]:
    account = "".join(figures.text("iban").split()).upper()
    if account:
        shown = figures.text("iban")[:40]
        if account[:2].isalpha() and account[2:4].isdigit():
            message = f"The IBAN {shown} is wrong: its length or check digits do not fit."
            yield judge("iban-checksum", _iban_is_valid(account), message, ["iban"])
        else:
            message = f"The account {shown} to be paid to is not an IBAN."
            sepa = figures.text("payment_means") == "58" and figures.currency == "EUR"  # a SEPA transfer needs an IBAN
            yield judge("account-not-iban", False, message, ["iban"], "stop" if sepa else "note")
    others = [other for other in figures.text("accounts").split(", ") if other and other != figures.text("iban")]
    if others:
        message = (
            f"The invoice names {len(others) + 1} accounts; the first is taken. The others: {', '.join(others)[:200]}."
        )
        yield judge("several-accounts", False, message, ["iban"], "note")
    payee, seller = figures.text("payee.name"), figures.text("seller.name")
    if payee and payee.casefold() != seller.casefold():
        message = f"The money goes to {payee[:100]}, not to the seller {seller[:100]}."
        yield judge("payee-differs", False, message, ["payee.name", "seller.name"], "note")


def _iban_is_valid(account: str) -> bool:
    try:
        iban.validate(account, check_country=False)
    except ValidationError:
        return False
    return True


def _nature(figures: Figures) -> Iterator[Outcome]:
    """Documents that are no plain request for payment."""
    credit = figures.text("document_type") == "credit_note"
    yield judge("credit-note", not credit, "This is a credit note: nothing is to be paid.", ["document_type"])
    due = figures.number("payable")
    if due is not None:
        message = f"The amount due is {figures.money(due)}: there is nothing to pay."
        yield judge("payable-not-positive", due > 0, message, ["payable"])
        terms = figures.text("due_date") or figures.text("payment_terms")
        if figures.structured and due > 0:
            message = "The invoice says neither when it is due nor on what terms it is to be paid."
            yield judge("BR-CO-25", bool(terms), message, ["due_date"], "note")
    if figures.text("type_code") == "384":
        before = figures.text("preceding_invoice")[:40] or "a number it does not give"
        yield judge(
            "corrected-invoice", False, f"This invoice corrects an earlier one: {before}.", ["type_code"], "note"
        )
    if figures.text("order_reference_raw"):
        message = f"The order number “{figures.text('order_reference_raw')[:40]}” is a placeholder: no order is named."
        yield judge("order-placeholder", False, message, ["order_reference"], "note")
