"""Rows of a table source from a file: CSV, JSON Lines, UBL Order, UBL Receipt and Despatch Advice. No Django.

Every objection is collected with the line and the field it is about, so that one look mends the whole file. Identifiers
are brought to one spelling (IBAN and VAT ids without spaces, a comparable name), so that lookups are exact.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import BaseModel, ValidationError

from orchestrator.agents.matching import compact, name_key
from orchestrator.documents.ubl_orders import Order, Receipt, read_order, read_receipt_advice
from orchestrator.documents.xml_safe import Refused
from orchestrator.said import said as _
from orchestrator.unfit import unfit

MAX_ROWS = 200_000
MAX_KEY = 200
SHOWN = 60
IDENTIFIERS = ("iban", "vat_id", "seller_vat_id")
AMOUNTS = ("gross_total", "net_total", "price_tolerance_percent", "quantity_tolerance")
TRUTH = {"true": True, "false": False}
SHAPES: dict[str, type[BaseModel]] = {"purchase-orders": Order, "receipts": Receipt}


@dataclass(frozen=True, slots=True)
class BadRow:
    """What is wrong with one line of a file; `line` counts from 1, 0 is the file as a whole."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return self.words

    @property
    def words(self) -> str:
        about = {"line": self.line, "field": self.field, "message": self.message}
        return (
            _("line %(line)s, %(field)s: %(message)s", **about) if self.line else _("%(field)s: %(message)s", **about)
        )


class ImportRefused(ValueError):
    """A file that is not loaded, with every objection."""

    def __init__(self, bad: list[BadRow]):
        self.bad = bad
        super().__init__("\n".join(map(str, bad)))


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it will be stored. `change` is set where it revises the order of that key instead."""

    line: int
    key: str
    data: dict[str, Any] = field(hash=False)
    change: Order | None = None


def read_rows(data: bytes, filename: str, *, source: str, key_field: str) -> list[Row]:
    """All rows of the file, or ImportRefused with all objections."""
    bad: list[BadRow] = []
    rows: list[Row] = []
    lines: dict[str, int] = {}
    for line, found, change in _records(data, filename):
        if len(rows) >= MAX_ROWS:
            raise ImportRefused([BadRow(0, "file", _("has more than %(max_rows)s rows", max_rows=f"{MAX_ROWS:,}"))])
        objections = [found] if isinstance(found, BadRow) else list(_objections(line, found, source, key_field))
        bad += objections
        if objections or isinstance(found, BadRow):
            continue
        key = str(found[key_field]).strip()
        if key in lines:
            bad.append(
                BadRow(line, key_field, _("%(key)r stands in line %(value)s already", key=key, value=lines[key]))
            )
            continue
        lines[key] = line
        rows.append(Row(line, key, canonical(found), change))
    if not rows and not bad:
        bad.append(BadRow(0, "file", _("holds no rows")))
    if bad:
        raise ImportRefused(bad)
    return rows


def canonical(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with identifiers in one spelling and, beside a name, the key it is looked up by."""
    kept = dict(row)
    for name in IDENTIFIERS:
        if isinstance(kept.get(name), str):
            kept[name] = compact(kept[name]) or None
    if isinstance(kept.get("name"), str):
        kept["name_key"] = name_key(kept["name"])
    return kept


Record = tuple[int, dict[str, Any] | BadRow, Order | None]


def _records(data: bytes, filename: str) -> Iterator[Record]:
    """(line, row or objection, the change it stands for)."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        yield _ubl(data)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        yield line, BadRow(line, "file", _("is not UTF-8 at byte %(start)s; save it as UTF-8", start=error.start)), None
        return
    lines_of_json = filename.lower().endswith((".jsonl", ".ndjson")) or text.lstrip().startswith("{")
    yield from _json_lines(text) if lines_of_json else _csv(text)


def _ubl(data: bytes) -> Record:
    reasons = []
    for read in (read_order, read_receipt_advice):
        try:
            found = read(data)
        except Refused as refused:
            reasons.append(refused.reason)
            continue
        if isinstance(found, Order) and found.replaces:
            return 1, {**found.model_dump(), "number": found.replaces}, found
        return 1, found.model_dump(), None
    return 1, BadRow(0, "file", " ".join(dict.fromkeys(reasons))), None


def _json_lines(text: str) -> Iterator[Record]:
    for line, written in enumerate(text.splitlines(), start=1):
        if not written.strip():
            continue
        try:
            found = json.loads(written, parse_float=str, parse_int=str, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            yield line, BadRow(line, "row", _("is no JSON: %(error)s", error=error)), None
            continue
        if isinstance(found, dict):
            yield line, found, None
        else:
            yield (
                line,
                BadRow(line, "row", _("is %(value)r; expected an object {field: value}", value=written[:SHOWN])),
                None,
            )


def _no_constant(name: str) -> None:
    raise ValueError(_("%(name)s is no number", name=name))


def _csv(text: str) -> Iterator[Record]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not header:
                header = [cell.strip() for cell in cells]
                repeated = sorted({name for name in header if header.count(name) > 1})
                if repeated or "" in header:
                    yield 1, BadRow(1, repeated[0] if repeated else "header", _("is given twice or empty")), None
                    return
            elif any(cells):
                yield _csv_row(reader.line_num, header, cells)
    except csv.Error as error:
        yield reader.line_num, BadRow(reader.line_num, "row", _("is no CSV: %(error)s", error=error)), None


def _csv_row(line: int, header: list[str], cells: list[str]) -> Record:
    if len(cells) != len(header):
        return (
            line,
            BadRow(line, "row", _("has %(n)s fields, the header has %(n2)s", n=len(cells), n2=len(header))),
            None,
        )
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    return line, {name: TRUTH.get(value.lower(), value) for name, value in values.items() if value}, None


def _objections(line: int, row: Mapping[str, Any], source: str, key_field: str) -> Iterator[BadRow]:
    key = row.get(key_field)
    if not isinstance(key, str) or not key.strip() or len(key) > MAX_KEY:
        expected = _(
            "is %(value)r; expected 1 to %(max_key)s characters that identify the row",
            value=str(key)[:SHOWN],
            max_key=MAX_KEY,
        )
        yield BadRow(line, key_field, _("is missing; it identifies the row") if key is None else expected)
    for name in AMOUNTS:
        value = row.get(name)
        if value is not None and not _is_amount(value):
            yield BadRow(line, name, _("is %(value)r; expected a number such as 1250.50", value=str(value)[:SHOWN]))
    if source in SHAPES:
        yield from _shape(line, row, SHAPES[source])


def _is_amount(value: Any) -> bool:
    try:
        return isinstance(value, str) and Decimal(value).is_finite()
    except InvalidOperation:
        return False


def _shape(line: int, row: Mapping[str, Any], shape: type[BaseModel]) -> Iterator[BadRow]:
    try:
        shape.model_validate(row)
    except ValidationError as error:
        for found in error.errors(include_url=False, include_input=False):
            yield BadRow(line, ".".join(map(str, found["loc"])) or "row", unfit(found))
