"""Who may see and do what with reviews, registered with the project's one `may()`."""

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import (
    BooleanField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    UUIDField,
)
from django.db.models.lookups import IsNull

from orchestrator import permissions, taking_back
from orchestrator.models import AgentAccount, Run, Task
from orchestrator.permissions import granted, held_keys, holding_by_key, holds, is_agent
from orchestrator.statements import Slot, look_up

from . import control, policies, querysets
from .blind import hidden_rounds
from .models import Approval, ControlCase, Queue, Review

FEW = 1_000  # runs that are named one by one
SEES = ("view_queue", "decide", "reroute")


def standing_of(user: Any, review: Review) -> policies.Standing:
    """The facts about this person and this review, read now, in one statement."""
    kind = kind_of_queues()
    rows = look_up(_standing, kind, user=user.pk, review=review.pk, queue=str(review.queue_id))
    return standing_in(rows, review) if user.is_active and rows else policies.Standing(active=False)


def standing_in(rows: Sequence[Any], review: Review) -> policies.Standing:
    """The same of an account as with_standing() reads it."""
    person = rows[0]
    if not person.is_active:
        return policies.Standing(active=False)
    return policies.Standing(
        agent=person.agent,
        requester=review.run.started_by_id == person.pk,
        reversed=had_a_part(person, review),
        knows=control.knows(person, review),
        sees=person.view_queue,
        decides=person.decide,
        reroutes=person.reroute,
        voted=person.voted,
        groups=frozenset(row.group for row in rows if row.group),
    )


def _standing(_kind: int, *, user: Slot, review: Slot, queue: Slot) -> QuerySet:
    return with_standing(user=user, review=review, queue=queue)


def with_standing(*, user: Slot, review: Slot, queue: Slot) -> QuerySet:
    """The account with what standing_in() is made of: a row for each of its groups. `queue`: its key as text."""
    voted = Approval.objects.filter(review__pk=review, reviewer__pk=user, verdict__in=policies.SIGNED)
    held = {name: ExpressionWrapper(holding_by_key(name, Queue, queue), BooleanField()) for name in SEES}
    known = {"voted": Exists(voted), "agent": Exists(AgentAccount.objects.filter(user__pk=user))}
    people = get_user_model().objects.filter(pk=user)
    return people.annotate(**held, **known, group=F("groups__name"))


def had_a_part(user: Any, review: Review) -> bool:
    """Whether the person handed in, or signed, what this review is to reverse."""
    case = taking_back.case_reversed(review.run)
    person = get_user_model().objects.filter(pk=user.pk)
    return case is not None and person.filter(querysets.had_a_part(case, user.pk)).exists()


def level_of(review: Review) -> policies.Level:
    """Whose turn it is."""
    return review.levels[review.level]


def allowed(user: Any, review: Review) -> list[str]:
    """The verdicts this person may give on a live review; none on another."""
    return verdicts_of(standing_of(user, review), review) if review.is_live else []


def verdicts_of(standing: policies.Standing, review: Review) -> list[str]:
    """The same, of a standing that has just been read."""
    return policies.allowed(standing, level_of(review)) if review.is_live else []


def sees(user: Any, standing: policies.Standing, review: Review) -> bool:
    """Whoever holds any permission on the queue, auditors, and who was asked or handed the case."""
    of_queue = standing.sees or standing.decides or standing.reroutes or permissions.AUDITORS in standing.groups
    return standing.active and (of_queue or user.pk in (review.asked_id, review.delegated_to_id))


def visible_queues(user: Any) -> set[str]:
    """Names of the queues whose cases the person may see."""
    return set(Queue.objects.filter(pk__in=granted(user, Queue, SEES)).values_list("name", flat=True))


class AsKey(Func):
    """The text of a grant's object as the database keeps keys: SQLite has no type for them and no hyphens in them."""

    output_field = UUIDField()
    template = "(%(expressions)s)::uuid"

    def as_sqlite(self, compiler: Any, connection: Any, **further: Any) -> Any:
        return self.as_sql(compiler, connection, template="REPLACE(%(expressions)s, '-', '')", **further)


def kind_of_queues() -> int:
    """The number of their kind, which stands in every statement about permissions on them that is compiled once."""
    return ContentType.objects.get_for_model(Queue).pk


def held_queues(user: Any, codenames: Collection[str]) -> QuerySet[Any]:
    """Keys of the queues on which the person (or who has the key of that place) holds any of these, each once, as part
    of a larger statement."""
    own, by_group = (rows.values_list(AsKey("object_pk")) for rows in held_keys(user, Queue, codenames))
    return own.union(by_group)


def seen_queues(user: Any) -> QuerySet[Queue]:
    """The queues whose cases the person may see, as part of a larger statement."""
    own, by_group = (rows.values_list(AsKey("object_pk")) for rows in held_keys(user, Queue, SEES))
    auditing = User.groups.through.objects.filter(user_id=getattr(user, "pk", user), group__name=permissions.AUDITORS)
    return Queue.objects.filter(Q(pk__in=own) | Q(pk__in=by_group) | Exists(auditing))


def _sees_queue(user: Any, queue: Queue) -> bool:
    return permissions.is_auditor(user) or any(holds(user, name, queue) for name in SEES)


def _sees_review(user: Any, review: Review) -> bool:
    return sees(user, standing_of(user, review), review)


def _may(verdict: str) -> permissions.Rule:
    return lambda user, review: verdict in allowed(user, review)


def _may_answer(user: Any, review: Review) -> bool:
    return review.asked_id == user.pk


def _reviews_seen(user: Any) -> Q:
    return Q(queue__in=granted(user, Queue, SEES)) | Q(asked_id=user.pk) | Q(delegated_to_id=user.pk)


def _runs_seen(user: Any) -> Q:
    """Whoever may see a case may see its run. Few are named; with many, each run of a list is asked for by itself:
    a plan would else gather the cases of all runs before it shows the first."""
    seen = Review.objects.filter(_reviews_seen(user))
    runs = list(seen.values_list("run_id", flat=True)[: FEW + 1])
    if len(runs) <= FEW:
        return Q(pk__in=runs)
    one = seen.filter(run=OuterRef("pk")).values("pk")[:1]
    return Q(IsNull(Subquery(one), False))


def _opens_case(user: Any, task: Task) -> bool:
    newest = task.reviews.select_related("queue").order_by("-round").first()
    return newest is not None and permissions.may(user, "view", newest)


def register() -> None:
    """Called once, when the apps are ready."""
    permissions.register(Queue, "view", _sees_queue)
    permissions.register(Queue, "decide", lambda user, queue: not is_agent(user) and holds(user, "decide", queue))
    permissions.register(Review, "view", _sees_review)
    permissions.register(Task, "open_case", _opens_case)
    permissions.register(ControlCase, "plant", permissions.model_rule("reviews.add_controlcase"))
    permissions.register(ControlCase, "know", permissions.model_rule(control.VIEW))
    permissions.register(Review, "claim", lambda user, review: bool(allowed(user, review)))
    permissions.register(Review, "answer", _may_answer)
    permissions.register(Review, "reassign", lambda user, review: holds(user, "reroute", review.queue))
    for verdict in policies.VERDICTS:
        permissions.register(Review, verdict, _may(verdict))
    permissions.register_sight(Queue, lambda user: Q(pk__in=granted(user, Queue, SEES)))
    permissions.register_sight(Review, _reviews_seen)
    permissions.register_sight(Run, _runs_seen)
    permissions.register_queues(visible_queues)
    permissions.register_hidden(hidden_rounds)
    permissions.register_withheld(control.withheld)
