"""Cases like one: stopped by the same rules, of the same vendor, differing in the same ways, under a set exposure."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from orchestrator.policies.money import digits_of, to_minor

from .inbox import Page, Sight, Wanted, named, newest_review, rows_of, told
from .models import Review

MOST = 20  # as many as may be decided at once
LOOKED_AT = 200


def similar_to(sight: Sight, wanted: Wanted) -> Page:
    """The case named by `like` and those that resemble it in the view, the most urgent first."""
    model = newest_review(sight.user, UUID(wanted.like))
    limit = to_minor(model.queue.policy.similar_below, digits_of(settings.BASE_CURRENCY))
    rows = rows_of(sight, wanted.view).filter(vendor=model.vendor, rules=model.rules, workflow=model.workflow)
    rows = rows.exclude(pk=model.pk).filter(amount_base__lte=limit)
    ways = ways_of(model.packet["differences"])
    alike = [row for row in told(rows, sight.user).by_urgency()[:LOOKED_AT] if ways_of(row.differences or ()) == ways]
    itself = told(Review.objects.filter(pk=model.pk), sight.user)
    return Page(named([*itself, *alike][:MOST], sight), rows)


def ways_of(differences: Sequence[Mapping[str, Any]]) -> set[str]:
    """In which ways something differs, however often."""
    return {item["kind"] for item in differences}
