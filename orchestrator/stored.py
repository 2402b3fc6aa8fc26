"""Sentences that are stored in the language of the source, in that of whoever reads them: found again by their form."""

import re
from collections.abc import Iterable
from functools import cache

from django.utils.translation import gettext

PLACE = re.compile(r"\\\{(\w+)\\\}")  # `{name}`, as re.escape() leaves it


def retold(text: str, forms: Iterable[str]) -> str:
    """`Start KB-1 once more?`, of the form `Start {what} once more?`, in the reader's language. Text of none of these
    forms is shown as it stands."""
    for form in forms:
        if found := _pattern(form).fullmatch(text):
            return gettext(form).format_map(found.groupdict())
    return text


@cache
def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(PLACE.sub(r"(?P<\1>.+)", re.escape(form)), re.DOTALL)
