"""What a person may see of the trail. Who that is, the project says: `settings.AUDIT_VISIBLE_SCOPES`."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Scopes:
    """Visible are: everything; or events of these queues, events of these workflows that belong to no queue, and what
    the person did. Not visible, but for the last: events about the subjects in `hidden`. Events about those in
    `withheld` are not visible whatever else is."""

    everything: bool = False
    workflows: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    actor_id: str = ""
    hidden: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()


def visible_scopes(user: Any) -> Scopes:
    """The scopes of `user`, by the function `settings.AUDIT_VISIBLE_SCOPES` names."""
    return import_string(settings.AUDIT_VISIBLE_SCOPES)(user)
