"""What the policies asked a person to look at, and what people have answered already."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from orchestrator.digests import digest
from orchestrator.models import Decision, Run, Task
from orchestrator.pinned import Pinned, definition_of
from orchestrator.policies.evaluate import Rule
from orchestrator.policies.gate import ASKS_A_PERSON

from .models import Review
from .rows import RunRows, rows_of

OTHERWISE = "otherwise"
ASKING = ASKS_A_PERSON | {"reject"}  # a rejection that fires on corrected values is put before people as well


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule that asked for a person. `level`: a group that must sign as well; `target`: queue:NAME."""

    rule: str
    route: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    condition: str = ""
    policy: str = ""
    number: str = ""
    level: str = ""
    target: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The same rule with the same values needs to be answered once."""
        return self.rule, digest(self.values)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def unanswered(run: Run, rows: RunRows | None = None) -> list[Reason]:
    """What still waits for a person's answer, in the order the rules fired; a rule that fired again with other values
    stands once, with the newest. `rows`: as rows_of() reads them, where the caller has done so."""
    rows = rows or rows_of(run)
    current = current_decisions(rows.decisions)
    rules = {rule.name: rule for rule in policies.rules} if (policies := Pinned.of(run).policies) else {}
    asked: dict[str, Reason] = {}
    for decision in current:
        if decision.actor_kind == Decision.ActorKind.POLICY:
            asked |= {reason.rule: reason for reason in reasons_of(decision, rules)}
    answered = answers(run, current, rows.approved)
    return [reason for reason in asked.values() if reason.key not in answered]


def current_decisions(rows: Sequence[Decision]) -> list[Decision]:
    """The newest decision of each kind of actor for every step that is done: what a step that runs again had said
    before no longer counts. For a review step, the policies' look at the values people corrected."""
    recalled = {row.output.get("recalls") for row in rows if row.verdict == "recall"}
    standing = [row for row in rows if row.verdict != "recall" and recalled.isdisjoint((str(row.pk), _after(row)))]
    newest = {(row.step, row.actor_kind): row for row in standing}
    return [row for row in newest.values() if _is_current(row, newest)]


def _after(row: Decision) -> str:
    """The answer whose corrections were looked at."""
    return row.output.get("after") or ""


def _is_current(row: Decision, newest: Mapping[tuple[str, str], Decision]) -> bool:
    if row.task.kind != "review":
        return row.task.status in Task.DONE
    answer = newest.get((row.step, Decision.ActorKind.PERSON))
    return row.actor_kind == Decision.ActorKind.POLICY and answer is not None and _after(row) == str(answer.pk)


def reasons_of(decision: Decision, rules: Mapping[str, Rule]) -> list[Reason]:
    """The rules of one evaluation that ask for a person; its `otherwise` row counts as one."""
    found, trace = decision.trace, decision.trace.get("trace", [])
    reasons = [_reason(decision, rule, rules.get(rule["name"])) for rule in trace if asks(rule)]
    if found.get("by_otherwise") and found.get("route") in ASKING:
        words = f"No rule of {decision.actor} covers this case."
        reasons.append(
            Reason(
                OTHERWISE, found["route"], words, {"step": decision.step}, "", decision.actor, decision.actor_version
            )
        )
    return reasons


def asks(rule: Mapping[str, Any]) -> bool:
    """Whether this line of a trace asks for a person. A rule that could not be judged does."""
    return rule["state"] == "error" or (rule["state"] == "fired" and rule["route"] in ASKING)


def _reason(decision: Decision, traced: Mapping[str, Any], rule: Rule | None) -> Reason:
    return Reason(
        rule=traced["name"],
        route=traced["route"] if traced["state"] == "fired" else "review",
        text=traced["reason"],
        values=traced["values"],
        condition=traced["condition"],
        policy=decision.actor,
        number=decision.actor_version,
        level=rule.level if rule else "",
        target=rule.target if rule else "",
    )


def answers(run: Run, current: Iterable[Decision], approved: Iterable[Review]) -> set[tuple[str, str]]:
    """Rules with their values that an approval answers. It answers for what it was shown: once a step has run again
    since, it says nothing about the new result."""
    valid, steps = {str(row.pk) for row in current}, definition_of(run.version_id).steps
    found: set[tuple[str, str]] = set()
    for review in approved:
        machine = [row for row in review.packet["decisions"] if row["actor_kind"] in ("agent", "system")]
        shown = {row["step"]: row["id"] for row in machine if steps[row["step"]].kind != "review"}
        if valid.issuperset(shown.values()):
            found |= {(reason["rule"], digest(reason["values"])) for reason in review.reasons}
    return found
