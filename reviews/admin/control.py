"""Control cases: planted here, listed with what became of them. Nobody changes or deletes one."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminSplitDateTime
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from orchestrator.admin.recorded import ReadOnlyAdmin
from orchestrator.models import Workflow
from orchestrator.words import later as _

from .. import control
from ..errors import Invalid, ReviewError
from ..feedback import may_see_answer
from ..models import ControlCase
from ..packet import name_of
from ..policies import SIGNED

FIELDS = ("workflow", "stands_in", "deadline", "input", "documents", "verdicts", "corrections", "why")
ANSWERS = {"approve": _("Approve"), "reject": _("Reject"), "reroute": _("Reroute")}


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class Documents(forms.FileField):
    """Any number of files."""

    widget = ManyFiles

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = data if isinstance(data, list | tuple) else [data] if data else []
        return [super(Documents, self).clean(file, initial) for file in files]


class Named(forms.ModelChoiceField):
    def label_from_instance(self, user: Any) -> str:
        return name_of(user)


class PlantForm(forms.ModelForm):
    """What a control case is made of. It is planted while the form is looked at, so that what is wrong is said at its
    field; the page's transaction takes it back where anything is."""

    workflow = forms.ModelChoiceField(
        Workflow.objects.filter(is_active=True, current__isnull=False).order_by("name"), label=_("Workflow")
    )
    stands_in = Named(
        control.stand_ins(),
        label=_("Handed in as"),
        help_text=_("An account with the right “Stands as who handed in control cases”, such as that of a mailbox."),
    )
    input = forms.JSONField(
        required=False, initial=dict, label=_("Input"), help_text=_("As JSON, as the workflow takes it.")
    )
    documents = Documents(required=False, label=_("Documents"))
    verdicts = forms.MultipleChoiceField(
        choices=[(name, ANSWERS[name]) for name in SIGNED],
        widget=forms.CheckboxSelectMultiple,
        label=_("Right answers"),
    )
    corrections = forms.JSONField(
        required=False,
        initial=dict,
        label=_("Right corrections"),
        help_text=_('What a right approval corrects: {"/read/invoice/iban": "DE89…"}. Nothing else is looked at.'),
    )

    deadline = forms.SplitDateTimeField(
        required=False,
        widget=AdminSplitDateTime,
        label=_("Wanted by"),
        help_text=_("Where cases that come this way have such a time. Empty: by the queue's own."),
    )

    class Meta:
        model = ControlCase
        fields = ("why",)

    actor: Any = None  # who plants it

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.instance = self._planted(given)
            except Invalid as wrong:
                for field, words in wrong.errors:
                    self.add_error(field if field in self.fields else None, words)
            except ReviewError as refused:
                self.add_error(None, str(refused))
        return given

    def _planted(self, given: dict[str, Any]) -> ControlCase:
        with transaction.atomic():
            return control.plant(
                workflow=given["workflow"].name,
                stands_in=given["stands_in"],
                input=given["input"],
                documents=[(file.name, file.read()) for file in given["documents"]],
                verdicts=given["verdicts"],
                corrections=given["corrections"],
                deadline=given["deadline"],
                why=given["why"],
                actor=self.actor,
            )

    def _post_clean(self) -> None:
        """What was planted is complete."""

    def save(self, commit: bool = True) -> ControlCase:
        return self.instance

    def save_m2m(self) -> None:
        """There is nothing of the kind."""


@admin.register(ControlCase)
class ControlCaseAdmin(ReadOnlyAdmin):
    form = PlantForm
    actions = ["take_away"]
    list_display = [
        "planted_at",
        "case",
        "workflow",
        "handed_in_as",
        "right",
        "state",
        "answered_at",
    ]
    list_filter = ["caught", "run__version__workflow"]
    list_select_related = ["run__version__workflow", "run__started_by", "review__queue", "person", "planted_by"]
    ordering = ["-planted_at"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return control.may_plant(request.user)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return control.may_know(request.user)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        return type("Planting", (form,), {"actor": request.user}) if obj is None else form

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return FIELDS
        return ["case", "workflow", "handed_in_as", "right", "corrections", "why", "state", "answered_at"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.get_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """It was planted with its form."""

    def get_list_display(self, request: HttpRequest) -> Any:
        """By person as everywhere: to themselves and to whoever leads the queue."""

        @admin.display(description=_("Answered by"))
        def who(row: ControlCase) -> str:
            seen = row.person is not None and may_see_answer(cast(Any, request.user), row)
            return name_of(row.person) if seen else "–"

        return [*self.list_display, who]

    @admin.display(description=_("Case"))
    def case(self, row: ControlCase) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("run", args=[row.run_id]), row)

    @admin.display(description=_("Workflow"))
    def workflow(self, row: ControlCase) -> str:
        return str(row.run.version.workflow)

    @admin.display(description=_("Handed in as"))
    def handed_in_as(self, row: ControlCase) -> str:
        return name_of(row.run.started_by)

    @admin.display(description=_("Right answers"))
    def right(self, row: ControlCase) -> str:
        return ", ".join(str(ANSWERS[name]) for name in row.verdicts)

    @admin.display(description=_("State"))
    def state(self, row: ControlCase) -> str:
        return str(row.state.label)

    @admin.action(description=_("Take away those that nobody has answered"), permissions=["add", "view"])
    def take_away(self, request: HttpRequest, rows: QuerySet[ControlCase]) -> None:
        for row in rows.select_related("run"):
            try:
                control.withdraw(case=row, actor=cast(Any, request.user))
                messages.success(request, gettext("%(row)s was taken away.") % {"row": row})
            except ReviewError as refused:
                messages.error(request, f"{row}: {refused}")
