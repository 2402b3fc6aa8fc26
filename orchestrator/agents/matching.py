"""Which invoice line stands for which order line, and where they differ. Pure: no Django, no I/O.

Amounts come as decimal strings and are compared as Decimal; a price is always that of one unit.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import SequenceMatcher
from typing import Literal

from orchestrator.documents.ubl_orders import OrderLine

from .invoices_model import InvoiceLine

CENT = Decimal("0.01")
ONE = Decimal(1)
ZERO = Decimal(0)
# UN/ECE Recommendation 20 and 21 codes that all mean "one piece": writers choose among them freely.
PIECES = frozenset({"C62", "H87", "EA", "NAR", "PCE", "XPP", "PP", "XUN", "1I"})

# How much each agreement says that two lines are the same thing, and from where on it is enough.
REFERENCE, ITEM, NAME, SAME_ID, SAME_PRICE, SAME_QUANTITY = 100, 80, 30, 10, 10, 5
OTHER_ITEM = -60
ENOUGH = 24
SURE = 80


@dataclass(frozen=True, slots=True)
class Pair:
    """An invoice line and the order line it stands for, by position; `order` is None for a line nobody ordered.
    `certainty` is 0 to 1, `split` says that another invoice line already stands for this order line."""

    invoice: int
    order: int | None
    certainty: float = 1.0
    by: str = ""
    split: bool = False


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What an invoice may differ by. `price_percent` of the ordered price; `quantity` in units of the line."""

    price_percent: Decimal = ZERO
    quantity: Decimal = ZERO
    price_under: Literal["accept", "review"] = "review"
    partial_delivery: Literal["accept", "review"] = "accept"


def number(value: str | None) -> Decimal | None:
    """A finite decimal, or None."""
    try:
        found = Decimal(value) if value is not None else None
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def plain(value: Decimal) -> str:
    """ "1,190.00", with more decimals only where there are more."""
    if value == value.quantize(CENT):
        return f"{value:,.2f}"
    return f"{value.normalize():,f}"


def units(value: Decimal) -> str:
    """A quantity without trailing zeros: "12", "0.5"."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def compact(value: str | None) -> str:
    """An identifier without what writers put in for the eye: "DE 123-456" → "DE123456"."""
    return re.sub(r"[^0-9A-Za-z]", "", value or "").upper()


def name_key(name: str | None) -> str:
    """A name for comparison: case, accents, punctuation and repeated space do not count; legal forms do."""
    folded = unicodedata.normalize("NFKD", (name or "").casefold())
    letters = "".join(char for char in folded if not unicodedata.combining(char))
    return " ".join(re.findall(r"\w+", letters))


def similarity(left: str | None, right: str | None) -> float:
    """0 to 1: how alike two names are, by their words and by their letters."""
    one, other = name_key(left), name_key(right)
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    words, others = set(one.split()), set(other.split())
    overlap = len(words & others) / len(words | others)
    return max(overlap, SequenceMatcher(None, one[:200], other[:200], autojunk=False).ratio())


def unit_price(line: InvoiceLine | OrderLine) -> Decimal | None:
    """The price of one unit; from the line's amount where no price is given."""
    price, base = number(line.unit_price), number(line.price_base_qty) or ONE
    if price is None:
        return net_per_unit(line)
    if base == price != base.to_integral_value():
        base = ONE  # the writer copied the price into the base quantity; nobody prices by 0.0088 units
    return price / base if base > 0 else None


def net_per_unit(line: InvoiceLine | OrderLine) -> Decimal | None:
    """What one unit costs by the line's amount."""
    net, quantity = number(line.net_amount), number(line.quantity)
    return net / quantity if net is not None and quantity else None


def same_unit(left: str | None, right: str | None) -> bool:
    """Units agree, or one is not given, or both count pieces."""
    one, other = compact(left), compact(right)
    return not one or not other or one == other or {one, other} <= PIECES


def likeness(line: InvoiceLine, order: OrderLine) -> tuple[float, str]:
    """(points, the strongest reason) that an invoice line stands for an order line."""
    reasons: list[tuple[float, str]] = []
    if line.order_line_id and line.order_line_id == order.id:
        reasons.append((REFERENCE, "order line reference"))
    reasons += _items(line, order)
    alike = similarity(line.name, order.name)
    reasons.append((NAME * alike, "name"))
    if line.id and line.id == order.id:
        reasons.append((SAME_ID, "line number"))
    if (price := unit_price(line)) is not None and price == unit_price(order):
        reasons.append((SAME_PRICE, "price"))
    if line.quantity and number(line.quantity) == number(order.quantity):
        reasons.append((SAME_QUANTITY, "quantity"))
    return sum(points for points, _ in reasons), max(reasons)[1]


def _items(line: InvoiceLine, order: OrderLine) -> list[tuple[float, str]]:
    """Item numbers that agree say much; seller's item numbers that differ speak against."""
    found: list[tuple[float, str]] = []
    if line.seller_item_id and order.seller_item_id:
        same = compact(line.seller_item_id) == compact(order.seller_item_id)
        found.append((ITEM, "seller's item number") if same else (OTHER_ITEM, ""))
    if line.buyer_item_id and order.buyer_item_id and compact(line.buyer_item_id) == compact(order.buyer_item_id):
        found.append((ITEM, "our item number"))
    return found


def pair_lines(lines: Sequence[InvoiceLine], orders: Sequence[OrderLine]) -> list[Pair]:
    """Each invoice line with its order line. Best pairs first, one to one; what is left may be a further part of an
    order line already taken, where it names that line or where both parts fit into what was ordered."""
    scored = sorted(
        (
            (points, -abs(i - j), i, j, by)
            for i, line in enumerate(lines)
            for j, order in enumerate(orders)
            for points, by in [likeness(line, order)]
            if points >= ENOUGH
        ),
        reverse=True,
    )
    pairs: dict[int, Pair] = {}
    taken: set[int] = set()
    for points, _, i, j, by in scored:
        if i not in pairs and j not in taken:
            pairs[i] = Pair(i, j, certainty_of(points), by)
            taken.add(j)
    for points, _, i, j, by in scored:
        if i not in pairs and _may_share(lines, orders, pairs, i, j):
            pairs[i] = Pair(i, j, certainty_of(points), by, split=True)
    return [pairs.get(i, Pair(i, None)) for i in range(len(lines))]


def certainty_of(points: float) -> float:
    """0 to 1: an order line reference or an item number settles it, a name alone does not quite."""
    return round(min(1.0, 0.5 + 0.5 * points / SURE), 4)


def _may_share(
    lines: Sequence[InvoiceLine], orders: Sequence[OrderLine], pairs: dict[int, Pair], i: int, j: int
) -> bool:
    if lines[i].order_line_id and lines[i].order_line_id == orders[j].id:
        return True
    item, ordered_item = lines[i].seller_item_id, orders[j].seller_item_id
    if not item or not ordered_item or compact(item) != compact(ordered_item):
        return False
    parts = [number(lines[k].quantity) or ZERO for k, pair in pairs.items() if pair.order == j]
    together = sum(parts, number(lines[i].quantity) or ZERO)
    return together <= (number(orders[j].quantity) or ZERO)
