"""Amounts in policies: integer minor units (cents) of the base currency, never binary fractions. No Django."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, localcontext

from orchestrator.said import said as _

# ISO 4217 currencies whose minor unit is not 1/100.
_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND"), 0),
    **dict.fromkeys(("VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
TYPED = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?")
DECIMAL = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?")
MAX_MINOR = 10**17


def digits_of(currency: str) -> int:
    """Digits after the point of a currency's amounts (ISO 4217): 2 for EUR, 0 for JPY, 3 for KWD."""
    return _DIGITS.get(currency, 2)


def parse_typed(text: str, currency_digits: int = 2) -> int:
    """Minor units of an amount as an admin types it: `50000`, `50,000`, `50000.00`, `50,000.00`.

    A comma separates thousands, a dot the minor units. What could be read in two ways raises ValueError: `50.000`
    (fifty, or fifty thousand?), `50,00`, `1.5E3`, digits of other scripts.
    """
    match = TYPED.fullmatch(text)
    if match is None:
        raise ValueError(
            _("%(text)r is no amount; write it like 50,000.00 (comma for thousands, dot for cents)", text=text)
        )
    whole, fraction = match[1].replace(",", ""), match[2] or ""
    if len(fraction) == 3 != currency_digits:
        raise ValueError(
            _(
                "%(text)r could be %(whole)s or %(whole)s%(fraction)s; write %(whole)s.00 or %(whole)s,%(fraction)s",
                text=text,
                whole=whole,
                fraction=fraction,
            )
        )
    if len(fraction) > currency_digits:
        raise ValueError(
            _(
                "%(text)r has %(n)s digits after the point; at most %(currency_digits)s are expected",
                text=text,
                n=len(fraction),
                currency_digits=currency_digits,
            )
        )
    if len(whole) > 1 and whole.startswith("0"):
        raise ValueError(
            _("%(text)r starts with a zero; write thousands as 50,000 and, in a list, as 50000", text=text)
        )
    minor = int(whole + fraction.ljust(currency_digits, "0"))
    if minor > MAX_MINOR:
        raise ValueError(_("%(text)r is larger than any amount; expected at most 15 digits", text=text))
    return minor


def to_minor(amount: Decimal | str | int, currency_digits: int = 2) -> int:
    """Minor units of an amount as data carries it (Decimal, int, or plain decimal text), halves rounded up.

    Raises ValueError for anything else: NaN, infinity, exponents, separators, floats, truth values.
    """
    if isinstance(amount, str):
        if not DECIMAL.fullmatch(amount):
            raise ValueError(_("%(amount)r is no decimal amount such as 1234.50", amount=amount))
        amount = Decimal(amount)
    if isinstance(amount, bool) or not isinstance(amount, (Decimal, int)):
        raise ValueError(_("%(amount)r is %(kind)s, no decimal amount", amount=amount, kind=type(amount).__name__))
    return _rounded(Decimal(amount), currency_digits)


def convert(
    amount: Decimal | str | int,
    currency: str,
    rates: Mapping[str, Decimal],
    base: str,
    currency_digits: int | None = None,
) -> int | None:
    """Minor units of `base` that `amount` is worth; None without a rate (units of base for one of the currency)."""
    digits = digits_of(base) if currency_digits is None else currency_digits
    rate = Decimal(1) if currency == base else rates.get(currency)
    if rate is None or not rate.is_finite() or rate <= 0:
        return None
    to_minor(amount, 0)  # refuses what is no amount
    with localcontext() as context:
        context.prec = 60
        return _rounded(Decimal(amount) * rate, digits)


def show(minor: int, currency_digits: int = 2) -> str:
    """`5000000` → `50,000.00`."""
    return f"{Decimal(minor).scaleb(-currency_digits):,.{currency_digits}f}"


def _rounded(amount: Decimal, digits: int) -> int:
    if not amount.is_finite() or abs(amount) > MAX_MINOR:
        raise ValueError(_("%(amount)s is no amount; expected at most 15 digits", amount=amount))
    with localcontext() as context:
        context.prec = 60
        return int(amount.scaleb(digits).to_integral_value(rounding=ROUND_HALF_UP))
