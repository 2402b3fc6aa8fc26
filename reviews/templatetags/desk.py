"""What stands around every page: theme, keys, holds in force, how much waits, the last decision's undo."""

import json
from dataclasses import dataclass, field
from typing import Any

from django import template
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import Count, Exists, Q, QuerySet

from orchestrator.models import Hold
from reviews import counts, toast
from reviews.keys import translation
from reviews.models import Preference
from reviews.toast import Toast

register = template.Library()
AREAS = {"cases": "queue", "documents": "queue"}
HTMX = {
    "includeIndicatorStyles": False,
    "allowEval": False,
    "allowScriptTags": False,
    "selfRequestsOnly": True,
    "historyCacheSize": 0,
    "refreshOnHistoryMiss": True,
    "responseHandling": [
        {"code": "204|304", "swap": False},
        {"code": "2..", "swap": True},
        {"code": "403|409|422|429", "swap": True},
        {"code": "[45]..", "swap": False, "error": True},
    ],
}
HTMX_CONFIG = json.dumps(HTMX)


@dataclass(frozen=True, slots=True)
class Desk:
    """The frame of a page. `waiting` is a number as text, "99+" at most."""

    theme: str = ""
    keys: bool = True
    keymap: str = ""
    dense: bool = False
    name: str = ""
    area: str = ""
    waiting: str = ""
    unread: int = 0
    may_hold: bool = False
    holds: list[Hold] = field(default_factory=list)
    toast: Toast | None = None
    htmx_config: str = HTMX_CONFIG


@register.simple_tag(takes_context=True)
def chrome(context: template.Context) -> Desk:
    """The frame for this request; for nobody signed in, an empty one."""
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return Desk()
    reader = reader_of(request)
    liked = reader.liked
    first = request.path.split("/")[1]
    return Desk(
        theme="" if liked.theme == Preference.Theme.SYSTEM else liked.theme,
        keys=liked.single_keys,
        keymap=json.dumps(translation(liked.keymap)) if liked.keymap else "",
        dense=liked.density == Preference.Density.DENSE,
        name=user.get_full_name() or user.get_username(),
        area=AREAS.get(first, first),
        waiting=context["waiting"] if "waiting" in context else counts.waiting(user),
        unread=reader.unread,
        may_hold=reader.may_hold,
        holds=list(in_force().select_related("pulled_by").order_by("pulled_at")) if reader.held else [],
        toast=toast.current(request),
    )


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: what they like (the defaults where nothing was saved), how many notices they have not read. `held`: a
    hold is in force."""

    liked: Preference
    may_hold: bool
    unread: int
    held: bool


def in_force() -> QuerySet[Hold]:
    return Hold.objects.filter(released_at=None)


def reader_of(request: Any) -> Reader:
    """The reader of this request, in one statement."""
    holders = Q(user=request.user) | Q(group__user=request.user)
    may_hold = Exists(Permission.objects.filter(holders, codename="pull_hold", content_type__app_label="orchestrator"))
    unread = Count("notices", filter=Q(notices__read_at=None))
    names = [field.attname for field in Preference._meta.concrete_fields if not field.primary_key]
    people = get_user_model().objects.filter(pk=request.user.pk)
    people = people.annotate(may_hold=may_hold, unread=unread, held=Exists(in_force()))
    row = people.values("may_hold", "unread", "held", *(f"preference__{name}" for name in names)).get()
    liked = {name: row[f"preference__{name}"] for name in names if row[f"preference__{name}"] is not None}
    return Reader(Preference(user=request.user, **liked), row["may_hold"], row["unread"], row["held"])
