"""Workflows: published from YAML with every objection by its path, switched on and off; their versions are read."""

import json
from difflib import unified_diff
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext

from orchestrator import services
from orchestrator.definitions import Definition, DefinitionError
from orchestrator.models import Workflow, WorkflowVersion
from orchestrator.publishing import check_workflow
from orchestrator.stored import told
from orchestrator.words import later as _

from .granting import GrantingAdmin
from .recorded import AGAINST, HANDED_OVER, IN_FORCE, ReadOnlyAdmin, ReadOnlyInline, RecordedAdmin


class SourceForm(forms.Form):
    """A definition as YAML. `workflow` is the one it must be a version of, if any."""

    source = forms.CharField(
        label=_("Definition (YAML)"), widget=forms.Textarea(attrs={"rows": 32, "cols": 110, "spellcheck": "false"})
    )

    def __init__(self, *args: Any, author: Any, workflow: Workflow | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.author, self.workflow = author, workflow

    def clean_source(self) -> str:
        source = self.cleaned_data["source"]
        try:
            self.check_name(check_workflow(source, author=self.author))
        except DefinitionError as wrong:
            raise forms.ValidationError(in_words(wrong)) from None
        return source

    def check_name(self, definition: Definition) -> None:
        if self.workflow and definition.name != self.workflow.name:
            raise DefinitionError(
                [
                    (
                        "workflow",
                        gettext("is %(value)r; expected %(name)r")
                        % {"value": definition.name, "name": self.workflow.name},
                    )
                ]
            )


class VersionInline(ReadOnlyInline):
    model = WorkflowVersion
    fk_name = "workflow"
    fields = ["number", "published_at", "authored_by", "published_by", "digest"]
    readonly_fields = ["number", "published_at", "authored_by", "published_by", "digest"]


@admin.register(Workflow)
class WorkflowAdmin(RecordedAdmin, GrantingAdmin):
    """Who may start a workflow and see its runs is edited under "Object permissions"."""

    change_form_template = "admin/orchestrator/workflow/change_form.html"
    list_display = ["title", "name", "is_active", "current"]
    list_select_related = ["current__workflow"]
    fields = ["name", "title", "description", "current", "proposed", "is_active"]
    readonly_fields = ["name", "title", "description", "current", "proposed"]
    inlines = [VersionInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # its versions are what runs are pinned to: it is switched off

    def get_urls(self) -> list[URLPattern]:
        propose, publish = map(self.admin_site.admin_view, (self.propose_view, self.publish_view))
        return [
            path("<uuid:pk>/new-version/", propose, name="orchestrator_workflow_propose"),
            path("<uuid:pk>/publish/", publish, name="orchestrator_workflow_publish"),
            *super().get_urls(),
        ]

    @admin.display(description=_("handed over"))
    def proposed(self, workflow: Workflow) -> str:
        """What the second person is asked to put in force, line by line against what is."""
        if not workflow.proposed_by_id:
            return gettext("Nothing waits to be published.")
        said = format_html("<p>{}</p>", AGAINST % {"by": workflow.proposed_by})
        return format_html("{}<pre>{}</pre>", said, differences(workflow))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        workflow = self.get_object(request, object_id)
        theirs = bool(workflow and workflow.proposed_by_id and workflow.proposed_by_id != request.user.pk)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "may_publish": theirs})

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """A workflow begins with its first version."""
        return self.propose_view(request)

    def propose_view(self, request: HttpRequest, pk: Any = None) -> HttpResponse:
        workflow = self.get_object(request, str(pk)) if pk else None
        if pk and workflow is None:
            raise Http404
        if not (self.has_change_permission(request, workflow) if workflow else self.has_add_permission(request)):
            raise PermissionDenied
        initial = {"source": source_of(workflow)} if workflow else {}
        form = SourceForm(request.POST or None, author=request.user, workflow=workflow, initial=initial)
        if request.method == "POST" and form.is_valid():
            actor: Any = request.user
            workflow, is_new = services.propose_workflow(source=form.cleaned_data["source"], actor=actor)
            words = HANDED_OVER if is_new else gettext("%(row)s: the version in force is unchanged.")
            messages.success(request, words % {"row": workflow.title})
            return redirect(reverse("admin:orchestrator_workflow_change", args=[workflow.pk]))
        title = (
            gettext("A new version of %(workflow)s") % {"workflow": workflow.title}
            if workflow
            else gettext("A new workflow")
        )
        each = self.admin_site.each_context(request)
        context = {**each, "opts": self.opts, "original": workflow, "form": form, "title": title}
        status = 422 if form.errors else 200
        return render(request, "admin/orchestrator/workflow/new_version.html", context, status=status)

    def publish_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The second person's button."""
        workflow = self.get_object(request, str(pk))
        if workflow is None or request.method != "POST":
            raise Http404
        if not self.has_change_permission(request, workflow):
            raise PermissionDenied
        try:
            version = services.publish_workflow(workflow=workflow, actor=cast(Any, request.user))
            messages.success(request, IN_FORCE % {"row": version.workflow.title, "number": version.number})
        except DefinitionError as wrong:
            messages.error(request, gettext("Not published. %(why)s") % {"why": "; ".join(in_words(wrong))})
        except services.ServiceError as refused:
            messages.error(request, gettext("Not published. %(why)s.") % {"why": refused})
        return redirect(reverse("admin:orchestrator_workflow_change", args=[workflow.pk]))


def in_words(wrong: DefinitionError) -> list[str]:
    """Every objection with its path, as the reader says it."""
    return [f"{told(at)}: {told(why)}" if at else told(why) for at, why in wrong.errors]


def source_of(workflow: Workflow) -> str:
    """What a new version begins with: what waits to be published, else what is in force."""
    if workflow.proposed_by_id or workflow.current is None:
        return workflow.draft
    return workflow.current.source


def differences(workflow: Workflow) -> str:
    old = workflow.current.source.splitlines() if workflow.current else []
    return "\n".join(
        unified_diff(old, workflow.draft.splitlines(), gettext("in force"), gettext("handed over"), lineterm="")
    )


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin):
    list_display = ["workflow", "number", "published_at", "authored_by", "published_by", "digest"]
    list_filter = ["workflow"]
    list_select_related = ["workflow", "authored_by", "published_by"]
    fields = ["workflow", "number", "published_at", "authored_by", "published_by", "digest", "yaml", "graph"]

    @admin.display(description=_("as published"))
    def yaml(self, version: WorkflowVersion) -> str:
        return format_html("<pre>{}</pre>", version.source)

    @admin.display(description=_("graph"))
    def graph(self, version: WorkflowVersion) -> str:
        return format_html("<pre>{}</pre>", json.dumps(version.definition, indent=2, ensure_ascii=False))
