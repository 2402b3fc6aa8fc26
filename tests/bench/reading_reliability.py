"""How often a value read with a given confidence is right, on the shared sets, as the tables of docs/reading.md.

`python -m tests.bench.reading_reliability`. Every file goes the whole way (`read_document`, a child each).
`--cache FOLDER` keeps the results between runs; recognising 90 receipts and 23 scanned pages takes some minutes.
"""

import argparse
import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher
from pathlib import Path
from statistics import median

from orchestrator.documents.sandbox import PASS_CONFIDENCE, ReadResult, read_document
from tests.data_sets import DATA

BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.01)
MONEY = {"line_total", "net_total", "tax_total", "gross_total", "prepaid", "payable", "total"}
RECEIPT_FIELDS = ("company", "date", "total")


@dataclass
class Case:
    group: str
    kind: str
    truth: dict[str, str | None]
    result: ReadResult

    def right(self, name: str) -> bool:
        return same(name, self.truth[name], self.result.reading.value(name))

    def passes(self, threshold: float) -> bool:
        reading = self.result.reading
        return (
            not reading.refusal
            and reading.confidence >= threshold
            and not any(check.severity == "stop" for check in reading.checks)
        )

    def all_right(self) -> bool:
        return all(self.right(name) for name in self.truth)


@dataclass
class Tally:
    cases: list[Case] = field(default_factory=list)

    def passed(self, threshold: float) -> list[Case]:
        return [case for case in self.cases if case.passes(threshold)]

    def silent(self, threshold: float) -> list[Case]:
        return [case for case in self.passed(threshold) if not case.all_right()]


def same(name: str, wanted: str | None, found: str | None) -> bool:
    """Equal after the normalisation the README of each set asks for."""
    if wanted is None or found is None:
        return wanted == found
    if name == "company":
        a, b = (re.sub(r"[\W_]+", "", text).upper() for text in (wanted, found))
        return similarity(a, b) >= 0.9
    if name in MONEY:
        return Decimal(wanted) == Decimal(found)
    return "".join(wanted.split()).casefold() == "".join(found.split()).casefold()


def similarity(a: str, b: str) -> float:
    """1 - edit distance / the longer length."""
    if a == b or SequenceMatcher(None, a, b).quick_ratio() < 0.5:
        return float(a == b)
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, start=1):
        before, row[0] = row[:], i
        for j, right in enumerate(b, start=1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
    return 1 - row[-1] / max(len(a), len(b))


def dotted(fields: dict, name: str) -> str | None:
    value: object = fields
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else str(value)


def read_cached(path: Path, expected: str, cache: Path | None) -> ReadResult:
    data = path.read_bytes()
    kept = cache / f"{hashlib.sha256(data).hexdigest()}-{expected}.json" if cache else None
    if kept and kept.exists():
        return ReadResult.model_validate_json(kept.read_text())
    result = read_document(data, name=path.name, expected="receipt" if expected == "receipt" else "invoice")
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(result.model_dump_json())
    return result


def rows(folder: str) -> Iterator[dict]:
    for line in (DATA / folder / "truth.jsonl").read_text().splitlines():
        yield json.loads(line)


def cases(cache: Path | None, wanted: set[str]) -> Iterator[Case]:
    for row in rows("invoice_pdf"):
        truth = {name: dotted(row["truth"]["fields"], name) for name in row["truth"]["visible_fields"]}
        for name in row["files"]:
            kind = name.split("/")[1]
            if kind in wanted:
                result = read_cached(DATA / "invoice_pdf" / name, "invoice", cache)
                yield Case(row["case_group"], kind, truth, result)
    for row in rows("receipts_scan") if "receipt" in wanted else ():
        if row["task"] == "extract_receipt":
            truth = {name: row["truth"]["fields"][name] for name in RECEIPT_FIELDS}
            result = read_cached(DATA / "receipts_scan" / row["files"][0], "receipt", cache)
            yield Case(row["case_group"], "receipt", truth, result)


def print_summary(tallies: dict[str, Tally]) -> None:
    print("| set | documents | fields right | passed | silent | seconds (median, worst) | peak MB |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for kind, tally in tallies.items():
        limit = PASS_CONFIDENCE["receipt" if kind == "receipt" else "invoice"]
        checked = [case.right(name) for case in tally.cases for name in case.truth]
        seconds = [case.result.seconds for case in tally.cases]
        peak = max(case.result.peak_rss_mb for case in tally.cases)
        share = f"{sum(checked)} of {len(checked)} ({100 * sum(checked) / len(checked):.1f} %)"
        passed, silent = len(tally.passed(limit)), len(tally.silent(limit))
        times = f"{median(seconds):.2f}, {max(seconds):.2f}"
        print(f"| {kind} | {len(tally.cases)} | {share} | {passed} | {silent} | {times} | {peak:.0f} |")


def print_by_field(tallies: dict[str, Tally]) -> None:
    for kind, tally in tallies.items():
        right: Counter[str] = Counter()
        all_of: Counter[str] = Counter()
        for case in tally.cases:
            for name in case.truth:
                all_of[name] += 1
                right[name] += case.right(name)
        print(f"{kind}: " + ", ".join(f"{name} {right[name]}/{all_of[name]}" for name in all_of))


def print_reliability(tallies: dict[str, Tally]) -> None:
    print("| confidence | " + " | ".join(f"{kind}: values, right" for kind in tallies) + " |")
    print("|---|" + "--:|" * len(tallies))
    counts: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for kind, tally in tallies.items():
        for case in tally.cases:
            for name in case.truth:
                value = case.result.reading.fields.get(name)
                if value and value.value is not None:
                    place = next(i for i in range(len(BINS) - 1) if value.confidence < BINS[i + 1])
                    counts[kind, place][0] += 1
                    counts[kind, place][1] += case.right(name)
    for place in range(len(BINS) - 1):
        cells = [f"{n}, {100 * r / n:.0f} %" if n else "–" for n, r in (counts[kind, place] for kind in tallies)]
        print(f"| {BINS[place]:.2f}–{min(BINS[place + 1], 1):.2f} | " + " | ".join(cells) + " |")


def print_thresholds(tallies: dict[str, Tally]) -> None:
    """Passed and silent by threshold, in two halves by case group: a choice made on one is seen on the other."""
    heads = (f"{kind}: half A, half B (passed/silent)" for kind in tallies)
    print("| threshold | " + " | ".join(heads) + " |")
    print("|---|" + "---|" * len(tallies))
    for threshold in (0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
        cells = []
        for tally in tallies.values():
            halves = [Tally([c for c in tally.cases if half_of(c.group) == half]) for half in (0, 1)]
            cells.append(", ".join(f"{len(h.passed(threshold))}/{len(h.silent(threshold))}" for h in halves))
        print(f"| {threshold:.2f} | " + " | ".join(cells) + " |")


def half_of(group: str) -> int:
    return hashlib.sha256(group.encode()).digest()[0] % 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="folder that keeps results between runs")
    parser.add_argument("--sets", default="plain,hybrid,scan,receipt", help="which sets, with commas between")
    arguments = parser.parse_args()
    tallies: dict[str, Tally] = {kind: Tally() for kind in arguments.sets.split(",")}
    for case in cases(arguments.cache, set(tallies)):
        tallies[case.kind].cases.append(case)
    for print_table in (print_summary, print_by_field, print_reliability, print_thresholds):
        print_table(tallies)
        print()


if __name__ == "__main__":
    main()
