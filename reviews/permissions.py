"""Who may see and do what with reviews, registered with the project's one `may()`."""

from typing import Any

from django.db.models import Q

from orchestrator import permissions
from orchestrator.models import Run
from orchestrator.permissions import granted, holds, is_agent

from . import policies
from .models import Approval, Queue, Review

SEES = ("view_queue", "decide", "reroute")


def standing_of(user: Any, review: Review) -> policies.Standing:
    """The facts about this person and this review, read now."""
    return policies.Standing(
        active=user.is_active,
        agent=is_agent(user),
        requester=review.run.started_by_id == user.pk,
        decides=holds(user, "decide", review.queue),
        reroutes=holds(user, "reroute", review.queue),
        voted=Approval.objects.filter(review=review, reviewer_id=user.pk, verdict__in=policies.VOTES).exists(),
        groups=frozenset(user.groups.values_list("name", flat=True)),
    )


def level_of(review: Review) -> policies.Level:
    """Whose turn it is."""
    return review.levels[review.level]


def allowed(user: Any, review: Review) -> list[str]:
    """The verdicts this person may give on a live review; none on another."""
    return policies.allowed(standing_of(user, review), level_of(review)) if review.is_live else []


def visible_queues(user: Any) -> set[str]:
    """Names of the queues whose cases the person may see."""
    return set(Queue.objects.filter(pk__in=granted(user, Queue, SEES)).values_list("name", flat=True))


def _sees_queue(user: Any, queue: Queue) -> bool:
    return permissions.is_auditor(user) or any(holds(user, name, queue) for name in SEES)


def _sees_review(user: Any, review: Review) -> bool:
    return user.pk in (review.asked_id, review.delegated_to_id) or _sees_queue(user, review.queue)


def _may(verdict: str) -> permissions.Rule:
    return lambda user, review: verdict in allowed(user, review)


def _may_answer(user: Any, review: Review) -> bool:
    return review.asked_id == user.pk


def _reviews_seen(user: Any) -> Q:
    return Q(queue__in=granted(user, Queue, SEES)) | Q(asked_id=user.pk) | Q(delegated_to_id=user.pk)


def _runs_seen(user: Any) -> Q:
    """Whoever may see a case may see its run."""
    return Q(pk__in=Review.objects.filter(_reviews_seen(user)).values("run_id"))


def register() -> None:
    """Called once, when the apps are ready."""
    permissions.register(Queue, "view", _sees_queue)
    permissions.register(Queue, "decide", lambda user, queue: not is_agent(user) and holds(user, "decide", queue))
    permissions.register(Review, "view", _sees_review)
    permissions.register(Review, "claim", lambda user, review: bool(allowed(user, review)))
    permissions.register(Review, "answer", _may_answer)
    permissions.register(Review, "reassign", lambda user, review: holds(user, "reroute", review.queue))
    for verdict in policies.VERDICTS:
        permissions.register(Review, verdict, _may(verdict))
    permissions.register_sight(Queue, lambda user: Q(pk__in=granted(user, Queue, SEES)))
    permissions.register_sight(Review, _reviews_seen)
    permissions.register_sight(Run, _runs_seen)
    permissions.register_queues(visible_queues)
