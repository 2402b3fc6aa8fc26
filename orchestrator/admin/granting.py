"""Who may do what with one object: django-guardian's pages, through our services and in the reader's language."""

from typing import Any

from django import forms
from django.contrib.auth.models import Permission
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext
from guardian.admin import (
    AdminGroupObjectPermissionsForm,
    AdminUserObjectPermissionsForm,
    GroupManage,
    GuardedModelAdmin,
    UserManage,
)
from guardian.shortcuts import get_perms_for_model

from orchestrator.grants import give, take
from orchestrator.words import later as _

# Guardian's own texts, of which it has no German: marked here, our catalogues say them.
THEIRS = (
    _("Object permissions"),
    _("User permissions"),
    _("Group permissions"),
    _("Manage user"),
    _("Manage group"),
    _("Permissions"),
    _("Object"),
    _("Edit"),
    _("Users"),
    _("Groups"),
    _("User"),
    _("Group"),
    _("Action"),
)
EVERYWHERE = {"add": _("Can add"), "change": _("Can change"), "delete": _("Can delete"), "view": _("Can see")}


class GrantingAdmin(GuardedModelAdmin):
    """Object permissions, under the button of that name; each given or taken is an event."""

    def get_obj_perms_base_context(self, request: HttpRequest, obj: Any) -> dict[str, Any]:
        context = super().get_obj_perms_base_context(request, obj)
        named = [{"codename": right.codename, "name": in_words(right)} for right in context["model_perms"]]
        return {**context, "model_perms": named}

    def get_obj_perms_user_select_form(self, request: HttpRequest) -> type[forms.Form]:
        return WhichUser

    def get_obj_perms_group_select_form(self, request: HttpRequest) -> type[forms.Form]:
        return WhichGroup

    def get_obj_perms_manage_user_form(self, request: HttpRequest) -> type[Any]:
        return granting(AdminUserObjectPermissionsForm, "user", request.user)

    def get_obj_perms_manage_group_form(self, request: HttpRequest) -> type[Any]:
        return granting(AdminGroupObjectPermissionsForm, "group", request.user)


def granting(form: type[Any], holder: str, actor: Any) -> type[Any]:
    """Guardian's form for a `holder` ("user" or "group"), giving and taking through our services."""

    class Granting(form):
        def get_obj_perms_field_choices(self) -> list[tuple[str, str]]:
            return [(right.codename, in_words(right)) for right in get_perms_for_model(self.obj)]

        @transaction.atomic
        def save_obj_perms(self) -> None:
            chosen, before = set(self.cleaned_data["permissions"]), set(self.get_obj_perms_field_initial())
            to = getattr(self, holder)
            for codename in sorted(chosen - before):
                give(codename, to, self.obj, actor=actor)
            for codename in sorted(before - chosen):
                take(codename, to, self.obj, actor=actor)

    return Granting


class RightsInWords:
    """For the forms of people and groups: each permission in words, under what it is about."""

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest | None, **given: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **given)  # type: ignore[misc]
        if db_field.related_model is Permission:
            field.label_from_instance = lambda right: f"{right.content_type}: {in_words(right)}"
        return field


class WhichUser(UserManage):
    user = forms.CharField(label=_("User name"), error_messages={"does_not_exist": _("There is no such account.")})


class WhichGroup(GroupManage):
    group = forms.CharField(label=_("Group"), error_messages={"does_not_exist": _("There is no such group.")})


def in_words(right: Permission) -> str:
    """A permission's name is stored, in the language of the source."""
    act, _of, model = right.codename.partition("_")
    return str(EVERYWHERE[act]) if act in EVERYWHERE and model == right.content_type.model else gettext(right.name)
