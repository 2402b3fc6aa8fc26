"""Judgements made while a case is decided, each with the packet it rests on."""

from datetime import datetime
from typing import Any

from audit.ids import uuid7
from audit.log import person
from audit.rows import insert_rows
from orchestrator.models import Decision

from .models import Review


def judge(review: Review, *, kind: Decision.ActorKind, actor: str, verdict: str, at: datetime, **more: Any) -> Decision:
    """Records who found what about the review's step, in this round of the run."""
    made = Decision(
        id=uuid7(),
        run=review.run,
        task=review.task,
        step=review.task.step,
        round=review.run.round,
        actor_kind=kind,
        actor=actor,
        verdict=verdict,
        based_on=review.packet_digest,
        made_at=at,
        **more,
    )
    insert_rows([made])
    return made


def judge_as(user: Any, review: Review, *, verdict: str, at: datetime, **more: Any) -> Decision:
    """A person's judgement."""
    label = person(user).label[:120]
    return judge(review, kind=Decision.ActorKind.PERSON, actor=label, person=user, verdict=verdict, at=at, **more)
