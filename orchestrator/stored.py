"""Sentences that are stored in the language of the source, in that of whoever reads them: found again by their form."""

import re
from collections.abc import Callable, Iterable
from functools import cache

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from .said import Said

PLACE = re.compile(r"\\\{(\w+)\\\}")  # `{name}`, as re.escape() leaves it
NOT_KNOWN = _("(not known)")
# What stands in a question where the case says nothing.
MISSING = {"vendor_name": _("an unknown vendor"), "employee_name": _("an unknown person")}
# Places that stand beside others with nothing but a space between.
SHAPES = {"amount": r"-?[\d,]+\.\d\d", "currency": "[A-Z]{3}"}


def retold(text: str, forms: Iterable[str], again: Callable[[str, str], str]) -> str:
    """`Start KB-1 once more?`, of the form `Start {what} once more?`, in the reader's language; what was put into its
    places as `again` says it. Text of none of these forms is shown as it stands."""
    for form in forms:
        if found := _pattern(form, exact=True).fullmatch(text) or _pattern(form, exact=False).fullmatch(text):
            put = {name: again(name, said) for name, said in found.groupdict().items()}
            return gettext(form).format_map(put)
    return text


@cache
def _pattern(form: str, *, exact: bool) -> re.Pattern[str]:
    def place(found: re.Match[str]) -> str:
        shape = SHAPES.get(found[1]) if exact else None
        return f"(?P<{found[1]}>{shape}|{re.escape(NOT_KNOWN)})" if shape else f"(?P<{found[1]}>.+)"

    return re.compile(PLACE.sub(place, re.escape(form)), re.DOTALL)


def told(text: str) -> str:
    """What a module without Django has said, in the reader's language; other text as it stands."""
    if not isinstance(text, Said):
        return text
    put = {name: told(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return gettext(text.form) % put if put else gettext(text.form)
