"""Forms of the engine's pages. A start form is made from the workflow's input schema."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms

from .models import Hold, Run, Workflow

RUN_STATES = [("", "Any state"), ("open", "Not ended"), *Run.Status.choices]
DECIMAL = r"^-?\d+(\.\d+)?$"


class RunFilter(forms.Form):
    """What the list of runs is narrowed to; everything optional."""

    status = forms.ChoiceField(choices=RUN_STATES, required=False, label="State")
    workflow = forms.ModelChoiceField(
        Workflow.objects.all(), required=False, empty_label="All workflows", to_field_name="name"
    )
    subject = forms.CharField(max_length=100, required=False, label="Subject")


class ReasonForm(forms.Form):
    """A reason in words, for acts that need one."""

    reason = forms.CharField(max_length=300, widget=forms.Textarea(attrs={"rows": 2}), label="Reason")


class HoldForm(ReasonForm):
    """What is to be stopped, and why."""

    scope = forms.ChoiceField(choices=Hold.Scope, label="Stop")
    value = forms.CharField(max_length=80, required=False, label="Which", help_text="Empty for every effect.")
    field_order = ["scope", "value", "reason"]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        everything = found.get("scope") == Hold.Scope.ALL
        if everything and found.get("value"):
            self.add_error("value", f"{found['value']!r}: expected nothing here, since every effect is stopped.")
        if not everything and not found.get("value"):
            self.add_error("value", "empty: expected the name of what is to be stopped.")
        return found


class IncidentForm(ReasonForm):
    """How an incident is settled."""

    resolution = forms.ChoiceField(label="What to do")
    field_order = ["resolution", "reason"]

    def __init__(self, *args: Any, resolutions: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resolution"].choices = resolutions


class JsonField(forms.CharField):
    """Structured input nobody made a control for: typed as JSON, checked against the schema when the run starts."""

    widget = forms.Textarea(attrs={"rows": 4, "class": "mono", "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise forms.ValidationError(f"no JSON ({error}); expected a list or an object.") from error


class StartForm(forms.Form):
    """The input of a workflow as controls. `given()` is the run's input, `uploads()` its documents by field."""

    def __init__(self, schema: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        needed = set(schema.get("required", ()))
        for name, inner in schema.get("properties", {}).items():
            self.fields[name] = field_of(name, inner, required=name in needed)

    def uploads(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in self._files() if self.cleaned_data.get(name)}

    def given(self) -> dict[str, Any]:
        files = self._files()
        filled = {name: value for name, value in self.cleaned_data.items() if name not in files}
        return {name: plain(value) for name, value in filled.items() if value not in (None, "")}

    def _files(self) -> set[str]:
        return {name for name, field in self.fields.items() if isinstance(field, forms.FileField)}


def plain(value: Any) -> Any:
    """A form's value as JSON: dates in ISO 8601."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def is_document(schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "document"


def field_of(name: str, schema: Mapping[str, Any], *, required: bool) -> forms.Field:
    """The control for one property of a JSON schema (2020-12)."""
    label = schema.get("title") or name.replace("_", " ").capitalize()
    common = {"label": label, "required": required, "help_text": schema.get("description", "")}
    kinds = schema.get("type", "object")
    kind = next((k for k in kinds if k != "null"), "object") if isinstance(kinds, list) else kinds
    if is_document(schema):
        return forms.FileField(**common, max_length=255)
    if "enum" in schema:
        choices = [(value, value) for value in schema["enum"] if value is not None]
        return forms.ChoiceField(**common, choices=choices if required else [("", "–"), *choices])
    if kind == "boolean":
        return forms.BooleanField(**{**common, "required": False})
    if kind == "integer":
        return forms.IntegerField(**common)
    if kind == "string":
        return _text_of(schema, common)
    return JsonField(**common)


def _text_of(schema: Mapping[str, Any], common: Mapping[str, Any]) -> forms.Field:
    if schema.get("format") == "date":
        return forms.DateField(**common, widget=forms.DateInput(attrs={"type": "date"}))
    if schema.get("pattern") and schema["pattern"].startswith((r"^-?\d", "^[+-]")):
        return forms.CharField(**common, max_length=40, widget=forms.TextInput(attrs={"inputmode": "decimal"}))
    return forms.CharField(**common, max_length=schema.get("maxLength", 2_000))
