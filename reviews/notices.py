"""Who is to be told what about a case. Written in the transaction of what happened; how it reaches them (the page,
mail) is no matter of the act."""

from typing import Any

from audit.log import database_now
from orchestrator.models import Task

from .models import Notice


def notify(person: Any, event: str, task: Task, actor: Any = None) -> Notice | None:
    """Leaves a notice for `person` that `event` (a kind of the trail) happened on `task`, by `actor` (None: the
    system). Nobody is told of what they did themselves."""
    if actor is not None and actor.pk == person.pk:
        return None
    return Notice.objects.create(person=person, event=event, task=task, actor=actor, at=database_now())
