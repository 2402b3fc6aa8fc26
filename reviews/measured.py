"""How often what agents read, and what rules stopped, turned out to hold: counted from people's final answers.

A value that an approval left as it was read held; one that a reviewer replaced did not. A value another step
disputed (an order, the vendor's record) says nothing about how well it was read, and is not counted. A rule held
where people changed something or refused. Each answer is counted once, when it can no longer be taken back.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Prefetch, Sum

from audit.log import database_now
from orchestrator.models import Decision
from orchestrator.policies.gate import SAMPLE

from .models import Approval, Measured, Review
from .questions import same

BATCH = 100  # answers counted in one pass of the sweeper
ENOUGH = 50  # with fewer, a frequency would say more about chance than about the reader
TENTHS = 10
KEPT = 60  # seconds
Z = 1.96  # 95 % of a normal distribution lie within
STANDS = (Review.Status.APPROVED, Review.Status.REJECTED)

Key = tuple[str, str, str, str, int]  # workflow, kind, actor, name, tenth


@dataclass(frozen=True, slots=True)
class Frequency:
    """`held` of `seen` past cases."""

    held: int
    seen: int

    @property
    def enough(self) -> bool:
        return self.seen >= ENOUGH

    @property
    def of_hundred(self) -> int:
        """Rounded down, so that 100 of 100 means every time."""
        return self.held * 100 // self.seen if self.seen else 0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.held, self.seen)


def wilson(held: int, seen: int) -> tuple[float, float]:
    """Within which the true share lies with 95 % confidence (Wilson's score interval); all of 0 to 1 for no cases."""
    if not seen:
        return 0.0, 1.0
    share, spread = held / seen, Z * Z / seen
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / seen + spread / seen / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def tenth_of(confidence: Any) -> int:
    """0 to 9: in which tenth a score lies; a missing score in the last."""
    return min(TENTHS - 1, int(Decimal(str(confidence or 1)) * TENTHS))


@transaction.atomic
def sweep() -> int:
    """Counts the answers that have become final (settings.SWEEPERS); returns how many."""
    now = database_now()
    due = Review.objects.filter(undo_until__lte=now, measured_at=None).order_by("undo_until")
    rows = list(due.select_for_update(skip_locked=True, of=("self",), no_key=True)[:BATCH])
    return count(rows, now=now)


def count(reviews: Iterable[Review], *, now: datetime) -> int:
    """Counts these answers, each once: whoever marks one first counts it."""
    ours = [row for row in reviews if Review.objects.filter(pk=row.pk, measured_at=None).update(measured_at=now)]
    totals: dict[Key, Counter[str]] = {}
    for review in with_rounds(row.pk for row in ours if row.status in STANDS):
        sampled = any(reason["rule"] == SAMPLE for reason in review.reasons)
        for key, held in outcomes(review):
            found = Counter(seen=1, held=int(held), sampled_seen=int(sampled), sampled_held=int(sampled and held))
            totals.setdefault(key, Counter()).update(found)
    for key in sorted(totals):
        add(key, totals[key])
    return len(ours)


def with_rounds(keys: Iterable[Any]) -> list[Review]:
    """These reviews with all rounds of their cases, whose corrections count as well."""
    rounds = Review.objects.exclude(status=Review.Status.RECALLED).prefetch_related(
        Prefetch("approvals", Approval.objects.order_by("at", "id"))
    )
    rows = Review.objects.filter(pk__in=list(keys)).order_by("pk")
    people = Decision.objects.filter(actor_kind=Decision.ActorKind.PERSON)
    return list(rows.prefetch_related(Prefetch("task__reviews", rounds), Prefetch("task__decisions", people)))


def add(key: Key, counted: Mapping[str, int]) -> None:
    workflow, kind, actor, name, tenth = key
    row, _ = Measured.objects.get_or_create(workflow=workflow, kind=kind, actor=actor, name=name, tenth=tenth)
    Measured.objects.filter(pk=row.pk).update(**{part: F(part) + number for part, number in counted.items()})


def outcomes(review: Review) -> list[tuple[Key, bool]]:
    """What a final answer says about each field that was read and each rule that asked."""
    workflow, replaced = review.packet["case"]["workflow"], replacements(review)
    changed = bool(replaced) or review.status == Review.Status.REJECTED
    rules = {(reason["policy"], reason["rule"]) for reason in review.reasons if reason["rule"] != SAMPLE}
    found: list[tuple[Key, bool]] = [
        ((workflow, Measured.Kind.RULE, actor, name, 0), changed) for actor, name in sorted(rules)
    ]
    if review.status != Review.Status.APPROVED or counted_before(review):
        return found  # whoever refuses a case says nothing about the values that were read
    readers = {row["step"]: row["actor"] for row in review.packet["decisions"] if row["actor_kind"] == "agent"}
    for item in judged(review.packet):
        if item["step"] in readers:
            key = (workflow, Measured.Kind.FIELD, readers[item["step"]], item["name"], tenth_of(item["confidence"]))
            found.append((key, item["pointer"] not in replaced))
    return found


def counted_before(review: Review) -> bool:
    """Another answer to this case was counted: nobody looked at its values twice for the first time."""
    others = (row for row in review.task.reviews.all() if row.pk != review.pk)
    return any(row.measured_at and row.status == Review.Status.APPROVED for row in others)


def judged(packet: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The values that were read and that no other step disputed."""
    disputed = {(item["pointer"], item["step"]) for item in packet["differences"] if item["pointer"]}

    def apart(item: Mapping[str, Any]) -> bool:
        return not any(pointer == item["pointer"] and step != item["step"] for pointer, step in disputed)

    values = [item for item in [*packet["values"], *cells_of(packet)] if item["pointer"]]
    return [item for item in values if item["value"] not in (None, "") and apart(item)]


def cells_of(packet: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The values in lines, each named by its column: `lines.quantity`."""
    return [
        {**cell, "name": f"lines.{name}", "step": line["step"]}
        for line in packet["lines"]
        for name, cell in line.items()
        if isinstance(cell, Mapping)
    ]


def replacements(review: Review) -> set[str]:
    """JSON pointers whose value people replaced by another, in any round of the case that was not taken back. A round
    that went on with what was corrected shows the new value: there the decision tells the old one."""
    found: set[str] = set()
    for row in review.task.reviews.all():
        read = {item["pointer"]: item["value"] for item in [*row.packet["values"], *cells_of(row.packet)]}
        for vote in row.approvals.all():
            found |= {p for p, new in vote.corrections.items() if p not in read or same(new) != same(read[p])}
    decisions = review.task.decisions.all()
    recalled = {row.output.get("recalls") for row in decisions}
    stands = [row.output for row in decisions if str(row.pk) not in recalled]
    changes = (change for output in stands for change in output.get("corrected", ()))
    return found | {change["pointer"] for change in changes if same(change["old"]) != same(change["new"])}


Frequencies = Mapping[tuple[str, str, str], Mapping[int | None, Frequency]]


def frequencies(workflow: str) -> Frequencies:
    """{(kind, actor, name): {None: overall, tenth: of that tenth}}, read at most once a minute in each process: they
    change slowly, and every page of a case shows some."""
    found: Frequencies | None = cache.get(key := f"measured:{workflow}")
    if found is None:
        found = read_frequencies(workflow)
        cache.set(key, found, KEPT)
    return found


def read_frequencies(workflow: str) -> Frequencies:
    rows = Measured.objects.filter(workflow=workflow).values_list("kind", "actor", "name", "tenth", "held", "seen")
    found: dict[tuple[str, str, str], dict[int | None, Frequency]] = {}
    for kind, actor, name, tenth, held, seen in rows:
        parts = found.setdefault((kind, actor, name), {})
        parts[tenth], before = Frequency(held, seen), parts.get(None, Frequency(0, 0))
        parts[None] = Frequency(before.held + held, before.seen + seen)
    return found


def calibration(workflows: Collection[str]) -> list[dict[str, Any]]:
    """Per agent, field and tenth of the score: how often it held, with its interval. For insights."""
    rows = Measured.objects.filter(kind=Measured.Kind.FIELD, workflow__in=workflows)
    sums = rows.values("actor", "name", "tenth").annotate(held_=Sum("held"), seen_=Sum("seen"))
    return [
        {
            "agent": row["actor"],
            "field": row["name"],
            "tenth": row["tenth"],
            "frequency": Frequency(row["held_"], row["seen_"]),
        }
        for row in sums.order_by("actor", "name", "tenth")
    ]
