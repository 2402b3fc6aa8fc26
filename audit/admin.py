"""The trail in the admin: to be read. Its pages under /audit/ have the search; nobody adds, changes or deletes here."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy

from .filters import kinds_of
from .kinds import NOUNS
from .models import Event


class CappedPaginator(Paginator):
    """Pages of the newest 10,000: counting a large trail would take longer than reading it."""

    LIMIT = 10_000

    @cached_property
    def count(self) -> int:
        events: Any = self.object_list
        return events.order_by()[: self.LIMIT].count()


class NounFilter(admin.SimpleListFilter):
    """By noun, from the closed list: asking the table for its distinct kinds would read all of it."""

    title = gettext_lazy("subject of the event")
    parameter_name = "noun"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return list(NOUNS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        noun = self.value()
        return queryset.filter(kind__in=kinds_of(noun)) if noun else queryset


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):
    list_display = ["at", "kind", "subject_type", "subject_id", "workflow", "queue", "actor_label"]
    list_filter = [NounFilter, "at"]
    search_fields = ["subject_id"]  # shows the search field; get_search_results() says what it does
    search_help_text = gettext_lazy("The id of a record, a case or a run")
    ordering = ["-at", "-id"]
    show_full_result_count = False
    paginator = CappedPaginator
    exclude = ["body"]
    readonly_fields = ["text", "digest"]

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (queryset.about(search_term.strip()) if search_term.strip() else queryset), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Event | None = None) -> bool:
        return False
