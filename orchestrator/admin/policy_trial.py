"""The draft of a policy tried on a real case, beside the version in force. Nothing is changed by it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from orchestrator.case import load_cases
from orchestrator.models import Policy, Run
from orchestrator.pinned import Pinned, policy_set_of
from orchestrator.policies import gate
from orchestrator.policies.evaluate import Evaluation, PolicyError, PolicySet, RuleTrace
from orchestrator.policies.facts import show
from orchestrator.publishing import policy_set_from
from orchestrator.stored import told
from orchestrator.words import later as _

RECENT = 25
STATES = {
    "fired": _("fired"),
    "not_fired": _("did not fire"),
    "not_yet": _("not yet"),
    "error": _("could not be judged"),
}


class TrialForm(forms.Form):
    """Which case: one of the recent ones, or any by its id."""

    run = forms.ChoiceField(required=False, label=_("A recent case"))
    other = forms.UUIDField(required=False, label=_("or the id of a run"))

    def __init__(self, policy: Policy, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runs = Run.objects.filter(policy_version__policy=policy).select_related("version__workflow")
        recent = self.runs.order_by("-started_at", "-pk")[:RECENT]
        choices = [("", gettext("choose …")), *((str(run.pk), in_words(run)) for run in recent)]
        self.fields["run"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        wanted = cleaned.get("other") or cleaned.get("run")
        if not self.errors and not wanted:
            raise forms.ValidationError(gettext("Choose a case, or give the id of a run."))
        cleaned["case"] = self.runs.filter(pk=UUID(str(wanted))).first() if wanted else None
        if wanted and cleaned["case"] is None:
            self.add_error("other", gettext("%(run)s is no run that was judged by this policy.") % {"run": wanted})
        return cleaned


def in_words(run: Run) -> str:
    return f"{run.subject or run.pk} ({run.get_status_display()}, {run.started_at:%Y-%m-%d %H:%M})"


@dataclass(frozen=True, slots=True)
class Line:
    """One rule on one case: what it did, by which values, and what it does in the version in force."""

    name: str
    condition: str
    state: str
    fired: bool
    route: str
    values: list[tuple[str, str]]
    note: str
    in_force: str


@dataclass(frozen=True, slots=True)
class Compared:
    """The draft and the version in force on one case; `in_force` is None where nothing is published."""

    run: Run
    draft: Evaluation
    in_force: Evaluation | None
    lines: list[Line]

    @property
    def differs(self) -> bool:
        return self.in_force is not None and (self.draft.route, self.draft.levels) != (
            self.in_force.route,
            self.in_force.levels,
        )

    @property
    def routes(self) -> list[tuple[str, str]]:
        """(of what, the route in words) for the head of the page."""
        rows = [(gettext("The draft"), self.draft)] + ([(gettext("In force"), self.in_force)] if self.in_force else [])
        return [(label, route_in_words(found)) for label, found in rows]


def route_in_words(found: Evaluation) -> str:
    words = str(Policy.Route(found.route).label)
    more = [gettext("then %(level)s") % {"level": level} for level in found.levels] + (
        [gettext("to %(target)s") % {"target": found.target}] if found.target else []
    )
    return ", ".join([words, *more]) + (gettext(" (no rule fired)") if found.by_otherwise else "")


def compare(policy: Policy, run: Run) -> Compared:
    """PolicyError where the draft holds a rule that cannot be judged at all."""
    draft_set, pinned = policy_set_from(policy), Pinned.of(run)
    case = load_cases({run.pk: run.input})[run.pk]
    draft = gate.evaluate_case(pinned, case, draft_set)
    in_force = gate.evaluate_case(pinned, case, policy_set_of(policy.current_id)) if policy.current_id else None
    other = {rule.name: STATES[rule.state] for rule in in_force.trace} if in_force else {}
    return Compared(run, draft, in_force, [line_of(rule, draft_set, other) for rule in draft.trace])


def line_of(rule: RuleTrace, policies: PolicySet, in_force: dict[str, str]) -> Line:
    shown = [(name, show(value, policies.vocabulary[name], policies.currency)) for name, value in rule.values.items()]
    return Line(
        name=rule.name,
        condition=rule.condition,
        state=STATES[rule.state],
        fired=rule.state in ("fired", "error"),
        route=str(Policy.Route(rule.route).label),
        values=shown,
        note=rule.reason or (rule.near.text if rule.near else ""),
        in_force=in_force.get(rule.name, gettext("not in it")),
    )


def trial(model_admin: admin.ModelAdmin, request: HttpRequest, pk: Any) -> HttpResponse:
    """The page. A GET with `run` or `other` shows the result: nothing is changed, so it may be passed on as a link."""
    policy = model_admin.get_object(request, str(pk))
    if policy is None:
        raise Http404
    if not model_admin.has_view_permission(request, policy):
        raise PermissionDenied
    form = TrialForm(policy, request.GET if "run" in request.GET or "other" in request.GET else None)
    found, objections = None, []
    if form.is_bound and form.is_valid():
        try:
            found = compare(policy, form.cleaned_data["case"])
        except PolicyError as wrong:
            objections = [(place, told(message)) for place, message in wrong.errors]
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "original": policy,
        "form": form,
        "found": found,
        "objections": objections,
        "title": gettext("Try %(policy)s on a case") % {"policy": policy.title},
    }
    return render(request, "admin/orchestrator/policy/try.html", context)
