"""What is wrong with the policies as a whole: rules that cannot work, facts nobody supplies, rules that do nothing."""

from collections.abc import Collection, Iterable, Iterator

from django.conf import settings
from django.contrib.auth.models import Group
from django.utils.module_loading import import_string

from orchestrator.definitions import Definition
from orchestrator.models import AgentAccount, Policy, Workflow
from orchestrator.pinned import definition_of
from orchestrator.publishing import policy_set_from

from .cel import Comparison, Condition
from .evaluate import STRICTNESS, PolicySet, Rule
from .gate import SAMPLE
from .tokens import tokenise

Finding = tuple[str, str]  # (what it is about, what is wrong with it)
UPWARD, DOWNWARD = (">", ">="), ("<", "<=")


def findings() -> list[Finding]:
    """Everything there is to say about the policies of this installation, those of the apps above included."""
    workflows = {
        w.name: definition_of(w.current_id) for w in Workflow.objects.filter(is_active=True).exclude(current=None)
    }
    found = [one for policy in Policy.objects.select_related("current") for one in _policy(policy, workflows.values())]
    found += [
        (f"workflow {name}", f"its policy set {definition.policies!r} is not published")
        for name, definition in workflows.items()
        if definition.policies and not Policy.objects.filter(name=definition.policies).exclude(current=None).exists()
    ]
    return found + [one for path in settings.POLICY_CHECKS for one in import_string(path)()]


def _policy(policy: Policy, workflows: Iterable[Definition]) -> Iterator[Finding]:
    draft = policy_set_from(policy)
    if objections := draft.objections():
        yield from ((f"policy {policy.name}, draft {path}", message) for path, message in objections)
        return
    if not draft.rules and draft.otherwise == "continue":
        yield f"policy {policy.name}", "has no rule and lets everything through"
    yield from (_about(policy, rule, message) for rule, message in dead_rules(draft))
    yield from (_about(policy, rule, message) for rule, message in _nowhere(draft, workflows))
    for definition in workflows:
        if definition.policies == policy.name:
            yield from _unsupplied(policy, draft, definition)


def _about(policy: Policy, rule: Rule, message: str) -> Finding:
    return f"policy {policy.name}, rule {rule.name}", message


def _unsupplied(policy: Policy, draft: PolicySet, definition: Definition) -> Iterator[Finding]:
    for rule, condition in zip(draft.rules, draft.conditions, strict=True):
        for name in condition.names:
            if name != SAMPLE and name not in definition.facts:
                yield _about(
                    policy, rule, f"the workflow {definition.name} supplies no fact {name!r}: it would always ask"
                )


def _nowhere(draft: PolicySet, workflows: Iterable[Definition]) -> Iterator[tuple[Rule, str]]:
    """Groups nobody is in, queues and steps that do not exist."""
    staffed, queues = set(staffed_groups()), set(import_string(settings.QUEUE_NAMES)())
    steps = {step for definition in workflows if definition.policies == draft.name for step in definition.steps}
    for rule in draft.rules:
        if rule.level and rule.level not in staffed:
            yield rule, f"asks for the group {rule.level!r}, which has no active member"
        kind, _, name = rule.target.partition(":")
        known: Collection[str] = {"queue": queues, "step": steps}.get(kind, set())
        if rule.target and name not in known:
            yield rule, f"names {rule.target!r}, which does not exist"


def staffed_groups() -> Iterable[str]:
    """Groups with an active member who is a person."""
    people = Group.objects.filter(user__is_active=True).exclude(user__in=AgentAccount.objects.values("user"))
    return people.values_list("name", flat=True).distinct()


def dead_rules(policies: PolicySet) -> Iterator[tuple[Rule, str]]:
    """Rules that cannot change anything: constant ones, doubles, and thresholds a stricter rule has passed before."""
    judged = list(zip(policies.rules, policies.conditions, strict=True))
    for rule, condition in judged:
        if not condition.names:
            yield rule, "names no fact, so it always fires or never does"
    for place, (rule, condition) in enumerate(judged):
        others = judged[:place] + judged[place + 1 :]
        over = next((other for other, wider in others if _covers(other, wider, rule, condition)), None)
        if over is not None and not (_same(over, rule) and policies.rules.index(over) > place):
            yield rule, f"changes nothing: whenever it fires, {over.name} fires and is at least as strict"


def _same(one: Rule, other: Rule) -> bool:
    return (one.when, one.route, one.level, one.target) == (other.when, other.route, other.level, other.target)


def _covers(over: Rule, wider: Condition, rule: Rule, condition: Condition) -> bool:
    """Whether `rule` adds nothing to `over`: implied by it, no stricter, and asking for nobody else."""
    adds_nothing = rule.level in ("", over.level) and rule.target in ("", over.target)
    return adds_nothing and STRICTNESS[rule.route] <= STRICTNESS[over.route] and implies(condition, wider)


def implies(narrow: Condition, wide: Condition) -> bool:
    """Whether `wide` is certain to hold where `narrow` does; False where a simple look cannot tell."""
    if [token.text for token in tokenise(narrow.source)] == [token.text for token in tokenise(wide.source)]:
        return True
    one, other = only_comparison(narrow), only_comparison(wide)
    if one is None or other is None or one.fact != other.fact:
        return False
    if one.op in UPWARD and other.op in UPWARD:
        return one.value > other.value or (one.value == other.value and (one.op == ">" or other.op == ">="))
    if one.op in DOWNWARD and other.op in DOWNWARD:
        return one.value < other.value or (one.value == other.value and (one.op == "<" or other.op == "<="))
    return False


def only_comparison(condition: Condition) -> Comparison | None:
    """The comparison a condition consists of, if it is a single one such as `amount_base > 20,000.00`."""
    whole = len(condition.comparisons) == 1 and len(tokenise(condition.source)) == 3
    return condition.comparisons[0] if whole else None
