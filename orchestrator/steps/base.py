"""What the engine hands to a step handler, and how it finds the handler."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from audit.log import Actor, Entry
from orchestrator.agents.base import BudgetSpent
from orchestrator.case import Case
from orchestrator.definition_model import SLOW
from orchestrator.definitions import LANES, Definition, Step
from orchestrator.pinned import Pinned
from orchestrator.policies.evaluate import Evaluation
from orchestrator.spending import Spent

from .outcomes import Outcome, Retry


@dataclass(slots=True)
class Work:
    """A task this worker holds. The fence proves it when the result is recorded."""

    task_id: UUID
    pinned: Pinned
    step: Step
    fence: int
    attempt: int
    case: Case
    entries: list[Entry] = field(default_factory=list)  # what the trail must know, whatever the outcome
    evaluation: Evaluation | None = None
    objections: Sequence[str] = ()
    spent: Spent = field(default_factory=Spent)  # by this attempt, whatever its outcome

    @property
    def run_id(self) -> UUID:
        return self.pinned.run_id

    @property
    def definition(self) -> Definition:
        return self.pinned.definition

    def spend(self, used: Spent) -> None:
        """BudgetSpent as soon as the run has used more than its workflow allows."""
        self.spent.add(used)
        if self.definition.budget:
            so_far = Spent.from_json(self.pinned.spent)
            so_far.add(self.spent)
            if beyond := so_far.over(self.definition.budget):
                raise BudgetSpent(beyond)

    def note(self, kind: str, subject: tuple[str, str], actor: Actor, **data: object) -> None:
        """Puts an event aside for the recording transaction."""
        self.entries.append(Entry(kind, subject, actor, str(self.run_id), self.definition.name, "", data))


class StepHandler:
    """One kind of step. `automated` kinds are followed by an evaluation of the policies."""

    automated = True

    def lane(self, step: Step) -> str:
        """Which workers may claim it; slow steps have a lane of their own."""
        return SLOW if step.is_slow and step.lane == LANES[0] else step.lane

    def execute(self, work: Work) -> Outcome:
        """Runs outside any transaction, once per attempt."""
        raise NotImplementedError

    def too_late(self, work: Work, reason: str) -> Outcome:
        """The try has taken longer than its timeout, and its function has not come back."""
        return Retry(reason)

    def cancelled(self, task_ids: Collection[UUID], now: datetime) -> None:
        """The run no longer needs these tasks: what hangs on them is withdrawn. Runs under the run's lock."""


@cache
def get_handler(kind: str) -> StepHandler:
    """The handler of a kind, by dotted path from settings.STEP_HANDLERS."""
    return import_string(settings.STEP_HANDLERS[kind])()
