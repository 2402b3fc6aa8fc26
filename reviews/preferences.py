"""How a person likes to work: theirs alone, and no part of the trail."""

from typing import Any

from .models import Preference


def save_preference(*, actor: Any, **liked: Any) -> Preference:
    """Keeps the preferences named in `liked`; the others stay as they are."""
    return Preference.objects.update_or_create(user=actor, defaults=liked)[0]
