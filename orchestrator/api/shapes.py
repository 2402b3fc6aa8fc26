"""What the API takes and gives. These shapes are the OpenAPI document, and every answer is held to them."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="ISO 8601, UTC.")]
Plain = dict[str, Any]


class Body(BaseModel):
    """What is sent. A field that is not known is refused: nobody may believe it had an effect."""

    model_config = ConfigDict(extra="forbid")


class FieldError(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """Why something was not done."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str
    errors: list[FieldError]


class DocumentShape(BaseModel):
    id: UUID
    sha256: str
    media_type: str
    pages: int
    name: str


class AttachedDocument(DocumentShape):
    role: str


class StartRun(Body):
    """`documents` fill the document fields of the workflow's input, in order; what is left over is attached."""

    workflow: str = Field(max_length=60)
    input: Plain = Field(default_factory=dict)
    subject: str = Field("", max_length=200)
    documents: list[UUID] = Field(default_factory=list, max_length=50)


class CancelRun(Body):
    reason: str = Field("", max_length=300)


class RunSummary(BaseModel):
    id: UUID
    workflow: str
    version: int
    status: str
    outcome: str
    subject: str
    started_by: str
    started_at: Moment
    ended_at: Moment | None
    deadline: Moment | None


class Amount(BaseModel):
    amount: str
    currency: str


class TaskShape(BaseModel):
    id: UUID
    step: str
    kind: str
    status: str
    round: int
    attempts: int
    agent: str | None
    confidence: float | None
    input: Any
    output: Any
    error: str
    started_at: Moment | None
    ended_at: Moment | None


class PolicyShape(BaseModel):
    name: str
    version: int
    rules: list[Plain]


class DecisionShape(BaseModel):
    id: UUID
    task: UUID
    step: str
    round: int
    actor: str
    actor_kind: str
    actor_version: str
    verdict: str
    confidence: float | None
    rationale: str
    evidence: list[Any]
    corrections: Plain
    policy: PolicyShape | None
    based_on: str
    at: Moment


class EffectShape(BaseModel):
    step: str
    kind: str
    key: str
    business_key: str
    state: str
    payload_digest: str
    ref: str
    authorised_at: Moment
    ended_at: Moment | None


class RunShape(RunSummary):
    """The run document."""

    input: Plain
    data: Plain
    cost: Amount
    documents: list[AttachedDocument]
    tasks: list[TaskShape]
    decisions: list[DecisionShape]
    reviews: list[Plain] = []
    effects: list[EffectShape]


class RunPage(BaseModel):
    items: list[RunSummary]
    next: str | None


class WorkflowShape(BaseModel):
    """`input` is a JSON Schema of what a run takes."""

    name: str
    title: str
    description: str
    version: int
    digest: str
    input: Plain
    may_start: bool


class WorkflowPage(BaseModel):
    items: list[WorkflowShape]
    next: str | None


class ActorShape(BaseModel):
    kind: str
    id: str
    label: str


class EntryShape(BaseModel):
    """One entry of the trail. `digest` is the SHA-256 of its canonical bytes."""

    id: UUID
    kind: str
    subject: tuple[str, str]
    actor: ActorShape
    at: Moment
    run: str
    workflow: str
    queue: str
    data: Any
    digest: str


class TrailPage(BaseModel):
    items: list[EntryShape]
    next: str | None


def refusals(*statuses: int) -> dict[Any, Any]:
    """The refusals a call may answer with, for its `response=`; a missing token is always one."""
    return {frozenset({401, *statuses}): Problem}
