"""One document played through a flow by the real engine, and what came of it."""

import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from orchestrator import engine, services
from orchestrator.clock import Clock
from orchestrator.documents.store import DocumentRefused, store_document
from orchestrator.models import Decision, Effect, Run, Task

AUTO, HUMAN, REFUSE = "auto", "human", "refuse"
PATIENCE = 60.0  # seconds after which a case counts as stuck
NAP = 0.05
STATUS = Path("/proc/self/status")


@dataclass(slots=True)
class Played:
    """What became of one case. `gates` maps a step to the policies' route after it; `route` is the whole run's."""

    route: str
    status: str
    gates: dict[str, str] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)
    discrepancies: list[dict[str, Any]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    effects: int = 0
    seconds: float = 0.0
    peak_rss_mb: int = 0

    def gate(self, step: str) -> str:
        """The route of one gate, in the words of the truth."""
        return route_of(self.gates.get(step, "")) if self.gates else self.route


def route_of(verdict: str) -> str:
    return {"continue": AUTO, "reject": REFUSE}.get(verdict, HUMAN)


def play(workflow: str, *, data: bytes, name: str, actor: AbstractBaseUser) -> Played:
    """Takes the document in and runs the flow in the world in force, until it has ended or waits for a person."""
    started = time.monotonic()
    reset_peak()
    try:
        document = store_document(data=data, name=name, actor=actor)
    except DocumentRefused as refused:
        return Played(REFUSE, "refused", reasons=[str(refused)], seconds=time.monotonic() - started)
    run, _ = services.start_run(workflow=workflow, input={}, actor=actor, documents=[document])
    finish(run)
    played = told(run)
    played.seconds = round(time.monotonic() - started, 3)
    played.peak_rss_mb = max(peak_mb(), played.peak_rss_mb)
    return played


def finish(run: Run) -> None:
    """Works until nothing is due and nothing will be without a person; a step that is tried again is waited for."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        engine.drain(budget=PATIENCE)
        to_come = Task.objects.filter(run=run, ready_at__isnull=False)
        if not to_come.exists():
            break
        if not to_come.filter(ready_at__lte=Clock()).exists():
            time.sleep(NAP)
    run.refresh_from_db()


def told(run: Run) -> Played:
    """Reads the outcome from what the engine wrote."""
    decisions = list(run.decisions.order_by("made_at", "id"))
    outputs = {row.step: row.output for row in decisions if row.actor_kind != Decision.ActorKind.POLICY}
    policies = [row for row in decisions if row.actor_kind == Decision.ActorKind.POLICY]
    states = list(run.effects.values_list("state", flat=True))
    differences = [found for output in outputs.values() for found in output.get("discrepancies", [])]
    return Played(
        route=whole_route(run, states),
        status=run.status,
        gates={row.step: row.verdict for row in policies},
        reading=outputs.get("read", {}).get("reading", {}),
        discrepancies=differences,
        reasons=list(dict.fromkeys(reasons(run, policies, differences))),
        effects=len(states),
        peak_rss_mb=outputs.get("read", {}).get("peak_rss_mb", 0),
    )


def whole_route(run: Run, states: list[str]) -> str:
    """Paid without a person, refused, or with a person (an operator is one)."""
    if run.status == Run.Status.SUCCEEDED and Effect.State.CONFIRMED in states:
        return AUTO
    return REFUSE if run.status == Run.Status.REJECTED else HUMAN


def reasons(run: Run, policies: list[Decision], differences: list[dict[str, Any]]) -> Iterator[str]:
    """Why it did not simply pass, in the words people read."""
    for row in policies:
        if row.verdict != "continue":
            yield from (rule["reason"] for rule in row.trace.get("trace", []) if rule["state"] in ("fired", "error"))
    yield from (found["message"] for found in differences if found["severity"] == "stop")
    yield from run.incidents.values_list("detail", flat=True)


def reset_peak() -> None:
    """Linux forgets the process's highest memory so far; elsewhere the peak is that of the whole evaluation."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_mb() -> int:
    """The most memory this process held since `reset_peak`, in MB."""
    try:
        line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return int(line.split()[1]) // 1024
