"""Other cases that a difference is about: an invoice paid before, a receipt that was claimed already."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.db.models import Q

from orchestrator.models import Run
from orchestrator.permissions import visible_runs


def earlier_runs(names: Collection[str], user: Any) -> dict[str, Run]:
    """{name: run} of those the person may see. A name is a run's id or the key of an effect; others say nothing."""
    if not names:
        return {}
    ids = {pk: name for name in names if (pk := _id(name)) is not None}
    wanted = visible_runs(user).filter(Q(pk__in=list(ids)) | Q(effects__key__in=list(names)))
    rows = wanted.distinct().prefetch_related("effects")
    found = {ids[run.pk]: run for run in rows if run.pk in ids}
    found |= {effect.key: run for run in rows for effect in run.effects.all() if effect.key in names}
    return found


def _id(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
