"""Forms of the desk's own pages."""

from django import forms

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
        fields = ["theme", "undo_seconds", "single_keys", "auto_next"]


class TextForm(forms.Form):
    """An answer in words to a question asked about a case."""

    text = forms.CharField(max_length=4000, widget=forms.Textarea(attrs={"rows": 4}), label="Your answer")
