"""Who may do what: one question, `may(user, action, object)`, and the lists that follow from it.

A permission on an object is a guardian grant on exactly that object, to the person or to a group of theirs. Permissions
on a whole model do not count for its objects, and being a superuser opens nothing: whoever can change the rules must
not thereby decide under them. No rule for an action means no.
"""

from collections.abc import Callable, Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import Http404
from guardian.models import GroupObjectPermission, UserObjectPermission

from audit.scopes import Scopes

from .models import AgentAccount, DataSource, Document, Hold, Incident, Policy, Run, RunDocument, Workflow

AUDITORS = "auditors"

Rule = Callable[[Any, Any], bool]
Sight = Callable[[Any], Q]

_rules: dict[tuple[type[models.Model], str], Rule] = {}
_sights: dict[type[models.Model], list[Sight]] = {}
_hidden: list[Callable[[Any], Collection[str]]] = []
_withheld: list[Callable[[Any], Collection[str]]] = []
_queues: list[Callable[[Any], Collection[str]]] = []


def register(model: type[models.Model], action: str, rule: Rule) -> None:
    """States who may do `action` on objects of `model`: `rule(user, obj)`. One rule for each; apps above add theirs."""
    if (model, action) in _rules:
        raise ValueError(f"action: {model.__name__}.{action} has a rule already")
    _rules[model, action] = rule


def register_sight(model: type[models.Model], sight: Sight) -> None:
    """Adds to what a person may see of `model`: a condition on its rows. Any one of them is enough."""
    _sights.setdefault(model, []).append(sight)


def register_queues(names: Callable[[Any], Collection[str]]) -> None:
    """Adds the names of queues whose part of the trail a person may read."""
    _queues.append(names)


def register_hidden(subjects: Callable[[Any], Collection[str]]) -> None:
    """Adds ids of subjects whose part of the trail is kept from a person for now."""
    _hidden.append(subjects)


def register_withheld(subjects: Callable[[Any], Collection[str]]) -> None:
    """Adds ids of subjects whose part of the trail is kept for now even from somebody who reads all the rest."""
    _withheld.append(subjects)


def may(user: Any, action: str, obj: models.Model) -> bool:
    """Whether this person may do this, by what the database says now about grants."""
    rule = _rules.get((type(obj), action))
    return bool(rule and user.is_active and rule(user, obj))


def fresh(user: Any) -> Any:
    """The account as the database has it now; None when it is gone. Objects cache what they once were allowed."""
    return get_user_model().objects.filter(pk=user.pk).first()


def is_agent(user: Any) -> bool:
    return AgentAccount.objects.filter(user_id=user.pk).exists()


def in_group(user: Any, name: str) -> bool:
    return user.groups.filter(name=name).exists()


def is_auditor(user: Any) -> bool:
    return bool(user.is_active) and in_group(user, AUDITORS)


def holds(user: Any, codename: str, obj: models.Model) -> bool:
    """Whether the person holds this permission on exactly this object, directly or through a group."""
    return get_user_model().objects.filter(holding(codename, obj), pk=user.pk, is_active=True).exists()


def holding(codename: str, obj: models.Model) -> Q:
    """The condition on accounts that holds() asks, for whoever asks several in one statement."""
    return holding_by_key(codename, type(obj), str(obj.pk))


def holding_by_key(codename: str, model: type[models.Model], key: Any) -> Q:
    """The same for the object of `model` with this key, as text."""
    wanted = _granted(model, [codename]) & Q(object_pk=key)
    own = Exists(UserObjectPermission.objects.filter(wanted, user_id=OuterRef("pk")))
    by_group = Exists(GroupObjectPermission.objects.filter(wanted, group__user=OuterRef("pk")))
    return Q(own | by_group)


def granted(user: Any, model: type[models.Model], codenames: Collection[str]) -> set[str]:
    """Primary keys, as text, of the objects on which the person holds any of these permissions."""
    return set().union(*granted_each(user, model, codenames).values())


def granted_each(user: Any, model: type[models.Model], codenames: Collection[str]) -> dict[str, set[str]]:
    """The same for each permission apart, in one statement."""
    found: dict[str, set[str]] = {codename: set() for codename in codenames}
    if not user.is_active:
        return found
    parts = ("permission__codename", "object_pk")
    own, by_group = held_keys(user, model, codenames)
    for codename, key in own.values_list(*parts).union(by_group.values_list(*parts)):
        found[codename].add(key)
    return found


def names_kept_from(user: Any, rows: QuerySet, codename: str) -> set[str]:
    """Names of the rows this author may not put into definitions. A row is kept for those who hold the permission on
    it as soon as somebody does."""
    wanted, mine = _granted(rows.model, [codename]), granted(user, rows.model, [codename])
    given = UserObjectPermission.objects.filter(wanted).values_list("object_pk", flat=True)
    kept = set(given.union(GroupObjectPermission.objects.filter(wanted).values_list("object_pk", flat=True)))
    return {name for pk, name in rows.values_list("pk", "name") if str(pk) in kept - mine}


def held_keys(
    user: Any, model: type[models.Model], codenames: Collection[str]
) -> tuple[QuerySet[UserObjectPermission], QuerySet[GroupObjectPermission]]:
    """The grants themselves, the person's own and their groups', for whoever asks them inside another statement.
    `user`: a person, or the place of one's key."""
    wanted = _granted(model, codenames)
    key = getattr(user, "pk", user)
    own = UserObjectPermission.objects.filter(wanted, user_id=key)
    return own, GroupObjectPermission.objects.filter(wanted, group__user=key)


def _granted(model: type[models.Model], codenames: Collection[str]) -> Q:
    kind = ContentType.objects.get_for_model(model)
    return Q(permission__codename__in=list(codenames), permission__content_type=kind, content_type=kind)


def holders(codename: str, obj: models.Model) -> QuerySet[Any]:
    """Active people (never agents) who hold this permission on exactly this object."""
    wanted = _granted(type(obj), [codename]) & Q(object_pk=str(obj.pk))
    direct = UserObjectPermission.objects.filter(wanted).values("user_id")
    groups = GroupObjectPermission.objects.filter(wanted).values("group_id")
    people = get_user_model().objects.filter(Q(pk__in=direct) | Q(groups__in=groups), is_active=True)
    return people.filter(agent_account__isnull=True).distinct().order_by("username")


def visible(queryset: QuerySet[Any], user: Any) -> QuerySet[Any]:
    """The rows a person may see. Auditors see all of them; a model without a rule shows nobody anything."""
    if is_auditor(user):
        return queryset
    if not user.is_active:
        return queryset.none()
    seen = Q(pk__in=[])
    for sight in _sights.get(queryset.model, ()):
        seen |= sight(user)
    return queryset.filter(seen)


def visible_runs(user: Any) -> QuerySet[Run]:
    return visible(Run.objects.all(), user)


def get_visible_or_404(queryset: QuerySet[Any], user: Any, **lookup: Any) -> Any:
    """The row, or Http404: "not yours" and "does not exist" are the same answer."""
    found = visible(queryset, user).filter(**lookup).first()
    if found is None:
        raise Http404(f"no {queryset.model._meta.verbose_name} with {lookup}")
    return found


def visible_scopes(user: Any) -> Scopes:
    """What a person may read of the trail (settings.AUDIT_VISIBLE_SCOPES)."""
    if not user.is_active:
        return Scopes()
    workflows = Workflow.objects.filter(pk__in=granted(user, Workflow, ["view_runs"])).values_list("name", flat=True)
    queues = frozenset(name for names in _queues for name in names(user))
    hidden = frozenset(subject for subjects in _hidden for subject in subjects(user))
    reads_all = is_auditor(user)
    withheld = frozenset(subject for subjects in _withheld for subject in subjects(user)) if reads_all else frozenset()
    return Scopes(reads_all, frozenset(workflows), queues, str(user.pk), hidden, withheld)


def _object_rule(codename: str) -> Rule:
    return lambda user, obj: holds(user, codename, obj)


def model_rule(permission: str) -> Rule:
    """What operators and admins do, which no single object grants."""
    return lambda user, obj: user.has_perm(permission)


def _sees(user: Any, obj: models.Model) -> bool:
    return visible(type(obj)._default_manager.all(), user).filter(pk=obj.pk).exists()


def _may_cancel(user: Any, run: Run) -> bool:
    return run.started_by_id == user.pk or user.has_perm("orchestrator.resolve_incident")


def _runs_seen(user: Any) -> Q:
    workflows = granted(user, Workflow, ["view_runs"])
    return Q(started_by_id=user.pk) | Q(version__workflow_id__in=workflows)


def _documents_seen(user: Any) -> Q:
    in_runs = RunDocument.objects.filter(run__in=visible_runs(user)).values("document_id")
    return Q(uploaded_by_id=user.pk) | Q(pk__in=in_runs)


register(Workflow, "start", _object_rule("start_run"))
register(Workflow, "view_runs", _object_rule("view_runs"))
register(Workflow, "write", model_rule("orchestrator.change_workflow"))
register(Policy, "write", model_rule("orchestrator.change_policy"))
register(DataSource, "read", _object_rule("read_source"))
register(Run, "view", _sees)
register(Run, "cancel", _may_cancel)
register(Document, "view", _sees)
register(Incident, "resolve", model_rule("orchestrator.resolve_incident"))
register(Hold, "pull", model_rule("orchestrator.pull_hold"))
register(Hold, "release", model_rule("orchestrator.pull_hold"))
register_sight(Run, _runs_seen)
register_sight(Document, _documents_seen)
