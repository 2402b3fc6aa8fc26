"""The carried-forward context of a run: its input, what every step found, and what people corrected."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from . import statements
from .models import Decision, Task
from .statements import Slot


class PointerError(ValueError):
    """A JSON pointer (RFC 6901) that leads nowhere in the case."""

    def __init__(self, pointer: str, missing: str):
        super().__init__(f"corrections: {pointer!r} leads nowhere, {missing!r} does not exist in the case")


@dataclass(slots=True)
class Case:
    """The state of a run as its steps see it. `data` maps step → output, with corrections applied."""

    run_id: UUID
    input: Mapping[str, Any]
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    confidence: dict[str, float] = field(default_factory=dict)
    corrections: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)  # what stood at each corrected pointer

    def add(self, step: str, output: dict[str, Any], confidence: float | None) -> None:
        self.data[step] = output
        if confidence is not None:
            self.confidence[step] = confidence
        else:
            self.confidence.pop(step, None)

    def correct(self, corrections: Mapping[str, Any]) -> None:
        self.corrections.update(corrections)
        self._put({p: v for p, v in corrections.items() if _step_of(p) in self.data})

    def _put(self, corrections: Mapping[str, Any]) -> None:
        self.before |= {p: look_up(self.data, p) for p in corrections if p not in self.before}
        self.data = corrected(self.data, corrections)

    def reached(self, step: str) -> None:
        """A step has just given its output: corrections a person made to it earlier still hold."""
        mine = {p: v for p, v in self.corrections.items() if _step_of(p) == step and leads_somewhere(self.data, p)}
        if mine:
            self.before = {p: v for p, v in self.before.items() if p not in mine}
            self._put(mine)

    def copy(self) -> "Case":
        """One for each branch: a branch adds its own output and sees no sibling's."""
        more = (dict(self.confidence), dict(self.corrections), dict(self.before))
        return Case(self.run_id, self.input, dict(self.data), *more)

    def as_json(self) -> dict[str, Any]:
        return {"input": dict(self.input), **self.data}


def _step_of(pointer: str) -> str:
    return pointer.split("/")[1] if pointer.startswith("/") else ""


def _parts(pointer: str) -> list[str]:
    if not pointer.startswith("/"):
        raise PointerError(pointer, pointer)
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]


def look_up(data: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901); PointerError where it leads nowhere."""
    for part in _parts(pointer):
        data = _child(data, part, pointer)
    return data


def _child(data: Any, part: str, pointer: str) -> Any:
    if isinstance(data, Mapping) and part in data:
        return data[part]
    if isinstance(data, list) and part.isdecimal() and int(part) < len(data):
        return data[int(part)]
    raise PointerError(pointer, part)


def leads_somewhere(data: Any, pointer: str) -> bool:
    try:
        look_up(data, pointer)
    except PointerError:
        return False
    return True


def corrected(data: dict[str, Any], corrections: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `data` with each pointer's value replaced. Only existing places can be corrected."""
    if not corrections:
        return data
    data = copy.deepcopy(data)
    for pointer, value in corrections.items():
        *path, last = _parts(pointer)
        holder = data
        for part in path:
            holder = _child(holder, part, pointer)
        _child(holder, last, pointer)
        holder[int(last) if isinstance(holder, list) else last] = value
    return data


FOLDED = ("run_id", "step", "actor_kind", "verdict", "output", "confidence", "corrections", "id")


def load_cases(inputs: Mapping[UUID, Mapping[str, Any]]) -> dict[UUID, Case]:
    """The cases of many runs ({run id: input}) in one query: the fold of their decisions in order. What a step found
    before the run was sent back past it does not count until it has run again; what people said always does."""
    cases = {run_id: Case(run_id, given) for run_id, given in inputs.items()}
    fold(cases, (dict(zip(FOLDED, row, strict=True)) for row in statements.select(_decisions_of, cases.keys())))
    return cases


def _decisions_of(run_ids: Sequence[Slot]) -> QuerySet:
    stands = Q(task__status__in=Task.DONE) | Q(actor_kind=Decision.ActorKind.PERSON)
    rows = Decision.objects.filter(stands, run__pk__in=run_ids).exclude(actor_kind=Decision.ActorKind.POLICY)
    return rows.order_by("made_at", "id").values_list(*FOLDED)


def fold(cases: Mapping[UUID, Case], rows: Iterable[Mapping[str, Any]]) -> None:
    """A person's answer counts as the output of its step; one that was taken back leaves no trace in the data."""
    rows = list(rows)
    recalled = {row["output"].get("recalls") for row in rows if row["verdict"] == "recall"}
    for row in rows:
        case = cases[row["run_id"]]
        if row["verdict"] == "recall" or str(row["id"]) in recalled:
            continue
        if row["actor_kind"] != Decision.ActorKind.PERSON:
            case.add(row["step"], row["output"], row["confidence"])
            case.reached(row["step"])
        else:
            case.data[row["step"]] = row["output"]
        if row["corrections"]:
            case.correct(row["corrections"])
