"""What agents hand on about differences between sources. The case page is made from these, whatever the flow."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from orchestrator.documents.reading import Check, Passage

MAX_FINDING = 300  # characters


class Option(BaseModel):
    """One of the values a reviewer may believe, and who says so."""

    model_config = ConfigDict(extra="forbid")

    value: str | None
    source: str  # words for a person: "invoice", "order 4500129377"


class Recommendation(BaseModel):
    """What an agent would answer in the place of the person who is asked. A step may give one as `recommendation`; when
    people see it, the review policy says."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["approve", "reject", "reroute", "ask", "escalate"]
    why: str  # one sentence for a person


class Discrepancy(BaseModel):
    """Two sources disagree, or something expected is missing. A step lists its own under `discrepancies`."""

    model_config = ConfigDict(extra="forbid")

    kind: str  # closed vocabulary of the agent: "price_over", "bank_account_changed"
    severity: Literal["stop", "note"]
    title: str  # "Unit price, line 0020"
    message: str  # what differs, with both values, units and the limit
    line: str | None = None  # the document's own line id
    pointer: str | None = None  # RFC 6901 pointer into the case data that a correction would replace
    options: list[Option] = []
    passages: list[Passage] = []  # where it stands in `document`, besides the value that `pointer` leads to
    document: str | None = None
    earlier: str | None = None  # another case that this is about: its run, or the key of what it did outside


class Compared(BaseModel):
    """What an agent found to differ. `stops` counts what puts the case before a person, `finding` says it in the words
    of a rule's reason."""

    model_config = ConfigDict(extra="forbid")

    discrepancies: list[Discrepancy] = []
    stops: int = 0
    finding: str = ""


def stopping(found: Sequence[Discrepancy | Check]) -> dict[str, Any]:
    """`stops` and `finding` of a report: the first that stops in words, and how many more there are."""
    stops = [item for item in found if item.severity == "stop"]
    words = _in_words(stops[0]) if stops else ""
    return {"stops": len(stops), "finding": f"{words} And {len(stops) - 1} more." if len(stops) > 1 else words}


def _in_words(item: Discrepancy | Check) -> str:
    words = f"{item.title}: {item.message}" if isinstance(item, Discrepancy) else item.message
    return words if len(words) <= MAX_FINDING else f"{words[:MAX_FINDING]} …"
