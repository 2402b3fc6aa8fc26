"""What the steps found, as people look at it: differences between sources, and values with where they stand."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestrator.case import Case, leads_somewhere, look_up

CAPITALS = frozenset({"iban", "vat", "bic", "id"})
FACTORS = {"unit_price": "quantity", "quantity": "unit_price"}
MONEY = frozenset({*FACTORS, "net_amount", "amount", "line_total", "allowances", "charges", "net_total", "tax_total"})
MONEY |= {"gross_total", "prepaid", "payable", "total"}


def differences(case: Case) -> list[dict[str, Any]]:
    """Every step's discrepancies, numbered d1, d2, …: what stops comes first, then what moves most money, then in the
    order of the steps and of the document."""
    found = [(step, item) for step, output in case.data.items() for item in _listed(output, "discrepancies")]
    parts = [{**_difference(item), "step": step, "exposure": exposure(case, item)} for step, item in found]
    parts.sort(key=lambda item: (item["severity"] != "stop", -Decimal(item["exposure"] or 0)))
    return [{"id": f"d{number}", **item} for number, item in enumerate(parts, 1)]


def _difference(item: Mapping[str, Any]) -> dict[str, Any]:
    parts = ("kind", "severity", "title", "message", "line", "pointer", "document")
    lists = {part: list(item.get(part) or ()) for part in ("options", "passages")}
    earlier = {"earlier": item["earlier"]} if item.get("earlier") else {}
    return {**{part: item.get(part) for part in parts}, **lists, **earlier}


def exposure(case: Case, item: Mapping[str, Any]) -> str:
    """How much money lies between the values of a difference, as decimal text; "" where they are no amounts. A price
    counts as often as its line has units, and the other way round."""
    pointer = item.get("pointer") or ""
    line, _, name = pointer.rpartition("/")
    numbers = [decimal(option.get("value")) for option in item.get("options") or ()]
    known = [number for number in numbers if number is not None]
    if len(known) < 2 or name not in MONEY:
        return ""
    other = FACTORS.get(name)
    times = (
        decimal(look_up(case.data, f"{line}/{other}")) if other and leads_somewhere(case.data, f"{line}/{other}") else 1
    )
    return str((max(known) - min(known)) * (times or 1))


def decimal(value: Any) -> Decimal | None:
    """The value as a finite number, or None."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def values(case: Case) -> list[dict[str, Any]]:
    """The header fields of every reading: what was read, how sure, where it stands, and the value as it counts now."""
    found = []
    for step, reading in _readings(case):
        place = {"step": step, "document": case.data[step].get("document")}
        for name, read in reading["fields"].items():
            pointer = _pointer(case, step, name)
            found.append({"name": name, "label": label(name), **_value(case, read, pointer), **place})
    return found


def lines(case: Case) -> list[dict[str, Any]]:
    """The lines of every reading: `id`, and for each column a value as in values()."""
    found = []
    for step, reading in _readings(case):
        place = {"step": step, "document": case.data[step].get("document")}
        for index, line in enumerate(reading.get("lines") or ()):
            columns = {
                name: _value(case, read, _pointer(case, step, f"lines.{index}.{name}")) for name, read in line.items()
            }
            own = line.get("id") or {}
            found.append({**columns, "id": own.get("value") or str(index + 1), **place})
    return found


def _readings(case: Case) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for step, output in case.data.items():
        reading = output.get("reading")
        if isinstance(reading, Mapping) and isinstance(reading.get("fields"), Mapping):
            yield step, reading


def _value(case: Case, read: Mapping[str, Any], pointer: str | None) -> dict[str, Any]:
    confidence = read.get("confidence")
    return {
        "value": look_up(case.data, pointer) if pointer else read.get("value"),
        "pointer": pointer,
        "confidence": "" if confidence is None else f"{confidence:.2f}",
        "passages": list(read.get("passages") or ()),
        "readings": dict(read.get("readings") or {}),
    }


def _pointer(case: Case, step: str, name: str) -> str | None:
    """Where a correction of this field goes: the plain values that later steps use, beside the reading."""
    path = name.replace("~", "~0").replace("/", "~1").replace(".", "/")
    beside = (key for key, part in case.data[step].items() if key != "reading" and isinstance(part, Mapping))
    return next((p for key in beside if leads_somewhere(case.data, p := f"/{step}/{key}/{path}")), None)


def label(name: str) -> str:
    """`seller.vat_id` → `Seller VAT ID`."""
    words = name.replace(".", " ").replace("_", " ").split()
    shown = [word.upper() if word in CAPITALS else word for word in words]
    return " ".join(shown)[:1].upper() + " ".join(shown)[1:]


def first_value(payload: Mapping[str, Any], case: Case, names: Sequence[str]) -> Any:
    """The first of these fields that the payload or a reading has; empty text for none."""
    read = {item["name"]: item["value"] for item in values(case)}
    return next((place[name] for place in (payload, read) for name in names if place.get(name)), "")


def _listed(output: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = output.get(name)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []
