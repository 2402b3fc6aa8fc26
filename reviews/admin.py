"""Queues, their policies and levels, to be edited; reviews and answers, to be read. What an admin changes is an event
with the old and the new value; a permission on a queue is given and taken through the same services as elsewhere."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db import models, transaction
from django.http import HttpRequest
from guardian.admin import AdminGroupObjectPermissionsForm, AdminUserObjectPermissionsForm, GuardedModelAdmin

from audit.log import person, record
from orchestrator.grants import give, take

from .models import Approval, Queue, Review, ReviewLevel, ReviewPolicy


def told(kind: str, obj: models.Model, actor: Any, act: str, changes: Iterable[dict[str, Any]] = ()) -> None:
    data = {"act": act, "name": str(obj), "changes": list(changes)}
    record(kind, subject=(obj._meta.model_name or "", obj.pk), actor=person(actor), data=data)


def changes_of(form: forms.BaseForm) -> list[dict[str, Any]]:
    """[{"field", "old", "new"}] as text people read."""
    return [
        {
            "field": name,
            "old": _text(form.get_initial_for_field(form.fields[name], name)),
            "new": _text(form.cleaned_data.get(name)),
        }
        for name in form.changed_data
    ]


def _text(value: Any) -> str:
    return "" if value is None else str(getattr(value, "pk", value))


class RecordedAdmin(admin.ModelAdmin):
    """Every change, those of inline rows included, leaves an event in its own transaction."""

    event = "config.changed"
    actions = None  # deleting many at once would leave no room for a look at each

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        told(self.event, obj, request.user, "changed" if change else "added", changes_of(form))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        told(self.event, obj, request.user, "deleted")
        super().delete_model(request, obj)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """A row that goes is told of while it is there, one that is added once it has a key."""
        for row in formset.deleted_forms:
            told(self.event, row.instance, request.user, "deleted")
        kept = [row for row in formset.forms if row.has_changed() and row not in formset.deleted_forms]
        acts = ["changed" if row.instance.pk else "added" for row in kept]
        super().save_formset(request, form, formset, change)
        for row, act in zip(kept, acts, strict=True):
            told(self.event, row.instance, request.user, act, changes_of(row))


class LevelInline(admin.TabularInline):
    model = ReviewLevel
    extra = 0


@admin.register(ReviewPolicy)
class ReviewPolicyAdmin(RecordedAdmin):
    list_display = ["name", "quorum", "undo_seconds", "sla_minutes", "max_rounds", "recommendation"]
    inlines = [LevelInline]


@admin.register(Queue)
class QueueAdmin(RecordedAdmin, GuardedModelAdmin):
    """Who may see, decide and send elsewhere is edited under "Object permissions"."""

    event = "queue.changed"
    list_display = ["title", "name", "policy", "escalates_to"]
    list_select_related = ["policy", "escalates_to"]

    def get_obj_perms_manage_user_form(self, request: HttpRequest) -> type[forms.Form]:
        return recorded(AdminUserObjectPermissionsForm, "user", request.user)

    def get_obj_perms_manage_group_form(self, request: HttpRequest) -> type[forms.Form]:
        return recorded(AdminGroupObjectPermissionsForm, "group", request.user)


def recorded(form: type[Any], holder: str, actor: Any) -> type[Any]:
    """The form, giving and taking permissions with an event for each."""

    class Recorded(form):
        @transaction.atomic
        def save_obj_perms(self) -> None:
            chosen, before = set(self.cleaned_data["permissions"]), set(self.get_obj_perms_field_initial())
            to = getattr(self, holder)
            for codename in sorted(chosen - before):
                give(codename, to, self.obj, actor=actor)
            for codename in sorted(before - chosen):
                take(codename, to, self.obj, actor=actor)

    return Recorded


class ReadOnlyAdmin(admin.ModelAdmin):
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    list_display = ["title", "queue", "status", "round", "level", "opened_at", "due_at", "settled_at"]
    list_filter = ["status", "queue"]
    list_select_related = ["queue"]
    search_fields = ["number", "vendor", "title"]
    ordering = ["-opened_at"]


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    list_display = ["at", "review", "level", "reviewer", "verdict", "reason"]
    list_filter = ["verdict"]
    list_select_related = ["review", "reviewer"]
    ordering = ["-at"]
