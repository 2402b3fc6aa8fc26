"""Workflows: published from YAML with every objection by its path, switched on and off; their versions are read."""

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from orchestrator.definitions import Definition, DefinitionError
from orchestrator.models import Workflow, WorkflowVersion
from orchestrator.publishing import check_workflow, publish_workflow

from .recorded import GrantingAdmin, ReadOnlyAdmin, ReadOnlyInline, RecordedAdmin


class SourceForm(forms.Form):
    """A definition as YAML. `workflow` is the one it must be a version of, if any."""

    source = forms.CharField(
        label="Definition (YAML)", widget=forms.Textarea(attrs={"rows": 32, "cols": 110, "spellcheck": "false"})
    )

    def __init__(self, *args: Any, workflow: Workflow | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.workflow = workflow

    def clean_source(self) -> str:
        source = self.cleaned_data["source"]
        try:
            self.check_name(check_workflow(source))
        except DefinitionError as wrong:
            raise forms.ValidationError([f"{at}: {why}" if at else why for at, why in wrong.errors]) from None
        return source

    def check_name(self, definition: Definition) -> None:
        if self.workflow and definition.name != self.workflow.name:
            raise DefinitionError([("workflow", f"is {definition.name!r}; expected {self.workflow.name!r}")])


class VersionInline(ReadOnlyInline):
    model = WorkflowVersion
    fk_name = "workflow"
    fields = ["number", "published_at", "published_by", "digest"]
    readonly_fields = ["number", "published_at", "published_by", "digest"]


@admin.register(Workflow)
class WorkflowAdmin(RecordedAdmin, GrantingAdmin):
    """Who may start a workflow and see its runs is edited under "Object permissions"."""

    change_form_template = "admin/orchestrator/workflow/change_form.html"
    list_display = ["title", "name", "is_active", "current"]
    list_select_related = ["current__workflow"]
    fields = ["name", "title", "description", "current", "is_active"]
    readonly_fields = ["name", "title", "description", "current"]
    inlines = [VersionInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # its versions are what runs are pinned to: it is switched off

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.publish_view)
        return [path("<uuid:pk>/publish/", view, name="orchestrator_workflow_publish"), *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """A workflow begins with its first version."""
        return self.publish_view(request)

    def publish_view(self, request: HttpRequest, pk: Any = None) -> HttpResponse:
        workflow = self.get_object(request, str(pk)) if pk else None
        if pk and workflow is None:
            raise Http404
        if not (self.has_change_permission(request, workflow) if workflow else self.has_add_permission(request)):
            raise PermissionDenied
        initial = {"source": workflow.current.source} if workflow and workflow.current else {}
        form = SourceForm(request.POST or None, workflow=workflow, initial=initial)
        if request.method == "POST" and form.is_valid():
            actor: Any = request.user
            version = publish_workflow(source=form.cleaned_data["source"], actor=actor)
            words = f"{version.workflow.title}: version {version.number} is in force for runs that start from now on."
            messages.success(request, words)
            return redirect(reverse("admin:orchestrator_workflow_change", args=[version.workflow_id]))
        title = f"Publish a new version of {workflow.title}" if workflow else "Publish a new workflow"
        each = self.admin_site.each_context(request)
        context = {**each, "opts": self.opts, "original": workflow, "form": form, "title": title}
        status = 422 if form.errors else 200
        return render(request, "admin/orchestrator/workflow/publish.html", context, status=status)


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin):
    list_display = ["workflow", "number", "published_at", "published_by", "digest"]
    list_filter = ["workflow"]
    list_select_related = ["workflow", "published_by"]
    fields = ["workflow", "number", "published_at", "published_by", "digest", "yaml", "graph"]

    @admin.display(description="as published")
    def yaml(self, version: WorkflowVersion) -> str:
        return format_html("<pre>{}</pre>", version.source)

    @admin.display(description="graph")
    def graph(self, version: WorkflowVersion) -> str:
        return format_html("<pre>{}</pre>", json.dumps(version.definition, indent=2, ensure_ascii=False))
