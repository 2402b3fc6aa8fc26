"""Forms of the desk's own pages."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext

from orchestrator.permissions import holders
from orchestrator.words import later as _

from . import keys
from .bulk import SNOOZE, Given, Pick
from .models import Preference, Queue
from .packet import name_of
from .policies import REASONS, REROUTE
from .reasons import codes_of

UNDO = [(5, _("5 seconds")), (10, _("10 seconds")), (30, _("30 seconds")), (60, _("1 minute"))]


class PreferenceForm(forms.ModelForm):
    """How a person likes to work."""

    undo_seconds = forms.TypedChoiceField(
        choices=UNDO,
        coerce=int,
        label=_("Time to undo"),
        help_text=_("A queue may ask for more. The run goes on when the time is over."),
    )
    single_keys = forms.BooleanField(
        required=False,
        label=_("Single-key shortcuts"),
        help_text=_("Off: no letter key does anything outside a field."),
    )
    auto_next = forms.BooleanField(required=False, label=_("Open the next case after a decision"))
    language = forms.ChoiceField(
        choices=[("", _("As the browser asks")), *settings.LANGUAGES], required=False, label=_("Language")
    )

    class Meta:
        model = Preference
        fields = ["theme", "density", "language", "undo_seconds", "mail", "single_keys", "auto_next"]
        labels = {"theme": _("Theme"), "density": _("Density"), "mail": _("Mail")}

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if len(settings.LANGUAGES) < 2:
            del self.fields["language"]  # nothing to choose


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

    text = forms.CharField(max_length=4000, widget=forms.Textarea(attrs={"rows": 4}), label=_("Your answer"))


def morning(now: datetime, days: int) -> datetime:
    """Nine o'clock, so many days ahead, where the server's people are."""
    local = timezone.localtime(now).replace(tzinfo=None, hour=9, minute=0, second=0, microsecond=0)
    return timezone.make_aware(local + timedelta(days=days))


OWN_TIME = "at"
SNOOZES: Mapping[str, tuple[str, Callable[[datetime], datetime]]] = {
    "hour": (_("In 1 hour"), lambda now: now + timedelta(hours=1)),
    "hours": (_("In 4 hours"), lambda now: now + timedelta(hours=4)),
    "tomorrow": (_("Tomorrow, 9:00"), lambda now: morning(now, 1)),
    "monday": (_("Monday, 9:00"), lambda now: morning(now, 7 - timezone.localtime(now).weekday())),
}


class SnoozeForm(forms.Form):
    """Until when a case is put aside: one of a few times, or one of the person's own."""

    until = forms.ChoiceField(
        choices=[*((name, words) for name, (words, _) in SNOOZES.items()), (OWN_TIME, _("At this time"))],
        initial="tomorrow",
        label=_("Until"),
    )
    at = forms.DateTimeField(
        required=False,
        label=_("Date and time"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
    )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("until") == OWN_TIME and not given.get("at") and "at" not in self.errors:
            self.add_error("at", gettext("Choose a date and time."))
        return given

    @property
    def time(self) -> datetime:
        chosen = self.cleaned_data["until"]
        return self.cleaned_data["at"] if chosen == OWN_TIME else SNOOZES[chosen][1](timezone.now())


class BulkForm(SnoozeForm):
    """What has to be known to do `act` to several cases: only the fields it needs are there."""

    NEEDS: Mapping[str, tuple[str, ...]] = {
        "approve": ("comment",),
        "reroute": ("queue", "reason", "comment"),
        "delegate": ("person", "comment"),
        "ask": ("person", "comment"),
        "snooze": ("until", "at"),
    }
    queue = forms.ModelChoiceField(Queue.objects.all(), to_field_name="name", label=_("To the team"))
    person = forms.ModelChoiceField(User.objects.none(), to_field_name="username", label=_("To"))
    reason = forms.ChoiceField(choices=[], label=_("Reason"))
    comment = forms.CharField(
        required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3}), label=_("Note for the record")
    )

    def __init__(self, act: str, picks: Sequence[Pick], actor: Any, posted: Any = None) -> None:
        super().__init__(posted)
        self.act = act
        for name in [name for name in self.fields if name not in self.NEEDS[act]]:
            del self.fields[name]
        queues = {pick.review.queue.pk: pick.review.queue for pick in picks if pick.review}
        if act == "reroute":
            self.fields["reason"].choices = [("", gettext("Choose a reason")), *reasons_of(queues.values())]  # type: ignore[attr-defined]
        if act == "reroute" and len(queues) == 1:
            self.fields["queue"].queryset = Queue.objects.exclude(pk__in=queues)  # type: ignore[attr-defined]
        if "person" in self.fields:
            self.fields["person"].queryset = people_for(act, list(queues.values()), actor)  # type: ignore[attr-defined]
            self.fields["person"].label_from_instance = name_of  # type: ignore[attr-defined]
        if act == "ask":
            self.fields["comment"].label, self.fields["comment"].required = gettext("Question"), True

    @property
    def given(self) -> Given:
        found = self.cleaned_data
        target = ""
        if "queue" in found:
            target = f"queue:{found['queue'].name}"
        if "person" in found:
            target = f"user:{found['person'].username}"
        until = self.time if self.act == SNOOZE else None
        return Given(self.act, found.get("reason", ""), found.get("comment", ""), target, until)


def reasons_of(queues: Iterable[Queue]) -> list[tuple[str, str]]:
    """Reasons for rerouting that hold in all of these: where their policies differ, the usual ones."""
    own = {queue.policy_id: list(codes_of(queue.policy)[REROUTE]) for queue in queues}
    found = list(own.values())
    return found[0] if found and all(other == found[0] for other in found) else list(REASONS[REROUTE])


def people_for(act: str, queues: Sequence[Queue], actor: Any) -> Any:
    """Whom these may be handed to: people who may decide in every one of the queues. Asked may be anybody."""
    if act == "ask":
        people = User.objects.filter(is_active=True, agent_account__isnull=True)
    else:
        people = User.objects.filter(is_active=True)
        for queue in queues:
            people = people.filter(pk__in=holders("decide", queue).values("pk"))
    return people.exclude(pk=actor.pk).order_by("username")
