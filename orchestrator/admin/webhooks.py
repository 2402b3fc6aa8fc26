"""Webhooks: addresses are configuration, and their secrets are never shown again; deliveries are read only."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from orchestrator.models import Hook, HookDelivery, WebhookDelivery, WebhookEndpoint

from .recorded import RecordedAdmin


class SecretAdmin(RecordedAdmin):
    """The secret is shown while the row is being added, to be copied; the trail and later pages never have it."""

    def described(self, obj: Any) -> dict[str, Any]:
        return {name: value for name, value in super().described(obj).items() if name not in ("secret", "read_until")}

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("secret", "read_until") if obj is not None else ("read_until",)


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
