"""What stands around every page: theme, keys, holds in force, how much waits, the last decision's undo."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django import template
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import Count, Exists, JSONField, Q, QuerySet, Subquery
from django.db.models.functions import JSONObject

from orchestrator.models import Hold
from reviews import counts, toast
from reviews.feedback import TOLD
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
        holds=reader.holds,
        toast=toast.current(request),
    )


@register.filter
def apart(messages: Iterable[Any]) -> dict[str, list[Any]]:
    """What control cases had to say stays until it is closed, and stands by itself."""
    found: dict[str, list[Any]] = {"feedback": [], "plain": []}
    for message in messages:
        found["feedback" if TOLD in message.tags.split() else "plain"].append(message)
    return found


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: what they like (the defaults where nothing was saved), how many notices they have not read, and the
    holds in force."""

    liked: Preference
    may_hold: bool
    unread: int
    holds: list[Hold]


class AsList(Subquery):
    """What a query finds as `one` JSON value a row, as a list in a column; None for nothing."""

    template = "(SELECT JSON_GROUP_ARRAY(JSON(one)) FROM (%(subquery)s) AS found)"
    output_field = JSONField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        said: Any = self.as_sql
        return said(compiler, connection, template="(SELECT JSONB_AGG(one) FROM (%(subquery)s) AS found)", **extra)


def in_force() -> QuerySet[Any]:
    """The holds in force and who pulled them, as hold_of() reads them."""
    names = ("pk", "scope", "value", "reason", "pulled_at")
    person = {name: f"pulled_by__{name}" for name in ("id", "username", "first_name", "last_name")}
    fields = JSONObject(**{name: name for name in names}, pulled_by=JSONObject(**person))
    return Hold.objects.filter(released_at=None).order_by("pulled_at", "pk").values(one=fields)


def hold_of(kept: dict[str, Any]) -> Hold:
    at = datetime.fromisoformat(kept["pulled_at"])
    told = {name: kept[name] for name in ("scope", "value", "reason")}
    return Hold(
        pk=UUID(kept["pk"]),
        pulled_by=get_user_model()(**kept["pulled_by"]),
        pulled_at=at.replace(tzinfo=at.tzinfo or UTC),  # SQLite keeps UTC without saying so
        **told,
    )


def reader_of(request: Any) -> Reader:
    """The reader of this request, in one statement."""
    holders = Q(user=request.user) | Q(group__user=request.user)
    may_hold = Exists(Permission.objects.filter(holders, codename="pull_hold", content_type__app_label="orchestrator"))
    unread = Count("notices", filter=Q(notices__read_at=None))
    names = [field.attname for field in Preference._meta.concrete_fields if not field.primary_key]
    people = get_user_model().objects.filter(pk=request.user.pk)
    people = people.annotate(may_hold=may_hold, unread=unread, holds=AsList(in_force()))
    row = people.values("may_hold", "unread", "holds", *(f"preference__{name}" for name in names)).get()
    liked = {name: row[f"preference__{name}"] for name in names if row[f"preference__{name}"] is not None}
    return Reader(
        Preference(user=request.user, **liked),
        row["may_hold"],
        row["unread"],
        [hold_of(kept) for kept in row["holds"] or ()],
    )
