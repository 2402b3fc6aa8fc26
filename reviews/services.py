"""What people do with reviews: called alike by pages, API, admin, commands and tests.

Every act names its `actor`, checks that person as the database knows them now, and leaves its event in the same
transaction; a refused one leaves `decide.refused` in a transaction of its own. Errors: reviews/errors.py.
"""

from collections.abc import Collection
from typing import Any

from audit.log import database_now
from orchestrator.permissions import names_kept_from

from .asking import answer
from .claiming import ask_to_take_over, claim, hand_over, reassign, regroup, release, save_draft, sweep_overdue, view
from .deciding import Answer, decide, decide_from_outside, outcome_of
from .models import Queue
from .opening import open_review
from .presence import beat
from .revealing import reveal
from .reversing import ask_for_reversal
from .snoozing import snooze, wake
from .talk import ask_to_reopen, attach, comment
from .undoing import round_of, undo

__all__ = [
    "Answer",
    "answer",
    "ask_for_reversal",
    "ask_to_reopen",
    "ask_to_take_over",
    "attach",
    "beat",
    "claim",
    "comment",
    "decide",
    "decide_from_outside",
    "hand_over",
    "open_review",
    "outcome_of",
    "queue_names",
    "reassign",
    "regroup",
    "release",
    "reveal",
    "round_of",
    "save_draft",
    "snooze",
    "sweep_overdue",
    "sweep_reviews",
    "undo",
    "view",
    "wake",
]


def queue_names(*, kept_from: Any = None) -> Collection[str]:
    """The queues a definition may name (settings.QUEUE_NAMES), or those that this author may not."""
    rows = Queue.objects.order_by()
    if kept_from is not None:
        return names_kept_from(kept_from, rows, "use_queue")
    return list(rows.values_list("name", flat=True))


def sweep_reviews() -> int:
    """The sweeper's part (settings.SWEEPERS), by the database's clock."""
    now = database_now()
    return regroup(now=now) + sweep_overdue(now=now)
