"""The trail, as far as the caller may read it."""

import json
from typing import Annotated, Any

from django.utils.translation import gettext
from ninja import Query, Router

from audit.filters import Filters, kinds_of
from audit.models import Event
from orchestrator.http import Request
from orchestrator.permissions import visible_scopes

from .errors import invalid
from .paging import PAGE, Cursor, Limit, page
from .shapes import TrailPage, refusals

router = Router(tags=["trail"])


@router.get("", response={200: TrailPage} | refusals(422))
def list_trail(
    request: Request,
    run: Annotated[str, Query(max_length=36, description="Entries of this run.")] = "",
    kind: Annotated[str, Query(max_length=40, description="A kind, or all of a noun: `review`.")] = "",
    cursor: Cursor = "",
    limit: Limit = PAGE,
) -> dict[str, Any]:
    """What happened, oldest first, as far as you may see it."""
    kinds = kinds_of(kind) if kind else ()
    if kind and not kinds:
        raise invalid(("kind", gettext("%(kind)r is no kind of entry and no noun") % {"kind": kind}))
    wanted = Filters(runs=(run,) if run else (), kinds=kinds)
    rows = Event.objects.visible_to(visible_scopes(request.user)).matching(wanted)
    return page(rows, entry, by="at", cursor=cursor, limit=limit, descending=False)


def entry(event: Event) -> dict[str, Any]:
    """The record itself, with the actor's name at the time, which is kept beside it."""
    body = json.loads(bytes(event.body))
    return {**body, "actor": {**body["actor"], "label": event.actor_label}, "digest": event.digest}
