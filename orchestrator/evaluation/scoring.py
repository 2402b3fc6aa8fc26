"""What a played case counts as, and the sums over all of them."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .playing import AUTO, HUMAN, REFUSE, Played
from .truth import flat, same

RIGHT, SHOWN, SILENT, REFUSED = "right", "shown", "silent", "refused"
WRONG, MISSING = "wrong", "missing"
ALIKE = 0.9  # names from here on are the same
NUMBERED = re.compile(r"\.\d+(?=\.|$)")


@dataclass(slots=True)
class Verdict:
    """One line of the output."""

    id: str
    result: str
    route: str
    scenario: str
    fields: dict[str, Any] = field(default_factory=dict)
    judged: dict[str, str] = field(default_factory=dict)  # dotted name → right, wrong, missing
    discrepancies: list[dict[str, Any]] = field(default_factory=list)
    expected: int = 0  # differences the truth names
    found: int = 0  # of these, how many were found
    reasons: list[str] = field(default_factory=list)
    peak_rss_mb: int = 0
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        differences = [{name: found.get(name) for name in ("kind", "line", "severity")} for found in self.discrepancies]
        return {
            "id": self.id,
            "result": self.result,
            "route": self.route,
            "fields": self.fields,
            "discrepancies": differences,
            "spans": [],
            "reasons": self.reasons,
            "peak_rss_mb": self.peak_rss_mb,
            "seconds": self.seconds,
        }


def extracted(played: Played) -> dict[str, Any]:
    """Every value that was read, by dotted name."""
    fields = {name: found["value"] for name, found in played.reading.get("fields", {}).items()}
    for position, line in enumerate(played.reading.get("lines", [])):
        fields |= {f"lines.{position}.{name}": found["value"] for name, found in line.items()}
    return {name: value for name, value in fields.items() if value is not None}


GROUPED = ("iban", "vat_id")  # written with spaces or without, and the same number either way


def general(name: str) -> str:
    """ "lines.3.quantity" → "lines[].quantity"."""
    return NUMBERED.sub("[]", name)


def judge_fields(truth: Mapping[str, Any], found: Mapping[str, Any], skip: Collection[str] = ()) -> dict[str, str]:
    """Every scored field as right, wrong or missing; a value where the truth has none is wrong, a surplus line too."""
    wanted = {name: value for name, value in flat(truth) if general(name) not in skip and name not in skip}
    judged = {}
    for name, value in wanted.items():
        absent = value is not None and found.get(name) is None
        spaced = name.rpartition(".")[2] in GROUPED
        judged[name] = RIGHT if same(value, found.get(name), spaced=spaced) else MISSING if absent else WRONG
    if "lines" in truth:
        lines = {name.split(".")[1] for name in found if name.startswith("lines.")}
        judged |= {f"lines.{number}": WRONG for number in lines if int(number) >= len(truth["lines"])}
    return judged


def judge_name(truth: str, found: str | None) -> str:
    """A name that differs from the true one by at most a tenth of its letters and digits is right."""
    if not found:
        return MISSING
    wanted, given = (re.sub(r"[\W_]+", "", name).upper() for name in (truth, found))
    return RIGHT if edit_similarity(wanted, given) >= ALIKE else WRONG


def edit_similarity(left: str, right: str) -> float:
    """1 less the edit distance as a share of the longer text."""
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, start=1):
        before, row[0] = row[:], i
        for j, other in enumerate(right, start=1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one != other))
    return 1 - row[-1] / max(len(left), len(right), 1)


def result_of(route: str, *, correct: bool, person_asked: bool) -> str:
    """`correct`: all that is scored is right. `person_asked`: the truth wants a person, or a refusal."""
    if route == AUTO:
        return RIGHT if correct and not person_asked else SILENT
    if person_asked:
        return RIGHT
    return SHOWN if route == HUMAN else REFUSED


def count_found(truth: Iterable[Mapping[str, Any]], found: Iterable[Mapping[str, Any]]) -> tuple[int, int]:
    """(differences the truth names, how many of these were found), by kind and line."""
    wanted = Counter((one["kind"], one.get("line")) for one in truth)
    have = Counter((one["kind"], one.get("line")) for one in found)
    return wanted.total(), (wanted & have).total()


class Summary:
    """The sums, as the command prints them."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()
        self.fields: dict[str, Counter[str]] = {}
        self.scenarios: dict[str, Counter[str]] = {}
        self.differences: Counter[str] = Counter()

    def add(self, verdict: Verdict) -> None:
        self.results[verdict.result] += 1
        self.scenarios.setdefault(verdict.scenario, Counter())[verdict.result] += 1
        for name, judgement in verdict.judged.items():
            self.fields.setdefault(general(name), Counter())[judgement] += 1
        self.differences.update(expected=verdict.expected, found=verdict.found)

    def as_json(self, seconds: float) -> dict[str, Any]:
        counted = {name: self.results[name] for name in (RIGHT, SHOWN, SILENT, REFUSED)}
        return {
            "cases": self.results.total(),
            **counted,
            "fields": {
                name: {judgement: counts[judgement] for judgement in (RIGHT, WRONG, MISSING)}
                for name, counts in sorted(self.fields.items())
            },
            "discrepancies": dict(self.differences),
            "by_scenario": {
                name: {"cases": counts.total(), **{result: counts[result] for result in counted}}
                for name, counts in sorted(self.scenarios.items())
            },
            "seconds": round(seconds, 1),
        }


__all__ = ["AUTO", "HUMAN", "REFUSE", "Summary", "Verdict", "extracted", "judge_fields", "result_of"]
