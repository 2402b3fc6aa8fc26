"""Accounts, groups and API tokens. Every change is recorded; passwords are told of and never shown."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from audit.log import person
from orchestrator.models import ApiToken
from orchestrator.permissions import is_agent
from orchestrator.tokens import revoke_token
from orchestrator.words import later as _

from .granting import RightsInWords
from .recorded import ReadOnlyAdmin, RecordedAdmin, tell

SAID = ("username", "first_name", "last_name", "email", "is_active", "is_staff", "is_superuser")

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class AccountAdmin(RightsInWords, RecordedAdmin, UserAdmin):
    list_display = [*UserAdmin.list_display, "is_active", "agent"]
    list_select_related = ["agent_account"]

    @admin.display(description=_("agent"))
    def agent(self, user: Any) -> str:
        account = getattr(user, "agent_account", None)
        return account.agent if account else ""

    def described(self, user: Any) -> dict[str, Any]:
        return {name: getattr(user, name) for name in SAID} | {
            "groups": sorted(user.groups.values_list("name", flat=True)),
            "permissions": sorted(user.user_permissions.values_list("codename", flat=True)),
        }

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Agents have no password: nobody can sign in as one."""
        user = self.get_object(request, id)
        if user is not None and is_agent(user):
            raise PermissionDenied
        response = super().user_change_password(request, id, form_url)
        now = User.objects.filter(pk=id).first() if user is not None else None
        if now is not None and now.password != user.password:
            tell(self.event, now, request, "changed", {"password": "as before"}, {"password": "new"})
        return response


@admin.register(Group)
class RecordedGroupAdmin(RightsInWords, RecordedAdmin, GroupAdmin):
    def described(self, group: Any) -> dict[str, Any]:
        permissions = group.permissions.values_list("codename", flat=True)
        return {"name": group.name, "permissions": sorted(permissions)}


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens are made by `manage.py create_token`, which shows them once, and revoked here."""

    list_display = ["user", "created_at", "expires_at", "revoked_at"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["user"]
    search_fields = ["user__username"]
    ordering = ["-created_at"]
    exclude = ["digest"]
    actions = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request)

    @admin.action(description=_("Revoke the chosen tokens"), permissions=["revoke"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        count = sum(revoke_token(token=token, actor=person(request.user)) for token in tokens)
        messages.success(request, gettext("%(count)s revoked; they no longer open anything.") % {"count": count})
