"""The document beside a case, as people read it: an invoice laid out from its values, each with its passage.

Made from the packet alone, so that what is shown is what is signed. Values that a difference is about carry its
number; the others link to their row in the list of values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from orchestrator.templatetags.parts import money
from orchestrator.words import later as _

from .lookalikes import objections, visible
from .measured import Frequency

TOTALS = ("line_total", "allowances", "charges", "net_total", "tax_total", "gross_total", "prepaid", "payable")
COLUMNS = ("id", "name", "quantity", "unit", "unit_price", "price_base_qty", "net_amount")
AMOUNTS = frozenset({*TOTALS, "unit_price", "net_amount", "base", "amount"})
HEADINGS = {
    "id": _("No"),
    "name": _("Description"),
    "quantity": _("Quantity"),
    "unit": _("Unit"),
    "price_base_qty": _("Per"),
    "unit_price": _("Unit price"),
    "net_amount": _("Amount"),
}
PARTIES = (("seller", _("Seller")), ("buyer", _("Buyer")))
PARTY = ("name", "address", "country", "vat_id")  # what stands first about a party
META = ("invoice_number", "issue_date", "due_date", "order_reference", "iban")
# How the file is written rather than what it says: in the list of values only, below the others.
TECHNICAL = frozenset({"specification", "type_code", "syntax", "attachments", "accounts", "payment_means"})
VAT = "vat."
SURE = 0.9  # below it a value is pointed out, though nothing disagrees with it


@dataclass(frozen=True, slots=True)
class Mark:
    """A value on the page. `id` is its anchor, `back` where it leads; `number` is the difference it belongs to."""

    id: str
    back: str
    label: str
    value: str
    shown: str
    number: int = 0
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Value:
    """A value in the case file. `mark` leads to where it stands; `said` is how well it is supported, in words; `held`
    how often such values held, `founded` whether the quoted words stand in the document (None: not to be checked)."""

    id: str
    name: str
    label: str
    value: str
    shown: str
    pointer: str
    confidence: str
    said: str
    unsure: bool
    mark: Mark | None
    line: int | None = None
    document: str | None = None
    held: Frequency | None = None
    founded: bool | None = None
    warnings: Sequence[str] = ()

    @property
    def slug(self) -> str:
        return self.id.removeprefix("v-")

    @property
    def is_technical(self) -> bool:
        return self.name in TECHNICAL or self.name.startswith(VAT)


@dataclass(frozen=True, slots=True)
class Paper:
    """An invoice laid out: parties with their values by label, header values, lines, VAT by rate, totals."""

    currency: str
    title: Mark | None = None
    parties: Sequence[tuple[str, Sequence[tuple[str, Mark]]]] = ()
    meta: Sequence[Mark] = ()
    columns: Sequence[tuple[str, str]] = ()
    rows: Sequence[Sequence[Mark | None]] = ()
    totals: Sequence[tuple[str, Mark]] = ()

    def __bool__(self) -> bool:
        return bool(self.parties or self.meta or self.totals)


def read_values(
    packet: Mapping[str, Any],
    numbers: Mapping[str, int],
    held: Callable[[Mapping[str, Any]], Frequency | None],
    founded: Callable[[Mapping[str, Any]], bool | None],
) -> list[Value]:
    """Header values of the packet. `numbers` maps a JSON pointer to the difference that is about it; `held` and
    `founded` say of a value what Value tells."""
    found = [item for item in packet["values"] if item["value"] not in (None, "")]
    return [_value(item, numbers, held(item), founded(item)) for item in found]


def _value(item: Mapping[str, Any], numbers: Mapping[str, int], held: Frequency | None, founded: bool | None) -> Value:
    number = numbers.get(item["pointer"] or "", 0)
    slug = slug_of(item["name"])
    passage = (item["passages"] or [{}])[0]
    return Value(
        id=f"v-{slug}",
        name=item["name"],
        label=gettext(item["label"]),
        value=str(item["value"]),
        shown=visible(shown(item["name"], item["value"])),
        pointer=item["pointer"] or "",
        confidence=item["confidence"],
        said=support(item),
        unsure=float(item["confidence"] or 1) < SURE,
        mark=_mark(item, item["name"], slug, number, f"#v-{slug}", gettext(item["label"])),
        line=passage.get("line"),
        document=item.get("document"),
        held=held,
        founded=founded,
        warnings=objections(str(item["value"])),
    )


def support(item: Mapping[str, Any]) -> str:
    """What speaks for a value, in words: readings that agree, differ, or a single one."""
    readings = {name: said for name, said in item["readings"].items() if said is not None}
    if len(set(readings.values())) > 1:
        return gettext("readings differ")
    return gettext("%(n)s readings agree") % {"n": len(readings)} if len(readings) > 1 else gettext("one reading")


def slug_of(name: str) -> str:
    return name.replace(".", "-").replace("_", "-").replace("/", "-").strip("-")


def _mark(item: Mapping[str, Any], name: str, slug: str, number: int, back: str, label: str) -> Mark:
    quote = (item["passages"] or [{}])[0].get("quote") or ""
    anchor = f"h{number}" if number else f"p-{slug}"
    leads = f"#f{number}" if number else back
    return Mark(anchor, leads, label, str(item["value"]), visible(shown(name, item["value"])), number, quote)


def lay_out(packet: Mapping[str, Any], values: Sequence[Value], numbers: Mapping[str, int]) -> Paper:
    """The paper of a packet; falsy where nothing could be read."""
    marks = {value.name: value.mark for value in values if value.mark}
    currency = marks["currency"].value if "currency" in marks else ""
    parties = [(title, _party(marks, f"{key}.")) for key, title in PARTIES]
    columns = [name for name in COLUMNS if any(_filled(line.get(name)) for line in packet["lines"])]
    return Paper(
        currency=currency,
        title=marks.get("document_type"),
        parties=[(title, found) for title, found in parties if found],
        meta=_meta(marks),
        columns=[(name, HEADINGS.get(name, name.replace("_", " ").capitalize())) for name in columns],
        rows=[_row(line, index, columns, numbers) for index, line in enumerate(packet["lines"])],
        totals=_totals(marks),
    )


def _party(marks: Mapping[str, Mark], prefix: str) -> list[tuple[str, Mark]]:
    """(label without the party, mark), the name first."""
    found = {name.removeprefix(prefix): mark for name, mark in marks.items() if name.startswith(prefix)}
    names = [*(name for name in PARTY if name in found), *(name for name in found if name not in PARTY)]
    return [(found[name].label.partition(" ")[2] or found[name].label, found[name]) for name in names]


def _meta(marks: Mapping[str, Mark]) -> list[Mark]:
    """Header values without a place of their own; technical ones only where a difference is about them."""
    elsewhere = {*TOTALS, "document_type", "currency"}
    placed = {name for name in marks if name.startswith(("seller.", "buyer.", VAT)) or name in elsewhere}
    rest = [name for name in marks if name not in placed and name not in META]
    shown_ = [name for name in rest if name not in TECHNICAL or marks[name].number]
    return [marks[name] for name in (*META, *shown_) if name in marks]


def _totals(marks: Mapping[str, Mark]) -> list[tuple[str, Mark]]:
    """The sums in their order, VAT by rate behind the net total."""
    found: list[tuple[str, Mark]] = []
    for name in TOTALS:
        found += [(marks[name].label, marks[name])] if name in marks else []
        found += _taxes(marks) if name == "net_total" else []
    return found


def _taxes(marks: Mapping[str, Mark]) -> list[tuple[str, Mark]]:
    """VAT by rate: (words, amount)."""
    rates = sorted({name.split(".")[1] for name in marks if name.startswith(VAT)})
    found = []
    for rate in rates:
        part = {name: marks.get(f"{VAT}{rate}.{name}") for name in ("rate", "base", "amount")}
        if part["amount"]:
            share = pgettext("share of a hundred", "%(n)s%%") % {"n": part["rate"].shown} if part["rate"] else ""
            on = gettext("on %(shown)s") % {"shown": part["base"].shown} if part["base"] else ""
            found.append((" ".join(filter(None, (gettext("VAT"), share, on))), part["amount"]))
    return found


def shown(name: str, value: Any) -> str:
    """A value as people read it: amounts with their cents, dates in words; anything else as it stands."""
    last = name.replace("/", ".").rpartition(".")[2]
    text = gettext("nothing") if value is None else str(value)
    if last in AMOUNTS:
        return money(text)
    if last.endswith("date") or last in ("start", "end"):
        return day(text)
    return text


def day(text: str) -> str:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return text
    return date_format(found, "DATE_FORMAT")


def _filled(cell: Any) -> bool:
    return bool(cell if isinstance(cell, str) else cell and cell.get("value"))


def _row(line: Mapping[str, Any], index: int, columns: Iterable[str], numbers: Mapping[str, int]) -> list[Mark | None]:
    return [_cell(line.get(name), f"line-{index + 1}-{slug_of(name)}", name, line, numbers) for name in columns]


def _cell(cell: Any, slug: str, name: str, line: Mapping[str, Any], numbers: Mapping[str, int]) -> Mark | None:
    label = gettext("%(name)s, line %(id)s") % {
        "name": HEADINGS.get(name, name.replace("_", " ").capitalize()),
        "id": line["id"],
    }
    if isinstance(cell, str):  # the line's own id, which the packet gives as text
        return Mark(f"p-{slug}", "#vals", label, cell, cell) if cell else None
    if not _filled(cell):
        return None
    return _mark(cell, name, slug, numbers.get(cell["pointer"] or "", 0), "#vals", label)
