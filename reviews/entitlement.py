"""Who was allowed what at some moment of the past, by the trail: rows of permissions only say what holds now."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group

from audit.models import Event

from .models import Queue

Held = tuple[str, str, str, str]  # permission, id of the queue, "person" or "group", who


class History:
    """Grants on queues and memberships of groups, read once."""

    def __init__(self) -> None:
        self.grants: dict[Held, list[tuple[datetime, bool]]] = defaultdict(list)
        for event in Event.objects.filter(kind__in=("grant.given", "grant.revoked")).oldest_first():
            said = event.data
            if said["object"][0] == Queue._meta.model_name:
                held = (said["permission"], said["object"][1], *said["to"])
                self.grants[held].append((event.at, event.kind == "grant.given"))
        self.left: dict[str, list[tuple[datetime, list[str]]]] = defaultdict(list)
        for event in Event.objects.filter(kind="config.changed", subject_type="user").oldest_first():
            for change in event.data["changes"]:
                if change["field"] == "groups":
                    self.left[event.subject_id].append((event.at, change["old"] or []))

    def held(self, codename: str, queue_id: Any, person_id: Any, at: datetime) -> bool:
        """Whether this person held the permission on this queue then, directly or through a group."""
        holders = [("person", str(person_id)), *(("group", name) for name in self.groups_of(person_id, at))]
        return any(self._was_given((codename, str(queue_id), *holder), at) for holder in holders)

    def groups_of(self, person_id: Any, at: datetime) -> list[str]:
        """The groups of today, or what they were before the first change since then."""
        for when, before in self.left.get(str(person_id), ()):
            if when > at:
                return before
        return list(Group.objects.filter(user=person_id).values_list("name", flat=True))

    def _was_given(self, held: Held, at: datetime) -> bool:
        said = [given for when, given in self.grants.get(held, ()) if when <= at]
        return bool(said) and said[-1]
