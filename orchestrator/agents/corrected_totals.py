"""What is to be paid once people have corrected lines of an invoice. Pure: decimal strings in, decimal string out."""

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from .matching import CENT, ONE, ZERO, number

LINE = re.compile(r"^/read/invoice/lines/(\d+)/(quantity|unit_price|price_base_qty|net_amount|tax_rate)$")
PAYABLE = "/read/invoice/payable"
PRICED = ("quantity", "unit_price", "price_base_qty")


def payable_after(invoice: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """The amount payable with the corrected lines. `invoice` holds the values as corrected, `before` what stood at each
    corrected JSON pointer. A line changes by its quantity, price and base (what else its amount holds, such as an
    allowance, stays), or by its amount where that was corrected itself; tax follows at the line's rate. An amount
    payable that a person wrote stands as it is."""
    printed = number(invoice.get("payable"))
    if printed is None or PAYABLE in before:
        return invoice.get("payable")
    touched: dict[int, dict[str, Any]] = {}
    for pointer, value in before.items():
        if match := LINE.match(pointer):
            touched.setdefault(int(match[1]), {})[match[2]] = value
    change = sum((_change(invoice["lines"][place], old) for place, old in touched.items()), ZERO)
    return invoice.get("payable") if not change else _text(printed + change)


def _change(line: Mapping[str, Any], old: Mapping[str, Any]) -> Decimal:
    """By how much the line's amount with tax changes."""
    was = {**line, **old}
    net_was, net_now = number(was.get("net_amount")) or ZERO, number(line.get("net_amount")) or ZERO
    if "net_amount" not in old:
        net_now = net_was + _priced(line) - _priced(was)
    return _with_tax(net_now, line) - _with_tax(net_was, was)


def _priced(line: Mapping[str, Any]) -> Decimal:
    quantity, price, base = (number(line.get(name)) for name in PRICED)
    return (quantity or ZERO) * (price or ZERO) / (base or ONE)


def _with_tax(net: Decimal, line: Mapping[str, Any]) -> Decimal:
    rate = number(line.get("tax_rate")) or ZERO
    return (net * (1 + rate / 100)).quantize(CENT, ROUND_HALF_UP)


def _text(amount: Decimal) -> str:
    """Decimal text without trailing zeros, as readings have it."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
