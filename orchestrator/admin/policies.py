"""Policies: the rules of the draft, edited with every objection at its field, tried on a case, and published."""

import json
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from orchestrator.models import Policy, PolicyRule, PolicyVersion
from orchestrator.policies.cel import check_vocabulary
from orchestrator.policies.evaluate import PolicyError, PolicySet, Rule
from orchestrator.policies.gate import SAMPLE
from orchestrator.publishing import publish_policy

from .policy_trial import trial
from .recorded import ReadOnlyAdmin, ReadOnlyInline, RecordedAdmin

# A rule's objections come under the names of the policy's own form.
FIELD_OF = {"when": "condition"}
IN_WORDS = {
    "money": f"an amount in {settings.BASE_CURRENCY}, written 20,000.00",
    "bool": "yes or no, written fact or !fact",
    "int": "a whole number",
    "float": "a number such as 0.9",
    "str": 'text, written "text"',
    "date": 'a date, written "2026-03-31"',
    "list[str]": 'a list of text: "text" in fact',
}


class VocabularyField(forms.CharField):
    """Facts, one on a line as `amount_base: money`."""

    widget = forms.Textarea(attrs={"rows": 12, "cols": 50, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{name}: {kind}" for name, kind in value.items()) if isinstance(value, Mapping) else value

    def clean(self, value: Any) -> dict[str, str]:
        lines = [line.partition(":") for line in super().clean(value).splitlines() if line.strip()]
        found = {name.strip(): kind.strip() for name, _, kind in lines}
        if objections := check_vocabulary(found):
            raise forms.ValidationError([message for _, message in objections])
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class PolicyForm(forms.ModelForm):
    vocabulary = VocabularyField(help_text="The facts rules may use, one on a line as name: type.", required=False)


class RuleForm(forms.ModelForm):
    """One rule. `vocabulary` are the facts of its policy, as they are about to be saved."""

    def __init__(self, *args: Any, vocabulary: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.vocabulary = vocabulary

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        rule = Rule(
            name=cleaned.get("name") or "rule",
            when=cleaned.get("condition") or "",
            route=cleaned.get("route") or "review",
            reason=cleaned.get("reason") or "",
        )
        alone = PolicySet("draft", 1, self.vocabulary, (rule,), currency=settings.BASE_CURRENCY)
        for place, message in alone.objections() if cleaned.get("condition") else []:
            part = place.rpartition(".")[2]
            self.add_error(FIELD_OF.get(part, part), message)
        return cleaned


class RuleFormSet(forms.BaseInlineFormSet):
    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "vocabulary": {**(self.instance.vocabulary or {}), SAMPLE: "bool"}}

    def save_new(self, form: Any, commit: bool = True) -> Any:
        """A rule that says nothing of its place comes last."""
        if not form.instance.position:
            last = self.instance.rules.order_by("position").last()
            form.instance.position = last.position + 1 if last else 0
        return super().save_new(form, commit)


class RuleInline(admin.StackedInline):
    model = PolicyRule
    form = RuleForm
    formset = RuleFormSet
    extra = 0
    fields = [("name", "position"), "condition", ("route", "level", "target"), "reason"]
    formfield_overrides = {
        models.TextField: {"widget": forms.Textarea(attrs={"rows": 2, "cols": 90, "spellcheck": "false"})}
    }


class VersionInline(ReadOnlyInline):
    model = PolicyVersion
    fk_name = "policy"
    fields = ["number", "published_at", "published_by", "sample_percent", "digest"]
    readonly_fields = ["number", "published_at", "published_by", "sample_percent", "digest"]


@admin.register(Policy)
class PolicyAdmin(RecordedAdmin):
    event = "policy.edited"
    form = PolicyForm
    change_form_template = "admin/orchestrator/policy/change_form.html"
    list_display = ["title", "name", "current", "otherwise", "sample_percent"]
    list_select_related = ["current__policy"]
    fields = ["name", "title", "standing", "facts", "vocabulary", "otherwise", "sample_percent"]
    inlines = [RuleInline, VersionInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["standing", "facts", *(["name"] if obj else [])]  # workflows name it

    @admin.display(description="in force")
    def standing(self, policy: Policy) -> str:
        if policy.current is None:
            return "Nothing yet: publish the draft."
        return f"Version {policy.current.number}, since {policy.current.published_at:%Y-%m-%d %H:%M %Z}."

    @admin.display(description="facts to use in conditions")
    def facts(self, policy: Policy) -> str:
        vocabulary = {**policy.vocabulary, SAMPLE: "bool"}
        rows = [(name, IN_WORDS.get(kind, kind)) for name, kind in sorted(vocabulary.items())]
        return format_html_join(mark_safe("<br>"), "<code>{}</code>: {}", rows)

    def described(self, policy: Policy) -> dict[str, Any]:
        rules = policy.rules.select_related("level")
        return {
            **super().described(policy),
            **{f"rule {rule.name}": described_rule(rule) for rule in rules},
        }

    def response_add(self, request: HttpRequest, obj: Policy, post_url_continue: str | None = None) -> HttpResponse:
        return self.further(request, obj) or super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Policy) -> HttpResponse:
        return self.further(request, obj) or super().response_change(request, obj)

    def further(self, request: HttpRequest, policy: Policy) -> HttpResponse | None:
        """What the two buttons of ours do after the save, in its transaction."""
        if "_try" in request.POST:
            return HttpResponseRedirect(reverse("admin:orchestrator_policy_try", args=[policy.pk]))
        if "_publish" not in request.POST:
            return None
        before, actor = policy.current.number if policy.current else 0, cast(Any, request.user)
        try:
            version = publish_policy(policy=policy, actor=actor)
        except PolicyError as wrong:
            for place, message in wrong.errors:
                messages.error(request, f"Not published. {place}: {message}")
        else:
            words = "is in force for runs that start from now on" if version.number != before else "is unchanged"
            messages.success(request, f"{policy.title}: version {version.number} {words}.")
        return HttpResponseRedirect(reverse("admin:orchestrator_policy_change", args=[policy.pk]))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.try_view)
        return [path("<uuid:pk>/try/", view, name="orchestrator_policy_try"), *super().get_urls()]

    def try_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        return trial(self, request, pk)


def described_rule(rule: PolicyRule) -> dict[str, Any]:
    plain = {name: getattr(rule, name) for name in ("position", "condition", "route", "target", "reason")}
    return {**plain, "level": rule.level.name if rule.level else ""}


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ReadOnlyAdmin):
    list_display = ["policy", "number", "published_at", "published_by"]
    list_filter = ["policy"]
    list_select_related = ["policy", "published_by"]
    fields = ["policy", "number", "published_at", "published_by", "sample_percent", "digest", "rules"]

    @admin.display(description="rules")
    def rules(self, version: PolicyVersion) -> str:
        return format_html("<pre>{}</pre>", json.dumps(version.content, indent=2, ensure_ascii=False))
