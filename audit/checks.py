"""What must be right before the first request: who may see what is decided by a function that exists."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register()
def visible_scopes_can_be_asked(**_: Any) -> list[CheckMessage]:
    path: Any = getattr(settings, "AUDIT_VISIBLE_SCOPES", None)
    try:
        if callable(import_string(path)):
            return []
        problem = "is not callable"
    except (ImportError, AttributeError, TypeError) as error:
        problem = f"cannot be imported: {error}"
    hint = "Name a function that takes a user and returns audit.scopes.Scopes, by its dotted path."
    return [Error(f"AUDIT_VISIBLE_SCOPES: {path!r} {problem}", hint=hint, id="audit.E001")]
