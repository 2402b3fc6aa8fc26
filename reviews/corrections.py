"""Values people put right. A correction replaces one plain value that the case has, by one of the same kind."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.translation import gettext
from stdnum import iban

from orchestrator.case import Case, PointerError, look_up

from .errors import Invalid

DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
LONGEST = 500
MOST = 100


def checked(case: Case, corrections: Mapping[str, Any]) -> list[dict[str, Any]]:
    """[{"pointer", "old", "new"}]; Invalid lists every correction that cannot be made."""
    if not isinstance(corrections, Mapping) or len(corrections) > MOST:
        raise Invalid(
            [
                (
                    "corrections",
                    gettext("expected an object of at most %(most)s JSON pointers with their values") % {"most": MOST},
                )
            ]
        )
    found, errors = [], []
    for pointer, new in corrections.items():
        try:
            old = look_up(case.data, pointer)
        except PointerError as error:
            errors.append((f"corrections.{pointer}", str(error)))
            continue
        if objection := objection_to(pointer, old, new):
            errors.append((f"corrections.{pointer}", f"{pointer}: {new!r} {objection}"))
        found.append({"pointer": pointer, "old": old, "new": new})
    if errors:
        raise Invalid(errors)
    return found


def objection_to(pointer: str, old: Any, new: Any) -> str | None:
    """What is wrong with the new value, given the old one; None where it may stand."""
    if isinstance(old, dict | list) or isinstance(new, dict | list | float):
        return gettext("cannot stand here; expected a single value, amounts as text")
    if old is not None and type(old) is not type(new) and not (isinstance(old, str) and new is None):
        return gettext("is %(found)s; expected %(was)s, as it was") % {
            "found": type(new).__name__,
            "was": type(old).__name__,
        }
    if not isinstance(new, str):
        return None
    if len(new) > LONGEST or not new.isprintable():
        return gettext("cannot stand here; expected plain text of at most %(longest)s characters") % {
            "longest": LONGEST
        }
    return _objection_to_text(pointer.rsplit("/", 1)[-1], old, new)


def _objection_to_text(name: str, old: Any, new: str) -> str | None:
    """By what the old value looks like; where there was none, by the name of the field."""
    shape = old or ""
    if IBAN.fullmatch(shape) or name == "iban":
        return None if iban.is_valid(new) else gettext("is no IBAN; its check digits do not fit")
    if _is_date(shape) or (not shape and name.endswith("date")):
        return None if _is_date(new) else gettext("is no date; expected one like 2026-01-31")
    if DECIMAL.fullmatch(shape):
        return None if DECIMAL.fullmatch(new) else gettext("is no amount; expected one like 1234.50")
    return None


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
