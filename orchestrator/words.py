"""Texts that are looked up when they are shown: `from .words import later as _` where a module states them."""

from typing import cast

from django.utils.translation import gettext_lazy


def later(text: str) -> str:
    """Django's gettext_lazy, typed as what it is used as."""
    return cast(str, gettext_lazy(text))
