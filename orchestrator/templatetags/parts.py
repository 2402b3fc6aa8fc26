"""Small parts every page is made of: icons, badges, amounts, times. They answer text; markup is escaped."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from audit.templatetags.trail import exact

register = template.Library()
register.filter(exact, expects_localtime=True)
SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£"}
UNITS = ((86_400, "day"), (3_600, "h"), (60, "min"))
RUN_LOOKS = {  # run status: tone and icon of its tag
    "running": ("info", "bolt"),
    "waiting": ("warn", "pause"),
    "suspended": ("bad", "pause"),
    "cancelling": ("warn", "x"),
    "succeeded": ("ok", "check"),
    "rejected": ("", "x"),
    "failed": ("bad", "stop"),
    "cancelled": ("", "x"),
}
BADGES = {"agent": "who bot", "policy": "who sys", "system": "who sys"}


@register.simple_tag
def icon(name: str) -> SafeString:
    """A symbol of icons.svg; decoration, so that words beside it carry the meaning."""
    return _icon(name, static("icons.svg"))


@lru_cache(maxsize=128)
def _icon(name: str, sheet: str) -> SafeString:
    return format_html('<svg class="i" aria-hidden="true"><use href="{}#{}"/></svg>', sheet, name)


@register.filter
def initials(name: str) -> str:
    """Two letters for a badge: `Mara Lindholm` is ML, `invoices.read` is IN."""
    words = str(name).split()
    return ("".join(word[0] for word in (words[0], words[-1])) if len(words) > 1 else str(name)[:2]).upper()


@register.filter
def badge(actor_kind: str) -> str:
    """The classes of a badge: people are circles, agents and machinery squares."""
    return BADGES.get(actor_kind, "who")


@register.filter
def money(amount: Any, currency: str = "") -> str:
    """`38669.29`, `EUR` is €38,669.29; what is no number is shown as it stands."""
    try:
        number = Decimal(str(amount))
    except InvalidOperation:
        return str(amount or "")
    if not number.is_finite():
        return str(amount)
    places = max(2, -int(number.as_tuple().exponent))
    text, symbol = formats.number_format(abs(number), places, force_grouping=True), SYMBOLS.get(currency, "")
    # Translators: an amount with its currency's symbol, and with its code
    pattern = pgettext("amount", "%(symbol)s%(number)s") if symbol else pgettext("amount", "%(number)s %(code)s")
    return ("−" if number < 0 else "") + (pattern % {"symbol": symbol, "number": text, "code": currency}).strip()


@register.filter
def grouped(number: Any) -> str:
    """`1234567` is 1,234,567."""
    return formats.number_format(number, force_grouping=True)


@register.filter
def written_amount(text: str) -> str:
    """An amount as a review keeps it, `38669.29 EUR`, for people."""
    number, _, currency = str(text or "").partition(" ")
    return money(number, currency) if number else ""


@register.filter
def span(value: Any) -> str:
    """A length of time in two units: `1 h 26 min`, `2 days 4 h`, `0.4 s`."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds is None:
        return ""
    if 0 < seconds < 0.1:
        return _("%(n)s ms") % {"n": f"{max(seconds * 1000, 1):.0f}"}
    if seconds < 60:
        return _("%(n)s s") % {"n": formats.number_format(f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}")}
    parts, rest = [], int(seconds)
    for size, unit in UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(in_unit(unit, count))
    return " ".join(parts[:2])


def in_unit(unit: str, count: int) -> str:
    words = {
        "day": ngettext("%(n)s day", "%(n)s days", count),
        "h": ngettext("%(n)s h", "%(n)s h", count),
        "min": ngettext("%(n)s min", "%(n)s min", count),
    }
    return words[unit] % {"n": count}


@register.filter
def until(moment: datetime | None) -> str:
    """How far away a moment is: `1 h 55 min`, or `3 h 2 min over`."""
    if moment is None:
        return ""
    left = moment - timezone.now()
    away = span(abs(left))
    return away if left.total_seconds() >= 0 else _("%(span)s over") % {"span": away}


@register.filter
def percent(value: Any) -> str:
    """`0.98` is 98%; always rounded down, so that 100% means all of it."""
    try:
        return pgettext("share of a hundred", "%(n)s%%") % {"n": int(Decimal(str(value)) * 100)}
    except InvalidOperation:
        return ""


@register.filter
def short(identifier: Any) -> str:
    """The end of a time-ordered id: enough to tell two apart on one page."""
    return str(identifier)[-12:]


@register.filter
def get(mapping: Any, key: str) -> Any:
    return mapping.get(key) if isinstance(mapping, Mapping) else None


@register.filter
def words(name: str) -> str:
    """`bank_account_changed` is Bank account changed; `seller.vat_id` is Seller vat id; in the reader's language where
    it has a name for it."""
    text = str(name).replace("_", " ").replace(".", " ").replace("-", " ").strip()
    return _(text[:1].upper() + text[1:]) if text else ""


@register.filter
def outcome(text: str) -> str:
    """Why a run ended: the code of a reason in words, `wrong_amount` is wrong amount; a sentence as it stands."""
    return text if " " in text else text.replace("_", " ")


@register.filter
def as_json(value: Any) -> str:
    """Plain data for people and attributes; the template escapes it."""
    return json.dumps(value, indent=2 if isinstance(value, dict | list) else None, ensure_ascii=False, default=str)


@register.filter
def between(start: datetime, end: datetime) -> str:
    return span(end - start)


@register.simple_tag
def share(part: float, whole: float, least: float = 0) -> str:
    """`part` of `whole` in hundredths, for the width of a bar; at least `least`, so that a trace stays visible."""
    return f"{max(100 * float(part) / (float(whole) or 1), least):.2f}"


@register.filter
def run_tone(status: str) -> str:
    return RUN_LOOKS.get(status, ("", "clock"))[0]


@register.filter
def run_icon(status: str) -> str:
    return RUN_LOOKS.get(status, ("", "clock"))[1]
