"""The reasons people choose from: those of the review policy where it has its own, else the usual ones."""

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext

from . import policies
from .models import ReviewPolicy

OTHER = "other"
Codes = Mapping[str, Sequence[tuple[str, str]]]


def codes_of(policy: ReviewPolicy) -> Codes:
    """{verdict: [(code, words), …]}, in one statement."""
    own: dict[str, list[tuple[str, str]]] = {}
    for row in policy.codes.all():
        offered = own.setdefault(row.verdict, [])
        if row.is_active:
            offered.append((row.code, row.words))
    usual = {verdict: [(code, gettext(words)) for code, words in codes] for verdict, codes in policies.REASONS.items()}
    return {**usual, **own}


def words_of(policy: ReviewPolicy, verdict: str, code: str) -> str:
    """A code in words; one that is no longer offered, or came over the API, as it stands."""
    known = {row.code: row.words for row in policy.codes.all() if row.verdict == verdict}
    usual = dict(policies.REASONS.get(verdict, ()))
    return known.get(code) or (gettext(usual[code]) if code in usual else code)


def unknown(policy: ReviewPolicy, verdict: str, code: str) -> str:
    """What is wrong with a code that nobody offers for this verdict, and what is offered; empty where nothing is."""
    usual = dict(policies.REASONS.get(verdict, ()))
    if code in ("", OTHER) or code in usual:
        return ""
    offered = [known for known, _ in codes_of(policy).get(verdict, ())]
    if code in offered:
        return ""
    return gettext("%(code)r; expected one of %(known)s") % {"code": code, "known": ", ".join(offered or [OTHER])}
