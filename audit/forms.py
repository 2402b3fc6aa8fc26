"""The filters of the trail as a form."""

from django import forms
from django.utils.translation import gettext_lazy as _

from .filters import Filters, after, first_instant, grouped_kinds, kinds_of


class FilterForm(forms.Form):
    q = forms.CharField(label=_("Record, case or run"), required=False, max_length=200, widget=forms.SearchInput)
    since = forms.DateField(label=_("From"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    until = forms.DateField(label=_("To"), required=False, widget=forms.DateInput({"type": "date"}, "%Y-%m-%d"))
    kind = forms.ChoiceField(label=_("What happened"), required=False, choices=grouped_kinds)
    actor = forms.CharField(label=_("By (name or account)"), required=False, max_length=200)
    workflow = forms.CharField(label=_("Workflow"), required=False, max_length=80)
    queue = forms.CharField(label=_("Queue"), required=False, max_length=80)
    run = forms.CharField(label=_("Run"), required=False, max_length=36)

    def __init__(self, data: dict[str, str]) -> None:
        super().__init__(data, auto_id="f-%s", label_suffix="")

    def filters(self) -> Filters:
        """Of a valid form."""
        chosen = self.cleaned_data
        return Filters(
            kinds=kinds_of(chosen["kind"]) if chosen["kind"] else (),
            actor=chosen["actor"],
            runs=(chosen["run"],) if chosen["run"] else (),
            workflow=chosen["workflow"],
            queue=chosen["queue"],
            since=first_instant(chosen["since"]) if chosen["since"] else None,
            until=after(chosen["until"]) if chosen["until"] else None,
            q=chosen["q"],
        )
