"""Webhooks: addresses are configuration, and their secrets are never shown again; deliveries are read only."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext

from orchestrator import services
from orchestrator.models import Connection, Hook, HookDelivery, WebhookDelivery, WebhookEndpoint
from orchestrator.words import later as _

from .recorded import RecordedAdmin


class SecretAdmin(RecordedAdmin):
    """The secret is shown while the row is being added, to be copied; the trail and later pages never have it."""

    def described(self, obj: Any) -> dict[str, Any]:
        return {name: value for name, value in super().described(obj).items() if name not in ("secret", "read_until")}

    change_form_template = "admin/orchestrator/connection/change_form.html"
    readonly_fields = ("is_active", "proposed")

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("secret", "read_until") if obj is not None else ("read_until",)

    @admin.display(description=_("second person"))
    def proposed(self, row: Connection) -> str:
        if row.pk and row.put_in_force_by_id:
            both = {"by": row.proposed_by, "second": row.put_in_force_by}
            return gettext("Written by %(by)s, put in force by %(second)s.") % both
        waits = gettext("Written by %(by)s; somebody else puts it in force.") % {"by": row.proposed_by}
        return waits if row.proposed_by_id else "–"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        row = self.get_object(request, object_id)
        waits = row is not None and not row.is_active and row.proposed_by_id not in (None, request.user.pk)
        more = {"may_publish": waits, "may_switch_off": row is not None and row.is_active}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if services.propose_connection(row=obj, actor=cast(Any, request.user)):
            messages.info(request, gettext("%(row)s stands still until somebody else puts it in force.") % {"row": obj})

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view(self.act_view), f"orchestrator_{self.opts.model_name}_act"
        return [path("<path:pk>/<slug:act>-connection/", view, name=name), *super().get_urls()]

    def act_view(self, request: HttpRequest, pk: str, act: str) -> HttpResponse:
        row = self.get_object(request, pk)
        if row is None or act not in ACTS or request.method != "POST":
            raise Http404
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        service, words = ACTS[act]
        try:
            service(row=row, actor=cast(Any, request.user))
            messages.success(request, words % {"row": row})
        except services.ServiceError as refused:
            messages.error(request, f"{refused}.")
        return redirect(reverse(f"admin:orchestrator_{self.opts.model_name}_change", args=[row.pk]))


ACTS: Mapping[str, tuple[Callable[..., None], str]] = {
    "publish": (services.publish_connection, _("%(row)s is in force.")),
    "stop": (services.switch_off_connection, _("%(row)s is switched off.")),
}


class ReadOnlyAdmin(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Hook)
class HookAdmin(SecretAdmin):
    list_display = ("name", "workflow", "is_active")

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("secret",) if obj is not None else ()


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(SecretAdmin):
    list_display = ("name", "url", "is_active")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("kind", "endpoint", "status", "attempts", "answer", "next_at")
    list_filter = ("status", "endpoint")
    list_select_related = ("endpoint",)


@admin.register(HookDelivery)
class HookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("webhook_id", "hook", "correlation", "received_at", "run")
    list_filter = ("hook",)
    list_select_related = ("hook", "run")
