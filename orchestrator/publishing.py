"""Publishing: a checked, immutable version of a workflow or a policy, pinned by the runs that start from then on."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, Group
from django.db import transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from audit.log import person, record

from . import safe_yaml
from .agents import registry
from .connectors.actions import action_kinds, connector_for
from .definitions import AgentInfo, Catalog, Definition, DefinitionError, check_catalog, from_json, parse
from .digests import digest
from .errors import Conflict, SecondPersonNeeded
from .models import (
    Connection,
    Connector,
    DataSource,
    HandedOver,
    Hook,
    Policy,
    PolicyRule,
    PolicyVersion,
    Workflow,
    WorkflowVersion,
)
from .permissions import names_kept_from
from .policies.evaluate import PolicyError, PolicySet, Rule
from .policies.gate import SAMPLE
from .said import said as _
from .sources import account_of


def catalog() -> Catalog:
    """Everything a definition may name in this installation."""
    agents = registry.all_agents()
    published = Policy.objects.select_related("current").exclude(current=None)
    startable = Workflow.objects.filter(is_active=True).select_related("current").exclude(current=None)
    running = {row.name: from_json(row.current.definition) for row in startable}
    policies = {policy.name: PolicySet.from_json(policy.current.content) for policy in published}
    return Catalog(
        agents={a.name: AgentInfo(a.input_schema, a.output_schema, a.sources) for a in agents.values()},
        effects=action_kinds(),
        sources=list(DataSource.objects.values_list("name", flat=True)),
        queues=import_string(settings.QUEUE_NAMES)(),
        policies={name: policy.named for name, policy in policies.items()},
        vocabularies={name: policy.vocabulary for name, policy in policies.items()},
        supplied={SAMPLE: "bool"},
        events=list(Hook.objects.filter(is_active=True).values_list("name", flat=True)),
        workflows={name: found.input for name, found in running.items()},
        starts={
            name: {s.target for s in found.steps.values() if s.kind == "workflow"} for name, found in running.items()
        },
    )


def check_workflow(source: str, *, author: AbstractBaseUser) -> Definition:
    """The definition this YAML describes, with every name checked, and whether its author may use it. DefinitionError
    lists all objections by path."""
    definition = parse(source, kinds=tuple(settings.STEP_HANDLERS))
    if objections := [*check_catalog(definition, catalog()), *_kept_from(author, definition)]:
        raise DefinitionError(objections)
    return definition


def _kept_from(author: AbstractBaseUser, definition: Definition) -> Iterator[tuple[str, str]]:
    """What the definition names that is kept for other authors."""
    queues = import_string(settings.QUEUE_NAMES)(kept_from=author)
    connectors = names_kept_from(author, Connector.objects.order_by(), "use_connector")
    for step in definition.steps.values():
        if step.queue in queues:
            yield (
                f"steps.{step.name}.review",
                _("names the queue %(queue)r, which its author may not put into workflows", queue=step.queue),
            )
        for key, kind in (("effect", step.target), ("compensate", step.compensate)):
            if step.kind == "effect" and kind in action_kinds() and connector_for(kind).name in connectors:
                by = connector_for(kind).name
                yield (
                    f"steps.{step.name}.{key}",
                    _("goes by %(by)r, which its author may not put into workflows", by=by),
                )


@transaction.atomic
def propose_workflow(*, source: str, actor: AbstractBaseUser) -> tuple[Workflow, bool]:
    """Hands a definition over to be published by somebody else, exactly as it stands. DefinitionError lists every
    objection. False: it is what is in force already."""
    definition = check_workflow(source, author=actor)
    workflow, _ = Workflow.objects.get_or_create(name=definition.name, defaults={"title": definition.title})
    if workflow.current is not None and workflow.current.digest == definition.digest:
        return workflow, False
    Workflow.objects.filter(pk=workflow.pk).update(draft=source)
    _hand_over("workflow", workflow, workflow.versions.count() + 1, definition.digest, actor)
    return workflow, True


@transaction.atomic
def publish_workflow(*, workflow: Workflow, actor: AbstractBaseUser) -> WorkflowVersion:
    """Puts in force for new runs what somebody else has handed over; running runs stay on their version. Errors:
    Conflict where nothing was handed over, SecondPersonNeeded, DefinitionError."""
    workflow = Workflow.objects.select_for_update(of=("self",), no_key=True).get(pk=workflow.pk)
    refuse_alone(workflow, actor)
    definition = check_workflow(workflow.draft, author=workflow.proposed_by)
    _refuse_changed(workflow, definition.digest)
    version = WorkflowVersion.objects.create(
        workflow=workflow,
        number=workflow.versions.count() + 1,
        source=workflow.draft,
        definition=definition.as_json(),
        digest=definition.digest,
        authored_by=workflow.proposed_by,
        published_by=actor,
    )
    Workflow.objects.filter(pk=workflow.pk).update(
        current=version, title=definition.title, description=definition.description, **NOTHING_HANDED_OVER
    )
    workflow.refresh_from_db()
    for step in definition.steps.values():
        if step.kind in ("agent", "for_each"):
            account_of(step.target)
    _told("workflow.published", "workflow", workflow, version.number, definition.digest, actor)
    return version


@transaction.atomic
def save_workflow(*, source: str, actor: AbstractBaseUser, second: AbstractBaseUser) -> WorkflowVersion:
    """Publishes a definition that `second` puts in force. The same definition again changes nothing."""
    workflow, is_new = propose_workflow(source=source, actor=actor)
    return publish_workflow(workflow=workflow, actor=second) if is_new else workflow.current


NOTHING_HANDED_OVER = {"proposed_by": None, "proposed_digest": ""}


def _hand_over(what: str, row: HandedOver, number: int, sha256: str, actor: AbstractBaseUser) -> None:
    type(row)._default_manager.filter(pk=row.pk).update(proposed_by=actor, proposed_digest=sha256)
    row.refresh_from_db()
    _told(f"{what}.proposed", what, row, number, sha256, actor)


def refuse_alone(row: HandedOver, actor: AbstractBaseUser) -> None:
    if row.proposed_by_id is None:
        raise Conflict(gettext("%(row)s: nothing was handed over to be published") % {"row": row})
    if row.proposed_by_id == actor.pk:
        raise SecondPersonNeeded(
            gettext("%(row)s: you handed the draft over; somebody else has to put it in force") % {"row": row}
        )


def _refuse_changed(row: HandedOver, sha256: str) -> None:
    if sha256 != row.proposed_digest:
        raise Conflict(
            gettext("%(row)s: the draft was changed since %(by)s handed it over") % {"row": row, "by": row.proposed_by}
        )


def _told(kind: str, what: str, row: Any, number: int, sha256: str, actor: AbstractBaseUser) -> None:
    record(kind, subject=(what, row.name), actor=person(actor), data={"number": number, "digest": sha256})


def policy_set_from(policy: Policy) -> PolicySet:
    """The draft rules as a policy set, not yet checked."""
    rows = policy.rules.select_related("level").order_by("position", "pk")
    rules = tuple(
        Rule(row.name, row.condition, row.route, row.reason, row.level.name if row.level else "", row.target, order)
        for order, row in enumerate(rows)
    )
    number = policy.versions.count() + 1
    vocabulary = {**policy.vocabulary, SAMPLE: "bool"}
    return PolicySet(policy.name, number, vocabulary, rules, policy.otherwise, settings.BASE_CURRENCY)


@transaction.atomic
def propose_policy(*, policy: Policy, actor: AbstractBaseUser) -> bool:
    """Hands the draft over to be published by somebody else, exactly as it stands. PolicyError lists every rule that
    does not hold. False: the draft is what is in force already."""
    sha256 = digest_of_draft(policy, checked_draft(policy))
    if policy.current is not None and policy.current.digest == sha256:
        return False
    _hand_over("policy", policy, policy.versions.count() + 1, sha256, actor)
    return True


@transaction.atomic
def publish_policy(*, policy: Policy, actor: AbstractBaseUser) -> PolicyVersion:
    """Puts in force for new runs what somebody else has handed over. Errors: Conflict where nothing was handed over or
    the draft was changed since, SecondPersonNeeded, PolicyError."""
    policy = Policy.objects.select_for_update(of=("self",), no_key=True).select_related("current").get(pk=policy.pk)
    refuse_alone(policy, actor)
    drafted = checked_draft(policy)
    sha256 = digest_of_draft(policy, drafted)
    _refuse_changed(policy, sha256)
    version = PolicyVersion.objects.create(
        policy=policy,
        number=drafted.number,
        content=drafted.as_json(),
        sample_percent=policy.sample_percent,
        digest=sha256,
        authored_by=policy.proposed_by,
        published_by=actor,
    )
    Policy.objects.filter(pk=policy.pk).update(current=version, **NOTHING_HANDED_OVER)
    _told("policy.published", "policy", policy, version.number, sha256, actor)
    return version


def checked_draft(policy: Policy) -> PolicySet:
    drafted = policy_set_from(policy)
    if objections := drafted.objections():
        raise PolicyError(objections)
    return drafted


def digest_of_draft(policy: Policy, drafted: PolicySet) -> str:
    """Of what the rules say and how much is drawn, whatever number it gets."""
    return digest([{**drafted.as_json(), "number": 0}, f"{Decimal(str(policy.sample_percent)):.2f}"])


def is_proposed(policy: Policy) -> bool:
    """Somebody handed the draft over, and it still is what they handed over."""
    drafted = policy_set_from(policy)
    return bool(policy.proposed_by_id) and digest_of_draft(policy, drafted) == policy.proposed_digest


@transaction.atomic
def save_policy(*, source: str, actor: AbstractBaseUser, second: AbstractBaseUser) -> Policy:
    """Writes a policy set from its YAML form, which `second` puts in force."""
    policy = draft_policy(safe_yaml.load(source))
    if propose_policy(policy=policy, actor=actor):
        publish_policy(policy=policy, actor=second)
    policy.refresh_from_db()
    return policy


def draft_policy(found: Mapping[str, Any]) -> Policy:
    """The draft as its YAML form has it; groups that rules name are made where they are missing.
    Form: policy, title, vocabulary, otherwise, sample_percent, rules: [{name, when, route, level, target, reason}]."""
    policy, _ = Policy.objects.update_or_create(
        name=found["policy"],
        defaults={
            "title": found["title"],
            "vocabulary": found["vocabulary"],
            "otherwise": found.get("otherwise", "review"),
            "sample_percent": found.get("sample_percent", 0),
        },
    )
    policy.rules.all().delete()
    for position, rule in enumerate(found.get("rules", [])):
        PolicyRule.objects.create(
            policy=policy,
            position=position,
            name=rule["name"],
            condition=str(rule["when"]),
            route=rule["route"],
            level=Group.objects.get_or_create(name=rule["level"])[0] if rule.get("level") else None,
            target=rule.get("target", ""),
            reason=rule["reason"],
        )
    return policy


@transaction.atomic
def propose_connection(*, row: Connection, actor: AbstractBaseUser) -> bool:
    """A connection as it was just written: it stands still until somebody else puts it in force. False: it is as it
    was handed over last."""
    row.refresh_from_db()
    sha256 = digest_of_connection(row)
    if sha256 == row.proposed_digest:
        return False
    changed = {"is_active": False, "put_in_force_by": None, "proposed_by": actor, "proposed_digest": sha256}
    type(row)._default_manager.filter(pk=row.pk).update(**changed)
    _told_connection("connection.proposed", row, actor, digest=sha256)
    return True


@transaction.atomic
def publish_connection(*, row: Connection, actor: AbstractBaseUser) -> None:
    """Puts in force what somebody else wrote, exactly as they left it. Errors: Conflict, SecondPersonNeeded."""
    row = type(row)._default_manager.select_for_update(of=("self",), no_key=True).get(pk=row.pk)
    refuse_alone(row, actor)
    _refuse_changed(row, digest_of_connection(row))
    type(row)._default_manager.filter(pk=row.pk).update(is_active=True, put_in_force_by=actor)
    _told_connection("connection.published", row, actor, digest=row.proposed_digest)


@transaction.atomic
def switch_off_connection(*, row: Connection, actor: AbstractBaseUser) -> None:
    """To stop something one person is enough."""
    if type(row)._default_manager.filter(pk=row.pk, is_active=True).update(is_active=False):
        _told_connection("connection.switched_off", row, actor)


def digest_of_connection(row: Connection) -> str:
    fields = [field for field in row._meta.concrete_fields if field.editable and field.name not in NOT_WRITTEN]
    return digest({field.name: str(field.value_from_object(row)) for field in fields})


NOT_WRITTEN = ("id", "is_active", "read_until")


def _told_connection(kind: str, row: Connection, actor: AbstractBaseUser, **data: str) -> None:
    record(kind, subject=(str(row._meta.model_name), str(row)), actor=person(actor), data=data)
