"""Forms of the desk's own pages."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from . import keys
from .models import Preference

UNDO = [(5, "5 seconds"), (10, "10 seconds"), (30, "30 seconds"), (60, "1 minute")]


class PreferenceForm(forms.ModelForm):
    """How a person likes to work."""

    undo_seconds = forms.TypedChoiceField(
        choices=UNDO,
        coerce=int,
        label="Time to undo",
        help_text="A queue may ask for more. The run goes on when the time is over.",
    )
    single_keys = forms.BooleanField(
        required=False, label="Single-key shortcuts", help_text="Off: no letter key does anything outside a field."
    )
    auto_next = forms.BooleanField(required=False, label="Open the next case after a decision")

    class Meta:
        model = Preference
        fields = ["theme", "density", "undo_seconds", "mail", "single_keys", "auto_next"]


class KeysForm(forms.Form):
    """A field for each shortcut a person may put on another key; empty means its usual one."""

    def __init__(self, *args: Any, chosen: Mapping[str, str], **kwargs: Any):
        super().__init__(*args, **kwargs)
        for key in keys.KEYS:
            box = forms.TextInput(attrs={"size": 2, "autocomplete": "off", "autocapitalize": "none"})
            self.fields[key.name] = forms.CharField(
                required=False, max_length=1, label=key.does.capitalize(), initial=chosen.get(key.name, ""), widget=box
            )
            self.fields[key.name].widget.attrs["placeholder"] = key.default.upper()

    def clean(self) -> dict[str, str]:
        """{shortcut: key} of those that were moved, in lower case."""
        given = {name: (value or "").lower() for name, value in super().clean().items()}
        moved = {name: value for name, value in given.items() if value and value != keys.BY_NAME[name].default}
        for name, objection in keys.objections(moved):
            self.add_error(name, objection)
        return moved


class TextForm(forms.Form):
    """An answer in words to a question asked about a case."""

    text = forms.CharField(max_length=4000, widget=forms.Textarea(attrs={"rows": 4}), label="Your answer")


def morning(now: datetime, days: int) -> datetime:
    """Nine o'clock, so many days ahead, where the server's people are."""
    local = timezone.localtime(now).replace(tzinfo=None, hour=9, minute=0, second=0, microsecond=0)
    return timezone.make_aware(local + timedelta(days=days))


OWN_TIME = "at"
SNOOZES: Mapping[str, tuple[str, Callable[[datetime], datetime]]] = {
    "hour": ("In 1 hour", lambda now: now + timedelta(hours=1)),
    "hours": ("In 4 hours", lambda now: now + timedelta(hours=4)),
    "tomorrow": ("Tomorrow, 9:00", lambda now: morning(now, 1)),
    "monday": ("Monday, 9:00", lambda now: morning(now, 7 - timezone.localtime(now).weekday())),
}


class SnoozeForm(forms.Form):
    """Until when a case is put aside: one of a few times, or one of the person's own."""

    until = forms.ChoiceField(
        choices=[*((name, words) for name, (words, _) in SNOOZES.items()), (OWN_TIME, "At this time")],
        initial="tomorrow",
        label="Until",
    )
    at = forms.DateTimeField(
        required=False,
        label="Date and time",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("until") == OWN_TIME and not given.get("at") and "at" not in self.errors:
            self.add_error("at", "Choose a date and time.")
        return given

    @property
    def time(self) -> datetime:
        chosen = self.cleaned_data["until"]
        return self.cleaned_data["at"] if chosen == OWN_TIME else SNOOZES[chosen][1](timezone.now())
