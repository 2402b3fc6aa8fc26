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
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext, pgettext

from audit.templatetags.trail import exact
from orchestrator import services
from orchestrator.models import Policy, PolicyRule, PolicyVersion
from orchestrator.policies.cel import check_vocabulary
from orchestrator.policies.evaluate import PolicyError, PolicySet, Rule
from orchestrator.policies.gate import SAMPLE
from orchestrator.publishing import is_proposed, policy_set_from
from orchestrator.stored import told
from orchestrator.words import later as _

from .policy_trial import trial
from .recorded import AGAINST, HANDED_OVER, IN_FORCE, ReadOnlyAdmin, ReadOnlyInline, RecordedAdmin

# A rule's objections come under the names of the policy's own form.
FIELD_OF = {"when": "condition"}
IN_WORDS = {
    "money": _("an amount in the base currency, written 20,000.00"),
    "bool": _("yes or no, written fact or !fact"),
    "int": _("a whole number"),
    "float": _("a number such as 0.9"),
    "str": _('text, written "text"'),
    "date": _('a date, written "2026-03-31"'),
    "list[str]": _('a list of text: "text" in fact'),
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
            raise forms.ValidationError([told(message) for _name, message in objections])
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class PolicyForm(forms.ModelForm):
    vocabulary = VocabularyField(
        label=_("Facts"), help_text=_("The facts rules may use, one on a line as name: type."), required=False
    )


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
            self.add_error(FIELD_OF.get(part, part), told(message))
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
    fields = ["number", "published_at", "authored_by", "published_by", "sample_percent", "digest"]
    readonly_fields = ["number", "published_at", "authored_by", "published_by", "sample_percent", "digest"]


@admin.register(Policy)
class PolicyAdmin(RecordedAdmin):
    event = "policy.edited"
    form = PolicyForm
    change_form_template = "admin/orchestrator/policy/change_form.html"
    list_display = ["title", "name", "current", "otherwise", "sample_percent"]
    list_select_related = ["current__policy"]
    fields = ["name", "title", "standing", "proposed", "facts", "vocabulary", "otherwise", "sample_percent"]
    inlines = [RuleInline, VersionInline]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["standing", "proposed", "facts", *(["name"] if obj else [])]  # workflows name it

    @admin.display(description=_("in force"))
    def standing(self, policy: Policy) -> str:
        now = policy.current
        if now is None:
            return gettext("Nothing yet: hand the draft over, and somebody else publishes it.")
        since = exact(now.published_at)
        told = {"number": now.number, "since": since, "by": now.published_by}
        return gettext("Version %(number)s, since %(since)s, put in force by %(by)s.") % told

    @admin.display(description=_("handed over"))
    def proposed(self, policy: Policy) -> str:
        """What the second person is asked to put in force, rule by rule against what is."""
        if not policy.proposed_by_id:
            return gettext("Nothing waits to be published.")
        if not is_proposed(policy):
            changed = gettext("The draft was changed since %(by)s handed it over: hand it over again.")
            return changed % {"by": policy.proposed_by}
        said = format_html("<p>{}</p>", AGAINST % {"by": policy.proposed_by})
        rows = format_html_join("", "<li>{}</li>", ([words] for words in differences(policy)))
        return format_html("{}<ul>{}</ul>", said, rows)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        policy = self.get_object(request, object_id)
        theirs = policy is not None and policy.proposed_by_id != request.user.pk and is_proposed(policy)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "may_publish": theirs})

    @admin.display(description=_("facts to use in conditions"))
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
        """What the buttons of ours do after the save, in its transaction."""
        if "_try" in request.POST:
            return HttpResponseRedirect(reverse("admin:orchestrator_policy_try", args=[policy.pk]))
        act = next((act for name, act in ACTS.items() if name in request.POST), None)
        if act is None:
            return None
        try:
            messages.success(request, act(policy, cast(Any, request.user)))
        except PolicyError as wrong:
            for place, message in wrong.errors:
                messages.error(request, gettext("Not published. %(why)s") % {"why": f"{place}: {told(message)}"})
        except services.ServiceError as refused:
            messages.error(request, gettext("Not published. %(why)s.") % {"why": refused})
        return HttpResponseRedirect(reverse("admin:orchestrator_policy_change", args=[policy.pk]))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.try_view)
        return [path("<uuid:pk>/try/", view, name="orchestrator_policy_try"), *super().get_urls()]

    def try_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        return trial(self, request, pk)


def propose(policy: Policy, actor: Any) -> str:
    if services.propose_policy(policy=policy, actor=actor):
        return HANDED_OVER % {"row": policy.title}
    return gettext("%(row)s: the version in force is unchanged.") % {"row": policy.title}


def publish(policy: Policy, actor: Any) -> str:
    version = services.publish_policy(policy=policy, actor=actor)
    return IN_FORCE % {"row": policy.title, "number": version.number}


ACTS = {"_propose": propose, "_publish": publish}


def differences(policy: Policy) -> list[str]:
    """How the draft differs from the version in force, in lines."""
    now = PolicySet.from_json(policy.current.content) if policy.current else None
    old, new = (
        lines_of(now, policy.current.sample_percent) if now else {},
        lines_of(policy_set_from(policy), policy.sample_percent),
    )
    changed = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    return [f"{name}: {old.get(name, gettext('not there'))} → {new.get(name, gettext('removed'))}" for name in changed]


def lines_of(found: PolicySet, sample: Any) -> dict[str, str]:
    """What a set says, by name."""
    named = gettext("rule %(name)s")
    rules = {named % {"name": rule.name}: f"{rule.when} → {way_of(rule)}: {rule.reason}" for rule in found.rules}
    return {
        **rules,
        gettext("order"): ", ".join(rule.name for rule in found.rules),
        gettext("otherwise"): str(Policy.Route(found.otherwise).label),
        gettext("sample"): pgettext("share of a hundred", "%(n)s%%") % {"n": number_format(f"{float(sample):g}")},
        gettext("facts"): ", ".join(f"{name}: {kind}" for name, kind in sorted(found.vocabulary.items())),
    }


def way_of(rule: Rule) -> str:
    return ", ".join(filter(None, (str(Policy.Route(rule.route).label), rule.level, rule.target)))


def described_rule(rule: PolicyRule) -> dict[str, Any]:
    plain = {name: getattr(rule, name) for name in ("position", "condition", "route", "target", "reason")}
    return {**plain, "level": rule.level.name if rule.level else ""}


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ReadOnlyAdmin):
    list_display = ["policy", "number", "published_at", "authored_by", "published_by"]
    list_filter = ["policy"]
    list_select_related = ["policy", "authored_by", "published_by"]
    fields = ["policy", "number", "published_at", "authored_by", "published_by", "sample_percent", "digest", "rules"]

    @admin.display(description=_("rules"))
    def rules(self, version: PolicyVersion) -> str:
        return format_html("<pre>{}</pre>", json.dumps(version.content, indent=2, ensure_ascii=False))
