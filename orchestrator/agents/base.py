"""How an agent is written: a typed function from what it needs to a result with confidence, grounds and evidence.

    @agent("invoices.match_order", version="1", sources=["purchase-orders"])
    def match_order(case: MatchInput, ctx: AgentContext) -> Result[MatchReport]: ...

`case` is validated from the run's data: each field of the input model is the output of the step with that name, or
the run's input under the field `input`. What is returned is validated again before anything downstream may start.
"""

import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from pydantic import BaseModel

T = TypeVar("T", bound=BaseModel)
REVERSED = "reversed"  # the `status` of a source's row that tells of what was taken back since


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """`confidence` is computed from what was seen, 0 to 1. `evidence` comes from ctx (reads) and quote()."""

    output: T
    confidence: float
    rationale: str = ""
    evidence: Sequence[dict[str, Any]] = ()
    cost: Decimal = Decimal(0)  # in the base currency, besides what was told to ctx.spend()
    tokens: int = 0


class Source(Protocol):
    """A data source as an agent sees it: every read is checked against its grants and logged as evidence."""

    def get(self, key: str) -> dict[str, Any] | None: ...

    def find(self, **fields: str) -> list[dict[str, Any]]: ...

    def all(self) -> list[dict[str, Any]]: ...


class OpenDocument(Protocol):
    """A document of the run."""

    id: UUID
    sha256: str
    name: str
    media_type: str

    def read(self) -> bytes: ...


class AgentContext(Protocol):
    """What an agent may use besides its input."""

    run_id: UUID
    step: str
    attempt: int
    objections: Sequence[str]  # what the validator said about the last try
    corrections: dict[str, Any]  # what people corrected, by JSON pointer into the case data

    def source(self, name: str) -> Source: ...

    def document(self, role: str) -> OpenDocument | None: ...

    def spend(self, *, cost: Decimal = ..., tokens: int = ..., calls: int = ...) -> None:
        """Says what was used, at once and before going on: a run that is over its budget stops here (BudgetSpent), and
        a try that is over its time."""


class AgentError(Exception):
    """Base of what an agent may raise on purpose; the message is shown to operators."""


class Transient(AgentError):
    """It may work later: the step is retried with backoff."""


class Permanent(AgentError):
    """It will not work by repeating: an operator has to look."""


class BudgetSpent(AgentError):
    """The run has used more than its workflow allows. Not for agents to raise: ctx does."""

    def __init__(self, beyond: str):
        super().__init__(f"budget: {beyond}")


class SourceRefused(AgentError):
    """The agent's account has no grant for the source."""

    def __init__(self, agent_name: str, source: str):
        super().__init__(f"sources: agent {agent_name} has no grant to read {source!r}")


def quote(document: OpenDocument, passage: BaseModel) -> dict[str, Any]:
    """Evidence: a passage of a document (documents.reading.Passage)."""
    return {"document": str(document.id), "sha256": document.sha256, **passage.model_dump(mode="json")}


@dataclass(frozen=True)
class Agent:
    """A registered agent. Schemas are JSON Schema, made from the annotations."""

    name: str
    version: str
    run: Callable[..., Result[Any]]
    input_model: type[BaseModel]
    output_model: type[BaseModel]
    sources: tuple[str, ...] = ()
    lane: str = "default"
    input_schema: dict[str, Any] = field(default_factory=dict)
    output_schema: dict[str, Any] = field(default_factory=dict)


def agent(
    name: str, *, version: str, sources: Sequence[str] = (), lane: str = "default"
) -> Callable[[Callable[..., Result[Any]]], Callable[..., Result[Any]]]:
    """Registers a typed function as an agent. `lane` names the workers that may run it (slow ones: "ocr")."""

    def register(function: Callable[..., Result[Any]]) -> Callable[..., Result[Any]]:
        from .registry import add

        input_model, output_model = _models(name, function)
        add(
            Agent(
                name,
                version,
                function,
                input_model,
                output_model,
                tuple(sources),
                lane,
                input_model.model_json_schema(),
                output_model.model_json_schema(),
            )
        )
        return function

    return register


def _models(name: str, function: Callable[..., Any]) -> tuple[type[BaseModel], type[BaseModel]]:
    hints = typing.get_type_hints(function)
    first = next(iter(inspect.signature(function).parameters))
    returned = typing.get_args(hints.get("return")) or (None,)
    input_model, output_model = hints.get(first), returned[0]
    for label, model in (("first parameter", input_model), ("result", output_model)):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise TypeError(f"agent {name}: its {label} must be annotated with a pydantic model, not {model!r}")
    return input_model, output_model
