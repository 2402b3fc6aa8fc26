"""Read an electronic invoice: UBL 2.1 Invoice and CreditNote, UN/CEFACT Cross Industry Invoice.

What stands in the document is data: it is copied, measured and compared, and nothing written in it is followed.
"""

import datetime as dt
import re
from collections.abc import Iterable
from decimal import Decimal

from lxml import etree

from orchestrator.documents import codelists
from orchestrator.documents.einvoice_cii import CII
from orchestrator.documents.einvoice_confidence import weigh
from orchestrator.documents.einvoice_places import Hit, Place, Syntax
from orchestrator.documents.einvoice_rules import examine_structure
from orchestrator.documents.einvoice_ubl import UBL
from orchestrator.documents.einvoice_view import MAX_TEXT, View, shown
from orchestrator.documents.invoice_checks import check_invoice, examine
from orchestrator.documents.invoice_checks_outcome import Outcome
from orchestrator.documents.reading import Check, Passage, Reading, ReadValue
from orchestrator.documents.xml_safe import Refused, parse

SYNTAXES = (UBL, CII)
MAX_LINES = 5_000
MAX_NOTES = 200
MAX_CHECKS = 200
MAX_VALUE = 2_000
# Rules that look at the file and not at its values. Names are values as well, and may be corrected.
_STRUCTURAL = {rule.id for syntax in SYNTAXES for rule in syntax.rules} - {"BR-06", "BR-07"}

_AMOUNT = re.compile(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})")
_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(Z|[+-]\d{2}:\d{2})?|(\d{4})(\d{2})(\d{2})")
# Words that fill a mandatory field without saying anything, in the languages invoices come in.
_PLACEHOLDERS = re.compile(
    r"n/?a|n\.a\.?|not? ?(applicable|available|specified|given|known)|none|null|nil|unknown|undefined|tbd|todo|"
    r"dummy.{0,12}|placeholder|test(wert|value)?|ohne|keine?r?|entfällt|unbekannt|nicht (angegeben|bekannt|vorhanden)|"
    r"k\.?\s?a\.?|sans|aucune?|inconnue?|geen|onbekend|n\.?v\.?t\.?|ingen|saknas|nessuno|ninguno|x{2,}|0+|[\W_]+",
    re.IGNORECASE,
)


def read_einvoice(data: bytes) -> Reading:
    """Read and check an invoice in XML. Never raises: what cannot be read has `refusal` set and nothing else.

    `checks` holds every rule that does not hold, structural ones included; `confidence` of a value grows with each
    independent statement of the document that supports it and falls with each that contradicts it.
    """
    try:
        root = parse(data)
        syntax = _syntax_of(root)
        reading = _Reader(syntax, root).read()
    except Refused as refused:
        return Reading(reader="einvoice/1", refusal=refused.reason)
    outcomes = [*examine_structure(syntax, root), *examine(reading)]
    weigh(reading, outcomes)
    reading.checks = _failed(outcomes)
    return reading


def recheck(reading: Reading) -> list[Check]:
    """Check again after a person corrected values: what only the file can show stays as it was found."""
    return _distinct([*(check for check in reading.checks if check.id in _STRUCTURAL), *check_invoice(reading)])


def _failed(outcomes: Iterable[Outcome]) -> list[Check]:
    return _distinct(outcome.check for outcome in outcomes if not outcome.holds)


def _distinct(checks: Iterable[Check]) -> list[Check]:
    """Stops first; where form and values break the same rule, it is said once."""
    once = {(check.id, *check.fields): check for check in checks}
    return sorted(once.values(), key=lambda check: check.severity != "stop")[:MAX_CHECKS]


def text_view(data: bytes) -> list[str]:
    """The document as lines of text, to which `Passage.line` points. Empty where it is refused."""
    try:
        return View(parse(data)).lines
    except Refused:
        return []


def _syntax_of(root: etree._Element) -> Syntax:
    syntax = next((syntax for syntax in SYNTAXES if root.tag in syntax.roots), None)
    if syntax is None:
        name = re.sub(r"[^A-Za-z0-9_.-]", "", etree.QName(root).localname)[:40]
        raise Refused(f"The file is XML, but not an invoice in UBL or CII: it holds “{name}”.")
    return syntax


class _Reader:
    """Takes the values of one document from the places its syntax names."""

    def __init__(self, syntax: Syntax, root: etree._Element) -> None:
        self.syntax = syntax
        self.root = root
        self.view = View(root)

    def read(self) -> Reading:
        lines = self.syntax.find(self.root, self.syntax.lines)
        if len(lines) > MAX_LINES:
            raise Refused(f"The invoice has {len(lines):,} lines; at most {MAX_LINES:,} are read.")
        fields = self._record(self.root, self.syntax.header)
        fields |= self._tables() | self._derived(fields)
        _set_placeholder_aside(fields)
        return Reading(
            kind="invoice",
            reader=self.syntax.reader,
            fields=fields,
            lines=[self._record(line, self.syntax.line) for line in lines],
            notes=self._notes(),
        )

    def _record(self, node: etree._Element, places: dict[str, Place]) -> dict[str, ReadValue]:
        return {name: self._value(node, place) for name, place in places.items()}

    def _value(self, node: etree._Element, place: Place) -> ReadValue:
        for path in place.paths:
            found = [(self._line(hit), raw) for hit in self.syntax.find(node, path) if (raw := _text(hit))]
            if found:
                return _read_value(place.kind, found)
        return ReadValue()

    def _line(self, hit: Hit) -> int | None:
        element = hit.getparent() if isinstance(hit, etree._ElementUnicodeResult) else hit
        return self.view.numbers.get(element)

    def _tables(self) -> dict[str, ReadValue]:
        """Rows of the VAT breakdown, of allowances and of charges as "vat.0.base", "allowance.1.amount" …"""
        return {
            f"{table}.{number}.{name}": value
            for table, (path, places) in self.syntax.tables.items()
            for number, row in enumerate(self.syntax.find(self.root, path)[:MAX_LINES])
            for name, value in self._record(row, places).items()
        }

    def _derived(self, fields: dict[str, ReadValue]) -> dict[str, ReadValue]:
        """What the document says by its form: syntax, invoice or credit note, the currency of its amounts."""
        here = Passage(line=1, quote=etree.QName(self.root).localname)
        credit = here.quote == "CreditNote" or fields["type_code"].value in codelists.CREDIT_NOTE_TYPES
        currencies = {str(code) for code in self.syntax.find(self.root, "//@currencyID")}
        currencies -= {fields["tax_currency"].value}
        stated = fields["currency"].value
        if stated and currencies - {stated}:
            listed = ", ".join(sorted(shown(code)[:10] for code in currencies)[:5])
            fields["currency"].readings = {"invoice": stated, "amounts": listed}
        attached = self.syntax.find(self.root, "//*[contains(local-name(), 'BinaryObject')]")
        return {
            "syntax": ReadValue(value=self.syntax.name, passages=[here]),
            "document_type": ReadValue(value="credit_note" if credit else "invoice", passages=[here]),
            "attachments": ReadValue(value=str(len(attached)), passages=self._passages(attached[:10])),
        }

    def _passages(self, nodes: Iterable[etree._Element]) -> list[Passage]:
        return [Passage(line=self.view.numbers[node], quote=etree.QName(node).localname) for node in nodes]

    def _notes(self) -> list[str]:
        found = (_text(node) for path in self.syntax.notes for node in self.syntax.find(self.root, path)[:MAX_NOTES])
        return [note[:MAX_VALUE] for note in found if note]


def _text(hit: Hit) -> str:
    """White space collapsed, as XML Schema's token has it."""
    return " ".join((hit if isinstance(hit, str) else hit.text or "").split())


def _read_value(kind: str, found: list[tuple[int | None, str]]) -> ReadValue:
    several = kind in ("sum", "joined")
    used = found if several else found[:1]
    passages = [Passage(line=line, quote=shown(raw)) for line, raw in used[:50]]
    raw = used[0][1]
    another = next((text for _, text in found if text != raw), None)
    readings = {"first": raw[:MAX_TEXT], "another": another[:MAX_TEXT]} if another else {}
    if kind == "joined":
        return ReadValue(value=", ".join(text for _, text in used)[:MAX_VALUE], passages=passages)
    if kind == "text":
        return ReadValue(value=raw[:MAX_VALUE], passages=passages, readings=readings)
    value = _sum(text for _, text in used) if kind == "sum" else (as_amount if kind == "amount" else as_date)(raw)
    if value is None:
        readings = {"as printed": raw[:MAX_TEXT]}
    return ReadValue(value=value, passages=passages, readings={} if kind == "sum" and value else readings)


def _sum(texts: Iterable[str]) -> str | None:
    amounts = [as_amount(text) for text in texts]
    return None if None in amounts else decimal_text(sum((Decimal(a) for a in amounts if a), Decimal(0)))


def as_amount(raw: str) -> str | None:
    """A number of XML Schema's type decimal, without trailing zeros; None where it is none."""
    return decimal_text(Decimal(raw)) if _AMOUNT.fullmatch(raw) else None


def decimal_text(number: Decimal) -> str:
    """A decimal without exponent and trailing zeros: "1250", "0.5"."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def as_date(raw: str) -> str | None:
    """A calendar date as ISO 8601 (XML Schema date, or UN/EDIFACT format 102); None where there is no such day."""
    found = _DATE.fullmatch(raw)
    if not found:
        return None
    year, month, day = (int(part) for part in (found[1] or found[5], found[2] or found[6], found[3] or found[7]))
    try:
        return dt.date(year, month, day).isoformat()
    except ValueError:
        return None


def _set_placeholder_aside(fields: dict[str, ReadValue]) -> None:
    """An order reference that says nothing is no reference; what stood there is kept under its own name."""
    reference = fields["order_reference"]
    if reference.value and _PLACEHOLDERS.fullmatch(reference.value.strip()):
        fields["order_reference_raw"] = reference
        fields["order_reference"] = ReadValue()
