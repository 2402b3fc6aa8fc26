"""Reviews over the API: the same services, the same refusals and the same record as on the pages."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from ninja import Query, Router
from pydantic import BaseModel, Field

from orchestrator.api.errors import refusal
from orchestrator.api.paging import PAGE, Cursor, Limit, page
from orchestrator.api.shapes import Body, Moment, Plain, refusals
from orchestrator.http import Request
from orchestrator.permissions import get_visible_or_404, is_agent, visible, visible_runs
from orchestrator.run_document import moment

from . import services
from .errors import NotAllowed, ReviewError
from .models import Review, ReviewStatus
from .packet import name_of

# The desk asks why; for programs that send a case elsewhere a reason is optional.
UNEXPLAINED = ("reroute", "escalate")

router = Router(tags=["reviews"])
decisions_router = Router(tags=["reviews"])
Status = StrEnum("Status", {name: str(value) for name, value in ReviewStatus.__members__.items()})


class ReviewSummary(BaseModel):
    """`case` is the id that lives through all rounds; `id` is this round."""

    id: UUID
    case: UUID
    run: UUID
    workflow: str
    queue: str
    status: str
    round: int
    level: int
    title: str
    number: str
    vendor: str
    amount: str
    reasons: list[Plain]
    digest: str
    opened_at: Moment
    due_at: Moment
    claimed_by: str | None
    claimed_until: Moment | None


class ReviewPage(BaseModel):
    items: list[ReviewSummary]
    next: str | None


class ReviewShape(BaseModel):
    """The case packet with its digest and the verdicts that the caller may give now."""

    id: UUID
    case: UUID
    run: UUID
    status: str
    queue: str
    digest: str
    round: int
    level: int
    levels: list[Plain]
    allowed: list[str]
    due_at: Moment
    claimed_by: str | None
    claimed_until: Moment | None
    undo_until: Moment | None
    packet: Plain


class DecideReview(Body):
    """`digest` is that of the packet the answer is about, `nonce` a text of your own that names this answer: send it
    again, and you get the same outcome again. `corrections` maps JSON pointers into the case to new values; `hours` is
    how long a hand-over (`delegate`) lasts, 1 to 720, absent: until it is answered."""

    verdict: str = Field(max_length=12)
    digest: str = Field(max_length=64)
    nonce: str = Field(max_length=80)
    reason: str = ""
    comment: str = ""
    corrections: Plain = Field(default_factory=dict)
    target: str = ""
    hours: int | None = None


class Feedback(BaseModel):
    """The case was a control case, planted with a known answer, and nothing was done: what was expected, and why."""

    caught: bool
    expected: Plain
    given: Plain
    why: str


class Decided(BaseModel):
    """`feedback` is there where the case turns out to have been a control case, and only then."""

    decision: UUID
    review_status: str
    run_status: str
    undo_until: Moment | None = None
    feedback: Feedback | None = None


class Undone(BaseModel):
    """`review` is the round that is open now."""

    decision: UUID
    review_status: str
    run_status: str
    review: UUID


def telling_refusals(view: Callable[..., Any]) -> Callable[..., Any]:
    """What a review service refuses is the answer: 403 with the rule, 409 with what happened, 422 with the fields."""

    @wraps(view)
    def told(request: Request, **values: Any) -> Any:
        try:
            return view(request, **values)
        except ReviewError as refused:
            return refusal(refused.status, refused.as_json())

    return told


router.add_decorator(telling_refusals)
decisions_router.add_decorator(telling_refusals)


def people_only(request: Request) -> None:
    """Before anything is looked up: what an agent may see makes no difference to what it may decide."""
    if is_agent(request.user):
        raise NotAllowed("agent", "Agents never decide for people.")


def get_review(request: Request, review_id: UUID) -> Review:
    rows = Review.objects.select_related("run__version__workflow", "queue", "claimed_by").defer("packet")
    return get_visible_or_404(rows, request.user, pk=review_id)


@router.get("", response={200: ReviewPage} | refusals(422))
def list_reviews(
    request: Request,
    status: Annotated[Status | None, Query(description="`open` stands for all that wait for an answer.")] = None,
    queue: Annotated[str, Query(max_length=60)] = "",
    cursor: Cursor = "",
    limit: Limit = PAGE,
) -> dict[str, Any]:
    """The reviews you may see, the one due first at the top."""
    rows = visible(Review.objects.select_related("run__version__workflow", "queue", "claimed_by"), request.user)
    if status is not None:
        rows = rows.filter(status__in=Review.LIVE if status.value == Review.Status.OPEN else [status.value])
    if queue:
        rows = rows.filter(queue__name=queue)
    return page(rows.defer("packet"), summary, by="due_at", cursor=cursor, limit=limit, descending=False)


def summary(review: Review) -> dict[str, Any]:
    return {
        "id": str(review.pk),
        "case": str(review.task_id),
        "run": str(review.run_id),
        "workflow": review.run.version.workflow.name,
        "queue": review.queue.name,
        "reasons": [{"rule": reason["rule"], "text": reason["text"]} for reason in review.reasons],
        "digest": review.packet_digest,
        "opened_at": moment(review.opened_at),
        "due_at": moment(review.due_at),
        "claimed_by": name_of(review.claimed_by) if review.claimed_by else None,
        "claimed_until": moment(review.claimed_until),
        **{name: getattr(review, name) for name in PLAIN_FIELDS},
    }


PLAIN_FIELDS = ("status", "round", "level", "title", "number", "vendor", "amount")


@router.get("/{uuid:review_id}", response={200: ReviewShape} | refusals(404))
def get_packet(request: Request, review_id: UUID) -> dict[str, Any]:
    """One round, as it is put before people. That you looked is recorded."""
    review = get_review(request, review_id)
    found = services.view(review=review, actor=request.user)
    times = {name: moment(value) for name, value in found.items() if isinstance(value, datetime)}
    return {**found, **times, "case": str(review.task_id), "run": str(review.run_id)}


@router.post("/{uuid:review_id}/claim", response={200: ReviewSummary} | refusals(403, 404, 409))
def claim_review(request: Request, review_id: UUID) -> dict[str, Any]:
    """Reserves it for you for 15 minutes; again, for 15 more."""
    people_only(request)
    services.claim(review_id=get_review(request, review_id).pk, actor=request.user)
    return summary(get_review(request, review_id))


@router.post("/{uuid:review_id}/release", response={200: ReviewSummary} | refusals(403, 404, 409))
def release_review(request: Request, review_id: UUID) -> dict[str, Any]:
    """Gives it back to its queue."""
    people_only(request)
    services.release(review_id=get_review(request, review_id).pk, actor=request.user)
    return summary(get_review(request, review_id))


@router.post(
    "/{uuid:review_id}/decide",
    response={200: Decided} | refusals(400, 403, 404, 409, 413, 415, 422, 429),
    exclude_unset=True,
)
def decide_review(request: Request, review_id: UUID, body: DecideReview) -> dict[str, Any]:
    """Records your answer. 409 `stale` carries the difference to what you saw, `already_decided` the outcome."""
    people_only(request)
    given = body.model_dump()
    if given["verdict"] in UNEXPLAINED:
        given["reason"] = given["reason"] or "other"
    answer = services.Answer(**given)
    return services.decide_from_outside(review_id=review_id, actor=request.user, answer=answer).outcome


@decisions_router.post("/{uuid:decision_id}/undo", response={200: Undone} | refusals(403, 404, 409))
def undo_decision(request: Request, decision_id: UUID) -> dict[str, Any]:
    """Takes your answer back while its undo window is open."""
    people_only(request)
    get_object_or_404(Review, pk=services.round_of(decision_id), run__in=visible_runs(request.user))
    return services.undo(decision_id=decision_id, actor=request.user)
