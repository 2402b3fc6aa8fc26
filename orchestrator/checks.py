"""System checks: what is misconfigured is said by `manage.py check`, before a run meets it."""

import os
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

CURRENCY = re.compile(r"[A-Z]{3}")  # ISO 4217
# Number of the check -> the setting that names code by dotted path: one, a list, or a dictionary of them.
DOTTED = {
    "E001": "STEP_HANDLERS",
    "E002": "AGENT_MODULES",
    "E003": "AUDIT_VISIBLE_SCOPES",
    "E006": "SWEEPERS",
    "E007": "QUEUE_NAMES",
    "E008": "API_ROUTERS",
    "E009": "RUN_DOCUMENT_PARTS",
    "E010": "INVARIANTS",
    "E011": "POLICY_CHECKS",
    "E012": "METRICS",
}


@register()
def check_dotted_paths(**_: Any) -> list[CheckMessage]:
    """What the settings name by dotted path can be imported."""
    return [message for number, setting in DOTTED.items() for message in unimportable(number, setting)]


@register()
def check_document_dir(**_: Any) -> list[CheckMessage]:
    """The directory itself, or the nearest one above it in which it would be made."""
    place = settings.DOCUMENT_DIR
    while not place.exists():
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return []
    hint = "Give this account the right to write there, or name another directory that all workers share."
    return [Error(f"DOCUMENT_DIR: {settings.DOCUMENT_DIR} cannot be written to.", hint=hint, id="countersign.E004")]


@register()
def check_base_currency(**_: Any) -> list[CheckMessage]:
    if CURRENCY.fullmatch(settings.BASE_CURRENCY):
        return []
    hint = "For instance EUR, USD or CHF."
    message = f"BASE_CURRENCY: {settings.BASE_CURRENCY!r} is not a three-letter ISO 4217 code."
    return [Error(message, hint=hint, id="countersign.E005")]


def unimportable(number: str, setting: str) -> Iterator[CheckMessage]:
    load = import_module if setting == "AGENT_MODULES" else import_string
    for path in dotted_paths(getattr(settings, setting)):
        try:
            load(path)
        except ImportError as error:
            hint = f"Correct the dotted path in {setting}, or the module it names."
            yield Error(f"{setting}: {path} cannot be imported: {error}", hint=hint, id=f"countersign.{number}")


def dotted_paths(value: str | list[str] | dict[str, str]) -> list[str]:
    if isinstance(value, str):
        return [value]
    return list(value.values()) if isinstance(value, dict) else value
