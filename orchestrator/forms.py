"""Forms of the engine's pages. A start form is made from the workflow's input schema."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.formats import get_format
from django.utils.translation import gettext

from orchestrator.templatetags.parts import words
from orchestrator.words import later as _

from .models import Hold, Run, Workflow

MOST_FILES = 200  # that the start form takes at once
RUN_STATES = [("", _("Any state")), ("open", _("Not ended")), *Run.Status.choices]


class RunFilter(forms.Form):
    """What the list of runs is narrowed to; everything optional."""

    status = forms.ChoiceField(choices=RUN_STATES, required=False, label=_("State"))
    workflow = forms.ModelChoiceField(
        Workflow.objects.all(), required=False, empty_label=_("All workflows"), to_field_name="name"
    )
    subject = forms.CharField(max_length=100, required=False, label=_("Subject"))
    handed_in = forms.UUIDField(required=False, widget=forms.HiddenInput)


class ReasonForm(forms.Form):
    """A reason in words, for acts that need one."""

    reason = forms.CharField(max_length=300, widget=forms.Textarea(attrs={"rows": 2}), label=_("Reason"))


class HoldForm(ReasonForm):
    """What is to be stopped, and why."""

    scope = forms.ChoiceField(choices=Hold.Scope, label=_("Stop"))
    value = forms.CharField(max_length=80, required=False, label=_("Which"), help_text=_("Empty for every effect."))
    field_order = ["scope", "value", "reason"]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        everything = found.get("scope") == Hold.Scope.ALL
        if everything and found.get("value"):
            self.add_error(
                "value",
                gettext("%(value)r: expected nothing here, since every effect is stopped.") % {"value": found["value"]},
            )
        if not everything and not found.get("value"):
            self.add_error("value", gettext("empty: expected the name of what is to be stopped."))
        return found


class IncidentForm(ReasonForm):
    """How an incident is settled."""

    def __init__(self, *args: Any, resolutions: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resolution"] = forms.ChoiceField(label=gettext("What to do"), choices=resolutions)
        if "confirmed" in dict(resolutions):
            self.fields["ref"] = forms.CharField(label=gettext("Reference outside, where it was done"), required=False)
        self.order_fields(["resolution", "ref", "reason"])


class JsonField(forms.CharField):
    """Structured input nobody made a control for: typed as JSON, checked against the schema when the run starts."""

    widget: forms.Widget = forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise forms.ValidationError(
                gettext("no JSON (%(error)s); expected a list or an object.") % {"error": error}
            ) from error


def number_as_written(text: str) -> str:
    """`1.250,00` of a reader who writes so is 1250.00. Without their decimal sign a number stands as it was typed, but
    for one that could be thousands or decimals."""
    point, group = (get_format(name) for name in ("DECIMAL_SEPARATOR", "THOUSAND_SEPARATOR"))
    if point in text:
        return text.replace(group, "").replace(point, ".")
    if re.fullmatch(rf"\d+{re.escape(group)}\d{{3}}", text):
        clear = text.replace(group, "") + point + "00"
        raise forms.ValidationError(
            gettext("%(value)r can be read in two ways; write %(clear)s") % {"value": text, "clear": clear}
        )
    return text


class MoneyField(JsonField):
    """An amount with its currency, `1250.00 EUR` or as the reader writes it, as {"amount", "currency"}."""

    widget = forms.TextInput(attrs={"placeholder": _("1250.00 EUR")})

    def clean(self, value: Any) -> dict[str, str] | None:
        text = forms.CharField.clean(self, value)
        amount, _space, currency = text.partition(" ")
        return {"amount": number_as_written(amount), "currency": currency.strip().upper()} if text else None


class SeveralFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    """One file or several, each checked as one; the value is a list."""

    widget = SeveralFiles

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        given = data if isinstance(data, list | tuple) else [data]
        if len(given) > MOST_FILES:
            raise forms.ValidationError(
                gettext("%(n)s files: expected at most %(most_files)s at once.")
                % {"n": len(given), "most_files": MOST_FILES}
            )
        return [found for found in (super(SeveralFilesField, self).clean(one, initial) for one in given) if found]


class StartForm(forms.Form):
    """The input of a workflow as controls. `given()` is the run's input, `uploads()` the documents by field of each
    run to start: where the workflow takes one document, several files are several runs."""

    def __init__(self, schema: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        needed = set(schema.get("required", ()))
        for name, inner in schema.get("properties", {}).items():
            self.fields[name] = field_of(name, inner, required=name in needed)
        if len(files := self._files()) == 1:
            name = files.pop()
            single = self.fields[name]
            helped = single.help_text or gettext(
                "Several files start several runs, at most %(most_files)s at once."
            ) % {"most_files": MOST_FILES}
            self.fields[name] = SeveralFilesField(
                label=single.label, required=single.required, help_text=helped, max_length=255
            )

    def uploads(self) -> list[dict[str, UploadedFile]]:
        given = {name: self.cleaned_data[name] for name in self._files() if self.cleaned_data.get(name)}
        several = next(((name, files) for name, files in given.items() if isinstance(files, list)), None)
        return [{several[0]: file} for file in several[1]] if several else [given]

    def given(self) -> dict[str, Any]:
        files = self._files()
        filled = {name: value for name, value in self.cleaned_data.items() if name not in files}
        return {name: plain(value) for name, value in filled.items() if value not in (None, "")}

    def _files(self) -> set[str]:
        return {name for name, field in self.fields.items() if isinstance(field, forms.FileField)}


def plain(value: Any) -> Any:
    """A form's value as JSON: dates in ISO 8601."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def _date(**common: Any) -> forms.Field:
    return forms.DateField(**common, widget=forms.DateInput(attrs={"type": "date"}))


FIELDS: Mapping[str, Callable[..., forms.Field]] = {
    "document": partial(forms.FileField, max_length=255),
    "date": _date,
    "money": MoneyField,
    "boolean": forms.BooleanField,
    "integer": forms.IntegerField,
    "number": forms.FloatField,
    "string": forms.CharField,
}


def field_of(name: str, schema: Mapping[str, Any], *, required: bool) -> forms.Field:
    """The control for one property of a workflow's input schema; lists and maps are typed as JSON."""
    make = FIELDS.get(schema.get("format", "")) or FIELDS.get(schema.get("type", ""), JsonField)
    label = schema.get("title") or words(name)
    return make(
        label=label,
        required=required and schema.get("type") != "boolean",
        help_text=schema.get("description", ""),
    )
