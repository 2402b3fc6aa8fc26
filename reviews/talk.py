"""What people say about a case beside their answers: comments that may call on somebody, questions and their answers,
and documents they add."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Case, CharField, Exists, F, OuterRef, TextField, Value, When
from django.db.models.functions import Cast
from django.utils.translation import gettext

from audit.ids import uuid7
from audit.log import database_now, person
from orchestrator.documents.store import DocumentRefused, store_document
from orchestrator.models import Document, RunDocument
from orchestrator.words import later as _

from . import blind
from .claiming import current_account, locked, refusals_recorded
from .errors import Conflict, Invalid, NotAllowed
from .models import Approval, Comment, Recallable, Review
from .notices import notify
from .opening import make_stale, told
from .permissions import sees, standing_of

MENTION = re.compile(r"(?<![\w.@])@([\w][\w.+-]*\w|\w)")
LONGEST = 4_000
MOST_DOCUMENTS = 50  # of one run
ROLE = "added"
SPOKEN = {"ask": _("asked"), "answer": _("answered"), "delegate": _("handed it over"), "escalate": _("escalated it")}
RECALLED = "recalled"
DID = SPOKEN | {RECALLED: _("said, and took back what was done with it")}


@dataclass(frozen=True, slots=True)
class Said:
    """One thing somebody said. `did` is empty for a plain comment."""

    by: str
    username: str
    text: str
    at: datetime
    did: str = ""


def said_about(review: Review, user: Any) -> list[Said]:
    """Everything said about the case, oldest first; without what must not be known yet. In one statement."""
    comments = Comment.objects.order_by().filter(task=review.task_id).values_list(*columns("author", Value("")))
    answers = Approval.objects.order_by().filter(review__task=review.task_id, verdict__in=SPOKEN).exclude(comment="")
    undone = Recallable.objects.filter(pk=OuterRef("pk"), recalled_at__isnull=False)
    verdict = Case(When(Exists(undone), then=Value(RECALLED)), default=F("verdict"))
    rows = comments.union(answers.values_list(*columns("reviewer", verdict, text="comment")), all=True)
    hidden = blind.kept_from(user, review)
    found = [
        Said(f"{first} {last}".strip() or name, name, text, at, DID.get(verdict, ""))
        for at, text, verdict, first, last, name, author, round_id in rows
        if author not in hidden or round_id != review.pk
    ]
    return sorted(found, key=lambda said: said.at)


def columns(who: str, verdict: Any, *, text: str = "text") -> list[Any]:
    names = [f"{who}__{part}" for part in ("first_name", "last_name", "username")]
    said = Cast(text, TextField()), Cast(verdict, CharField(max_length=12))
    return ["at", *said, *names, f"{who}_id", "review_id"]


def comment(*, review_id: UUID, actor: Any, text: str) -> Comment:
    """Says something about a case. Whoever is called on with @name must be one who may see it, and is told. NotAllowed,
    Invalid."""
    if not text.strip() or len(text) > LONGEST:
        raise Invalid(
            [("text", gettext("text: expected a comment of at most %(longest)s characters") % {"longest": LONGEST})]
        )
    with refusals_recorded(review_id, actor, "comment"):
        review, user = locked(review_id), current_account(actor)
        may_speak(user, review)
        called = mentioned(text, review)
        row = Comment.objects.create(
            id=uuid7(),
            task=review.task,
            review=review,
            author=user,
            text=text.strip(),
            mentions=[found.get_username() for found in called],
            at=database_now(),
        )
        told(review, "review.commented", person(user), comment=str(row.pk), text=row.text, mentions=row.mentions)
        for found in called:
            notify(found, "review.commented", review.task, user)
        return row


def can_speak(user: Any, review: Review) -> bool:
    try:
        may_speak(user, review)
    except NotAllowed:
        return False
    return True


def may_speak(user: Any, review: Review) -> None:
    """Who works on cases of the queue, was asked or handed this one, or started it; reading alone is not enough."""
    standing = standing_of(user, review)
    concerned = user.pk in (review.asked_id, review.delegated_to_id, review.run.started_by_id)
    if not standing.active or standing.agent or not (standing.decides or standing.reroutes or concerned):
        raise NotAllowed("queue", gettext("You may read this case, and not add to it."))


def mentioned(text: str, review: Review) -> list[Any]:
    """The people called on, each once; Invalid for a name nobody has and for those who may not see the case."""
    names = list(dict.fromkeys(MENTION.findall(text)))
    known = {user.get_username(): user for user in get_user_model().objects.filter(username__in=names, is_active=True)}
    missing = [name for name in names if name not in known]
    blocked = [
        name for name in names if name in known and not sees(known[name], standing_of(known[name], review), review)
    ]
    errors = [
        ("text", gettext("text: @%(name)s is nobody; expected the user name of a person") % {"name": name})
        for name in missing
    ]
    errors += [
        ("text", gettext("text: @%(name)s may not see this case, and would be told of it in vain") % {"name": name})
        for name in blocked
    ]
    if errors:
        raise Invalid(errors)
    return [known[name] for name in names]


def attach(*, review_id: UUID, actor: Any, data: bytes, name: str) -> Document:
    """Adds a document to the case: new evidence, so that the round ends and the next one opens with it; what people
    signed was about less. Drafts stay, and whoever holds the case holds it still. NotAllowed, Conflict, Invalid."""
    with refusals_recorded(review_id, actor, "attach"):
        may_attach(locked(review_id), current_account(actor))
    document = stored(data, name, actor)  # before the lock: malware stays on record though nothing is added
    with refusals_recorded(review_id, actor, "attach"):
        review, user = locked(review_id), current_account(actor)
        may_attach(review, user)
        RunDocument.objects.create(run=review.run, document=document, role=ROLE)
        about = {"document": str(document.pk), "sha256": document.sha256, "name": document.name}
        told(review, "review.attached", person(user), **about)
        added = [{"path": "/documents", "before": None, "after": document.name}]
        make_stale(review, added, now=database_now())
        return document


def may_attach(review: Review, user: Any) -> None:
    may_speak(user, review)
    if not review.is_live:
        raise Conflict(
            gettext("This case is %(status)s; nothing can be added to it.") % {"status": review.get_status_display()}
        )
    if RunDocument.objects.filter(run=review.run).count() >= MOST_DOCUMENTS:
        raise Invalid(
            [
                (
                    "file",
                    gettext("file: a case has at most %(most_documents)s documents")
                    % {"most_documents": MOST_DOCUMENTS},
                )
            ]
        )


def stored(data: bytes, name: str, user: Any) -> Document:
    """Through the store's own checks; Invalid says which one refused it."""
    try:
        document = store_document(data=data, name=name, actor=user)
    except DocumentRefused as refused:
        raise Invalid([("file", str(refused))]) from None
    if document.state == Document.State.QUARANTINED:
        raise Invalid(
            [
                (
                    "file",
                    gettext("file: %(document_name)s was refused: %(reason)s")
                    % {"document_name": document.name, "reason": document.reason},
                )
            ]
        )
    return document


def ask_to_reopen(*, review_id: UUID, actor: Any) -> Comment:
    """Asks whoever answered a case to take the answer back."""
    review = Review.objects.get(pk=review_id)
    last = review.approvals.select_related("reviewer").filter(verdict=review.answer.get("verdict", "")).last()
    if last is None:
        raise Conflict(gettext("Nobody's answer stands on this case."))
    return comment(
        review_id=review_id,
        actor=actor,
        text=f"@{last.reviewer.get_username()} would you look at this again? I had another answer.",
    )
