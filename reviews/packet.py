"""The case packet: everything a person decides by, and its digest. Made from the database alone, so that at the moment
of the decision it can be made again and compared.

Made generically from what the steps handed on: any step's `discrepancies`, `checks` and `reading`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop as _

from audit.canonical import iso_utc
from audit.models import Event
from orchestrator import effects, taking_back
from orchestrator.case import FOLDED, Case, fold
from orchestrator.definitions import Definition, Step, render
from orchestrator.digests import digest
from orchestrator.models import Decision, Run, RunDocument, Task
from orchestrator.pinned import definition_of
from orchestrator.policies.gate import newest_rates
from orchestrator.policies.money import convert

from .findings import differences, first_value, label, lines, values
from .lookalikes import visible
from .models import Approval
from .policies import APPROVE, ASK, ESCALATE, REJECT, REROUTE, SIGNED
from .remembered import Reason, unanswered
from .rows import RunRows, rows_of

FORMAT = 2  # raised when a packet comes to hold something it did not
NUMBER_FIELDS = ("invoice_number", "receipt_number", "number", "reference")
STRICTEST = (REJECT, ESCALATE, REROUTE, ASK, APPROVE)  # of several recommendations the first of these stands
GO_ON = _("May this case go on ({title})?")
VENDOR_FIELDS = ("vendor_name", "vendor", "seller.name", "shop", "company")


@dataclass(frozen=True, slots=True)
class Built:
    """A packet and what it was made from. `exposure` in minor units of BASE_CURRENCY."""

    packet: dict[str, Any]
    digest: str
    case: Case
    proposals: Sequence[effects.Proposed]
    reasons: Sequence[Reason]
    rows: RunRows

    @property
    def exposure(self) -> int | None:
        return self.packet["amount"]["base"] if self.packet["amount"] else None

    @property
    def early(self) -> bool:
        return self.packet["case"]["early"]


def build_packet(
    run: Run,
    task: Task,
    *,
    round_: int,
    level: int = 0,
    votes: Sequence[Approval] = (),
    answers: Sequence[Approval] = (),
    reasons: Sequence[Reason] = (),
    rows: RunRows | None = None,
) -> Built:
    """The case as it stands. `votes` are the approvals of this round so far: their corrections hold, and those of
    levels before `level` are shown. `answers` are shown and change nothing: they differ from each other. `reasons`: as
    unanswered() would say, `rows`: as rows_of() reads them, where the caller has done so in this transaction."""
    definition = definition_of(run.version_id)
    step = definition.steps[task.step]
    rows = rows or rows_of(run)
    decisions, tasks = rows.decisions, rows.tasks
    early = not {row.step for row in tasks if row.status in Task.DONE}.issuperset(step.needs)
    case = case_of(run, decisions)
    if corrections := merged_corrections(votes):
        case.correct(corrections)
    reasons = reasons or unanswered(run, rows)
    proposals = effects.propose(run, case, step.name)
    packet = {
        "format": FORMAT,
        "case": about(run, task, definition, round_) | {"early": early},
        **headline(definition, step, case, proposals, done=not early, other=taking_back.question_of(run)),
        "reasons": [reason.as_json() for reason in reasons],
        **rules_of(decisions),
        "differences": differences(case),
        "said": said(definition, run.input),
        "values": values(case),
        "lines": lines(case),
        "checks": [check for output in case.data.values() for check in listed(output, "checks")],
        "documents": documents(rows.documents, case),
        "sources": [source for decision in decisions for source in sources_of(decision)],
        "refused": refused(rows.refused),
        "machine_ms": machine_time(tasks),
        "decisions": [decided(decision) for decision in decisions],
        "approvals": [signed(vote) for vote in [*(vote for vote in votes if vote.level < level), *answers]],
        "recommendation": recommended(case),
        "effects": [proposed(item) for item in proposals],
        "policy": policy_of(run),
        "data_digest": digest(case.as_json()),
    }
    packet = without_floats(packet)
    return Built(packet, digest(packet), case, proposals, reasons, rows)


def merged_corrections(votes: Iterable[Approval]) -> dict[str, Any]:
    """What the approvers corrected, the later over the earlier."""
    merged: dict[str, Any] = {}
    for vote in votes:
        merged |= vote.corrections
    return merged


def case_of(run: Run, decisions: Iterable[Decision]) -> Case:
    """As load_cases() makes it, of decisions that have been read."""
    case = Case(run.pk, run.input)
    standing = (row for row in decisions if row.task.status in Task.DONE or row.actor_kind == Decision.ActorKind.PERSON)
    judged = (row for row in standing if row.actor_kind != Decision.ActorKind.POLICY)
    fold({run.pk: case}, [{name: getattr(row, name) for name in FOLDED} for row in judged])
    return case


def machine_time(tasks: Iterable[Task]) -> int:
    """Milliseconds that steps without people took."""
    took = [row.ended_at - row.started_at for row in tasks if row.kind != "review" and row.ended_at and row.started_at]
    return round(sum((part.total_seconds() for part in took), 0.0) * 1000)


def refused(events: Iterable[Event]) -> list[dict[str, str]]:
    return [{"source": event.subject_id, "agent": event.actor_label, "at": iso_utc(event.at)} for event in events]


def about(run: Run, task: Task, definition: Definition, round_: int) -> dict[str, Any]:
    return {
        "task": str(task.pk),
        "run": str(run.pk),
        "workflow": definition.name,
        "workflow_title": definition.title,
        "version": run.version.number,
        "round": round_,
        "step": task.step,
    }


def headline(
    definition: Definition, step: Step, case: Case, proposals: Sequence[effects.Proposed], *, done: bool, other: str
) -> dict[str, Any]:
    """What the case is called, what is asked, and how much is at stake: from what would be done outside. `other`: what
    is asked where nothing would."""
    first = proposals[0] if proposals else None
    payload = first.payload if first else {}
    subject = render(definition.subject, case.as_json()) if definition.subject else None
    question = first.question if first and done else other or GO_ON.format(title=definition.title)
    return {
        "title": visible(subject or (first.title if first else step.title))[:200],
        "question": visible(question),
        "number": visible(str(first_value(payload, case, NUMBER_FIELDS)))[:120],
        "vendor": visible(str(first_value(payload, case, VENDOR_FIELDS)))[:200],
        "amount": amount_of(payload),
    }


def amount_of(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    """{"amount", "currency", "base"}: base is None where no rate is known or the amount is not one."""
    amount, currency = payload.get("amount"), payload.get("currency") or settings.BASE_CURRENCY
    if amount is None:
        return None
    rates = newest_rates() if currency != settings.BASE_CURRENCY else {}
    try:
        base = convert(amount, currency, rates, settings.BASE_CURRENCY)
    except ValueError:
        base = None
    return {"amount": amount, "currency": currency, "base": base}


def said(definition: Definition, given: Mapping[str, Any]) -> list[dict[str, str]]:
    """What whoever started the run said besides its documents: [{"label", "value"}]."""
    fields = definition.input.get("properties", {})
    words = [name for name in given if fields.get(name, {}).get("format") not in ("document", "decision")]
    return [{"label": label(name), "value": in_words(given[name])} for name in words]


def in_words(value: Any) -> str:
    """A value of the input as text: an amount with its currency, anything else as it stands."""
    if isinstance(value, Mapping):
        return " ".join(str(part) for part in value.values())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def rules_of(decisions: Iterable[Decision]) -> dict[str, Any]:
    """The newest evaluation: every rule with its values, and what nearly fired."""
    traces = [row.trace for row in decisions if row.actor_kind == Decision.ActorKind.POLICY]
    rules = traces[-1].get("trace", []) if traces else []
    near = [{"rule": rule["name"], "text": rule["near"]["text"]} for rule in rules if rule.get("near")]
    return {"near": near, "change": traces[-1].get("change", "") if traces else "", "rules": rules}


def recommended(case: Case) -> dict[str, Any] | None:
    """What the machine side would answer: the strictest of what steps recommend. That nothing is wrong is no view on a
    case where something differs."""
    found = [
        {"step": step, **output["recommendation"]} for step, output in case.data.items() if output.get("recommendation")
    ]
    stops = any(item["severity"] == "stop" for item in differences(case))
    found = [item for item in found if not (stops and item["verdict"] == APPROVE)]
    return min(found, key=lambda item: STRICTEST.index(item["verdict"]), default=None)


def listed(output: Mapping[str, Any], name: str) -> list[Any]:
    found = output.get(name)
    return found if isinstance(found, list) else []


def documents(rows: Iterable[RunDocument], case: Case) -> list[dict[str, Any]]:
    """The run's documents; `refusal` is why a step could not read one."""
    refusals = {output.get("document"): output.get("refusal") for output in case.data.values()}
    return [
        {
            "id": str(row.document.pk),
            "sha256": row.document.sha256,
            "name": row.document.name,
            "media_type": row.document.media_type,
            "role": row.role,
            "pages": row.document.pages,
            "state": row.document.state,
            "size": row.document.size,
            "refusal": str(refusals.get(str(row.document.pk)) or ""),
        }
        for row in rows
    ]


def sources_of(decision: Decision) -> list[dict[str, Any]]:
    """What an agent read to come to its judgement."""
    reads = [item for item in decision.evidence if "source" in item]
    parts = ("source", "query", "rows", "digest")
    place = {"agent": decision.actor, "step": decision.step, "at": iso_utc(decision.made_at)}
    return [{**{p: item.get(p) for p in parts}, **place} for item in reads]


def decided(decision: Decision) -> dict[str, Any]:
    """A judgement as it is shown: with what it quoted, cost, corrected (old and new), and which one it took back."""
    quoted = ("document", "page", "line", "box", "quote")
    quotes = [{part: item.get(part) for part in quoted} for item in decision.evidence if item.get("quote")]
    output = decision.output if isinstance(decision.output, Mapping) else {}
    by_person = decision.actor_kind == Decision.ActorKind.PERSON
    return {
        "id": str(decision.pk),
        "step": decision.step,
        "actor_kind": decision.actor_kind,
        "actor": decision.actor,
        "verdict": decision.verdict,
        "confidence": None if decision.confidence is None else f"{decision.confidence:.2f}",
        "rationale": decision.rationale,
        "quotes": quotes,
        "fired": list(decision.trace.get("fired", ())),
        "cost": str(decision.cost),
        "corrected": list(output.get("corrected", ())) if by_person else [],
        "reason": output.get("reason", "") if by_person else "",
        "recalls": output.get("recalls", "") if by_person else "",
        "at": iso_utc(decision.made_at),
    }


def signed(vote: Approval) -> dict[str, Any]:
    return {
        "level": vote.level,
        "reviewer": name_of(vote.reviewer),
        "verdict": vote.verdict,
        "reason": vote.reason,
        "target": vote.target,
        "comment": vote.comment,
        "corrections": vote.corrections,
        "at": iso_utc(vote.at),
    }


def name_of(user: Any) -> str:
    return user.get_full_name() or user.get_username()


def proposed(item: effects.Proposed) -> dict[str, Any]:
    parts = ("step", "kind", "title", "business_key", "payload", "payload_digest", "problem")
    return {part: getattr(item, part) for part in parts}


def policy_of(run: Run) -> dict[str, Any]:
    version = run.policy_version
    if version is None:
        return {"name": "", "number": 0, "digest": ""}
    return {"name": version.policy.name, "number": version.number, "digest": version.digest}


def without_floats(value: Any) -> Any:
    """Floats as decimal text: what is signed must not depend on how a reader prints binary fractions."""
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    if isinstance(value, Mapping):
        return {str(key): without_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_floats(item) for item in value]
    return value


def approvals_of(review_id: Any) -> list[Approval]:
    """The approvals of one round, oldest first."""
    return [vote for vote in answers_of(review_id) if vote.verdict == APPROVE]


def answers_of(review_id: Any) -> list[Approval]:
    """Approvals, rejections and what was sent elsewhere in one round, oldest first."""
    rows = Approval.objects.filter(review_id=review_id, verdict__in=SIGNED).select_related("reviewer")
    return list(rows.order_by("at", "id"))


def still_holds(shown: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a packet of an earlier version says the same as one of this version, as far as it says anything: what an
    upgrade adds to packets makes nothing stale that people have before them."""
    return shown.get("format", 1) < FORMAT and _holds({**shown, "format": FORMAT}, now)


def _holds(shown: Any, now: Any) -> bool:
    if isinstance(shown, Mapping) and isinstance(now, Mapping):
        return all(key in now and _holds(value, now[key]) for key, value in shown.items())
    if isinstance(shown, list) and isinstance(now, list):
        return len(shown) == len(now) and all(map(_holds, shown, now))
    return bool(shown == now)


def difference(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> list[dict[str, Any]]:
    """Where two packets differ: [{"path", "before", "after"}], by JSON pointer, at most 50."""
    found: list[dict[str, Any]] = []
    _compare(before, after, path, found)
    return found[:50]


def _compare(before: Any, after: Any, path: str, found: list[dict[str, Any]]) -> None:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            _compare(before.get(key), after.get(key), f"{path}/{key}", found)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            _compare(old, new, f"{path}/{index}", found)
    elif before != after:
        found.append({"path": path or "/", "before": before, "after": after})
