"""What admins change is an event with old and new value, in the same transaction; what happened is read only."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db import models, transaction
from django.http import HttpRequest
from django.utils import translation

from audit.admin import CappedPaginator
from audit.log import person, record
from orchestrator.words import later as _

Described = Mapping[str, Any]
AGAINST = _("By %(by)s; somebody else publishes it. Against what is in force:")
HANDED_OVER = _("%(row)s: handed over; it waits for somebody else to publish it.")
IN_FORCE = _("%(row)s: version %(number)s is in force for runs that start from now on.")


def tell(kind: str, obj: models.Model, request: HttpRequest, act: str, before: Described, after: Described) -> None:
    """Records what differs between two descriptions of a row; nothing where nothing does."""
    changes = [
        {"field": name, "old": before.get(name), "new": after.get(name)}
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    if changes:
        subject = (str(obj._meta.model_name), str(getattr(obj, "name", "") or obj.pk))
        with translation.override(settings.LANGUAGE_CODE):
            data = {"act": act, "name": str(obj), "changes": changes}
        record(kind, subject=subject, actor=person(request.user), data=data)


class RecordedAdmin(admin.ModelAdmin):
    """`described()` is what an event compares: by default every field that can be edited."""

    class Media:
        css = {"all": ["admin.css"]}

    event = "config.changed"

    def described(self, obj: Any) -> dict[str, Any]:
        fields = [field for field in obj._meta.concrete_fields if field.editable]
        return {field.name: _plain(field.value_from_object(obj)) for field in fields}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        before = type(obj)._default_manager.filter(pk=obj.pk).first() if change else None
        request.described = self.described(before) if before else {}  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The last part of a save: inline rows and many-to-many values are there now."""
        super().save_related(request, form, formsets, change)
        now = type(form.instance)._default_manager.get(pk=form.instance.pk)
        before = request.described  # type: ignore[attr-defined]
        tell(self.event, now, request, "changed" if change else "added", before, self.described(now))

    @transaction.atomic
    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        tell(self.event, obj, request, "deleted", self.described(obj), {})
        super().delete_model(request, obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for obj in queryset:
            self.delete_model(request, obj)


def _plain(value: Any) -> Any:
    """A value as an event can carry it: what is neither plain data nor a date or number becomes its text."""
    return value if value is None or isinstance(value, bool | int | str | list | dict) else str(value)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Nobody adds, changes or deletes here, superusers included. Content is left to the pages, which ask who may see
    it."""

    actions: Sequence[Any] | None = None
    show_full_result_count = False
    paginator = CappedPaginator

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
