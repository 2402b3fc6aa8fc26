"""Data sources with their rows, exchange rates, and the accounts of the agents."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.translation import gettext

from orchestrator.import_formats import ImportRefused
from orchestrator.importing import import_rows
from orchestrator.models import AgentAccount, Connector, DataSource, ExchangeRate, SourceRow
from orchestrator.permissions import granted, holds
from orchestrator.stored import told
from orchestrator.words import later as _

from .granting import GrantingAdmin
from .recorded import ReadOnlyAdmin, RecordedAdmin

READ = "read_source"
MOST_NAMED = 50


class ImportForm(forms.Form):
    """A file of rows. What keeps it from being loaded stands at the field, line by line."""

    file = forms.FileField(
        label=_("File"), help_text=_("CSV with a header, JSON Lines, UBL Order, Receipt Advice or Despatch Advice.")
    )

    def load(self, source: DataSource, actor: Any) -> dict[str, int] | None:
        """Counts of what was loaded; None with the objections at the field, and then nothing was."""
        upload = self.cleaned_data["file"]
        try:
            return import_rows(source=source, data=upload.read(), filename=upload.name, actor=actor).as_json()
        except ImportRefused as refused:
            for bad in refused.bad[:MOST_NAMED]:
                self.add_error("file", told(bad.words))
            if len(refused.bad) > MOST_NAMED:
                self.add_error(
                    "file", gettext("and %(count)s further lines") % {"count": len(refused.bad) - MOST_NAMED}
                )
            return None


@admin.register(Connector)
class ConnectorAdmin(GrantingAdmin):
    """Which authors may put its effects into workflows is edited under "Object permissions"; with nobody named there,
    all may."""

    fields = ["name"]
    readonly_fields = ["name"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(DataSource)
class DataSourceAdmin(RecordedAdmin, GrantingAdmin):
    """Which agents may read a source is edited under "Object permissions", by the agent's account."""

    change_form_template = "admin/orchestrator/datasource/change_form.html"
    list_display = ["title", "name", "kind", "key_field"]
    fields = ["name", "title", "kind", "key_field", "readers"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Definitions name a source, and its rows were keyed when they were loaded."""
        return ["name", "kind", "key_field", "readers"] if obj else ["readers"]

    @admin.display(description=_("agents that may read it"))
    def readers(self, obj: DataSource) -> str:
        accounts = AgentAccount.objects.select_related("user").order_by("agent") if obj.pk else []
        return ", ".join(a.agent for a in accounts if holds(a.user, READ, obj)) or gettext("none")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.import_view)
        return [path("<uuid:pk>/import/", view, name="orchestrator_datasource_import"), *super().get_urls()]

    def import_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        source = self.get_object(request, str(pk))
        if source is None:
            raise Http404
        if not self.has_change_permission(request, source):
            raise PermissionDenied
        form = ImportForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            counts = form.load(source, request.user)
            if counts is not None:
                words = gettext("%(source)s: %(added)s added, %(changed)s changed, %(unchanged)s unchanged.")
                told = {name: number_format(count, force_grouping=True) for name, count in counts.items()}
                messages.success(request, words % {"source": source.title, **told})
                return redirect(reverse("admin:orchestrator_datasource_change", args=[source.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": source,
            "form": form,
            "title": gettext("Import rows into %(source)s") % {"source": source.title},
        }
        return render(request, "admin/orchestrator/datasource/import.html", context, status=422 if form.errors else 200)


@admin.register(SourceRow)
class SourceRowAdmin(RecordedAdmin):
    """Rows come and change by import; one that should not be there can be deleted."""

    list_display = ["source", "key", "updated_at"]
    list_filter = ["source"]
    list_select_related = ["source"]
    search_fields = ["key"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ExchangeRate)
class ExchangeRateAdmin(RecordedAdmin):
    list_display = ["currency", "rate", "valid_from"]
    list_filter = ["currency"]


@admin.register(AgentAccount)
class AgentAccountAdmin(ReadOnlyAdmin):
    """Accounts are made when an agent is published with a workflow. Nobody can sign in with one."""

    list_display = ["agent", "user", "reads"]
    list_select_related = ["user"]
    fields = ["agent", "user", "reads"]

    @admin.display(description=_("sources it may read"))
    def reads(self, account: AgentAccount) -> str:
        sources = DataSource.objects.filter(pk__in=granted(account.user, DataSource, [READ]))
        return ", ".join(sources.order_by("name").values_list("name", flat=True)) or gettext("none")
