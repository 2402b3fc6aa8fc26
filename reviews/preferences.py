"""How a person likes to work: theirs alone, and no part of the trail."""

from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext

from orchestrator.pages import language

from .errors import Invalid
from .models import Preference, SavedView
from .wanted import Unknown, Wanted

MOST_VIEWS, LONGEST_NAME = 30, 60


def save_preference(*, actor: Any, **liked: Any) -> Preference:
    """Keeps the preferences named in `liked`; the others stay as they are."""
    return Preference.objects.update_or_create(user=actor, defaults=liked)[0]


def remember_language(*, request: Any, user: Any, **_: Any) -> None:
    """When somebody signs in: pages speak the language they chose, wherever they sit."""
    code = Preference.objects.filter(user=user).values_list("language", flat=True).first()
    if code:
        request.session[language.CHOSEN] = code


def save_view(*, actor: Any, name: str, query: str) -> SavedView:
    """Keeps the address of a list under a name; the same name again keeps the new one. Invalid."""
    name = checked_name(name)
    views = SavedView.objects.filter(user=actor)
    if views.exclude(name=name).count() >= MOST_VIEWS:
        raise Invalid(
            [
                (
                    "name",
                    gettext("name: %(most_views)s views are saved already; delete one first")
                    % {"most_views": MOST_VIEWS},
                )
            ]
        )
    try:
        wanted = Wanted.strictly(QueryDict(query).dict())
    except Unknown as error:
        raise Invalid([("query", str(error))]) from None
    return SavedView.objects.update_or_create(user=actor, name=name, defaults={"query": wanted.query or "view=mine"})[0]


def rename_view(*, actor: Any, view: SavedView, name: str) -> None:
    """Invalid where another view of theirs has that name."""
    name = checked_name(name)
    if SavedView.objects.filter(user=actor, name=name).exclude(pk=view.pk).exists():
        raise Invalid([("name", gettext("name: %(name)r is the name of another view of yours") % {"name": name})])
    SavedView.objects.filter(pk=view.pk, user=actor).update(name=name)


def delete_view(*, actor: Any, view: SavedView) -> None:
    SavedView.objects.filter(pk=view.pk, user=actor).delete()


def checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(
            [
                (
                    "name",
                    gettext("name: %(value)r; expected 1 to %(longest_name)s characters")
                    % {"value": name[:LONGEST_NAME], "longest_name": LONGEST_NAME},
                )
            ]
        )
    return name
