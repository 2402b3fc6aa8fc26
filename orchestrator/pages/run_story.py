"""A run as people follow it: its steps in the order they began, machine time apart from waiting, and the graph."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext, ngettext

from orchestrator.definitions import Definition, Step
from orchestrator.graph import Layout, fitting, fold, folded_needs, in_lines, lay_out
from orchestrator.models import Decision, Run, Task
from orchestrator.templatetags.parts import span, words
from orchestrator.words import later as _

NOTHING = timedelta(0)
ROOM = 10.8  # em of a title in a node; the mark beside it takes MARK of them
MARK = 1.4
NOTE_ROOM = 12.4  # em of the smaller letters of the second line
MOST_NODES = 30  # beyond that many steps, stretches that have finished are drawn as one
ACTORS = {"agent": (_("agent"), "who bot"), "review": (_("person"), "who")}
# Task status: class of its node, tone and icon of its tag, words. A class draws a shape, so colour is never alone.
LOOKS: Mapping[str, tuple[str, str, str, str]] = {
    Task.Status.READY: ("now", "info", "clock", _("about to run")),
    Task.Status.RUNNING: ("now", "info", "bolt", _("running")),
    Task.Status.RETRY_WAIT: ("now", "warn", "clock", _("tries again")),
    Task.Status.WAITING: ("now", "warn", "pause", _("waiting")),
    Task.Status.INCIDENT: ("bad", "bad", "stop", _("needs an operator")),
    Task.Status.SUCCEEDED: ("", "ok", "check", _("done")),
    Task.Status.SKIPPED: ("omit", "", "right", _("not needed")),
    Task.Status.FAILED: ("bad", "bad", "x", _("failed")),
    Task.Status.REJECTED: ("bad", "bad", "x", _("rejected")),
    Task.Status.CANCELLED: ("later", "", "x", _("cancelled")),
}
TO_COME = ("later", "", "clock", _("not started"))
# Marks of 10 by 9 units, drawn into a node at its left edge.
MARKS = {
    "check": "m0 4 3.5 3.5 6-7",
    "warn": "M5-1l6 11h-12zM5 3v3",
    "pause": "M2-1v10M8-1v10",
    "x": "m0 0 8 8m0-8-8 8",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """Where a step's time lies within the run's machine time, in seconds."""

    start: float
    length: float


@dataclass(slots=True)
class Line:
    """One step of the run. `took` is machine time or, for people, waiting; `differences` counts what stops a case."""

    step: Step
    task: Task | None
    decisions: list[Decision] = field(default_factory=list)
    now: datetime | None = None
    bar: Bar | None = None
    known: frozenset[str] = frozenset()  # rules that had fired before this step

    @property
    def title(self) -> str:
        return self.step.title or words(self.step.name)

    @property
    def look(self) -> tuple[str, str, str, str]:
        return LOOKS[self.task.status] if self.task else TO_COME

    @property
    def tone(self) -> str:
        return self.look[1]

    @property
    def icon(self) -> str:
        return self.look[2]

    @property
    def state(self) -> str:
        return self.look[3]

    @property
    def badge(self) -> str:
        return ACTORS.get(self.step.kind, ("system", "who sys"))[1]

    @property
    def actor_kind(self) -> str:
        return ACTORS.get(self.step.kind, (gettext("system"), "who sys"))[0]

    @property
    def is_human(self) -> bool:
        return self.step.kind == "review"

    @property
    def answer(self) -> Decision | None:
        """The last judgement on the step itself, a policy's aside."""
        return next((d for d in reversed(self.decisions) if d.actor_kind != Decision.ActorKind.POLICY), None)

    @property
    def policy(self) -> Decision | None:
        return next((d for d in reversed(self.decisions) if d.actor_kind == Decision.ActorKind.POLICY), None)

    @property
    def stopped_by_policy(self) -> bool:
        """A rule fired here that had not fired before; every later evaluation repeats it."""
        return bool(self.policy and self.policy.verdict != "continue" and set(self.fired) - self.known)

    @property
    def fired(self) -> Sequence[str]:
        return self.policy.trace.get("fired", ()) if self.policy else ()

    @property
    def actor(self) -> str:
        return self.answer.actor if self.answer else self.step.target or self.step.kind

    @property
    def differences(self) -> int:
        found = self.answer.output.get("discrepancies", ()) if self.answer else ()
        return sum(1 for item in found if item.get("severity") == "stop")

    @property
    def result(self) -> str:
        """One sentence: what was found, what went wrong, or that nothing has happened yet."""
        if self.task is None:
            return gettext("Not started")
        if self.task.error and self.task.status not in Task.DONE:
            return self.task.error
        return (self.answer.rationale if self.answer else "") or str(self.state).capitalize()

    @property
    def took(self) -> timedelta | None:
        task = self.task
        if task is None or task.started_at is None or task.status in (Task.Status.SKIPPED, Task.Status.READY):
            return None
        return (task.ended_at or self.now or task.started_at) - task.started_at

    @property
    def cost(self) -> Decimal:
        return sum((decision.cost for decision in self.decisions), Decimal(0))

    @property
    def note(self) -> str:
        """The second line of the node."""
        if self.task is None:
            return gettext("not started")
        if self.differences:
            count = self.differences
            return ngettext("%(n)s difference", "%(n)s differences", count) % {"n": count}
        if self.task.status == Task.Status.WAITING and self.took is not None:
            return gettext("waiting %(took)s") % {"took": span(self.took)}
        return span(self.took) if self.took is not None and self.task.status in Task.DONE else self.state


@dataclass(frozen=True, slots=True)
class Node:
    """A step, or a stretch of finished ones, as it is drawn, in SVG user units. `step` is "" for a stretch."""

    name: str
    step: str
    x: int
    y: int
    css: str
    mark: str
    mark_css: str
    title: str
    note: str
    label: str

    @property
    def title_lines(self) -> list[str]:
        return in_lines(self.title, ROOM - (MARK if self.mark else 0))

    @property
    def is_cut(self) -> bool:
        return " ".join(self.title_lines) != self.title or self.short_note != self.note

    @property
    def short_note(self) -> str:
        return fitting(str(self.note), NOTE_ROOM)


@dataclass(frozen=True, slots=True)
class Graph:
    layout: Layout
    nodes: Sequence[Node]
    edges: Sequence[tuple[str, str]]  # (path, class)
    label: str
    folds: int = 0


@dataclass(slots=True)
class Story:
    """Everything the run page shows of its steps."""

    run: Run
    lines: list[Line]
    to_come: list[Line]
    machine: timedelta
    waiting: timedelta
    cost: Decimal
    reads: int
    policies: int
    stopped_by: int

    @property
    def current(self) -> Line | None:
        """The step a person or an operator has to look at, or the one at work."""
        open_ = [line for line in self.lines if line.task and line.task.status in Task.OPEN]
        return next((line for line in open_ if line.is_human), open_[0] if open_ else None)

    @property
    def machine_seconds(self) -> float:
        return max(self.machine.total_seconds(), 0.001)

    def line_of(self, step: str) -> Line | None:
        return next((line for line in [*self.lines, *self.to_come] if line.step.name == step), None)


def tell(
    run: Run, definition: Definition, tasks: Iterable[Task], decisions: Iterable[Decision], now: datetime
) -> Story:
    """The story of a run from its rows; `now` ends what is still open."""
    by_step: dict[str, list[Decision]] = defaultdict(list)
    for decision in decisions:
        by_step[decision.step].append(decision)
    rows = {task.step: task for task in tasks}
    lines = [Line(step, rows.get(name), by_step[name], now) for name, step in definition.steps.items()]
    begun = sorted((line for line in lines if line.task), key=lambda line: (_began(line), lines.index(line)))
    fired: frozenset[str] = frozenset()
    for line in begun:
        line.known, fired = fired, fired.union(line.fired)
    machine, waiting = _place_bars(begun)
    policies = [line.policy for line in lines if line.policy]
    return Story(
        run=run,
        lines=begun,
        to_come=[line for line in lines if not line.task],
        machine=machine,
        waiting=waiting,
        cost=sum((line.cost for line in lines), Decimal(0)),
        reads=sum(len(_reads(line)) for line in lines),
        policies=len({rule["name"] for found in policies for rule in found.trace.get("trace", ())}),
        stopped_by=len({name for line in lines for name in line.fired if line.policy.verdict != "continue"}),
    )


def _began(line: Line) -> str:
    started = line.task.started_at if line.task else None
    return started.isoformat() if started else "~"  # sorts behind every date


def _reads(line: Line) -> list[Mapping[str, Any]]:
    return [item for item in (line.answer.evidence if line.answer else ()) if "source" in item]


def _place_bars(lines: Sequence[Line]) -> tuple[timedelta, timedelta]:
    """Lays machine steps on one scale from which waiting for people is cut out; returns (machine, waiting) time."""
    waits = [line for line in lines if line.is_human and line.took]
    waiting = sum((line.took or NOTHING for line in waits), NOTHING)
    first, end = None, NOTHING
    for line in lines:
        took, started = line.took, line.task.started_at if line.task else None
        if line.is_human or took is None or started is None:
            continue
        first = first or started
        before = (w.took or NOTHING for w in waits if w.task and w.task.started_at and w.task.started_at < started)
        offset = max(started - first - sum(before, NOTHING), NOTHING)
        line.bar = Bar(offset.total_seconds(), took.total_seconds())
        end = max(end, offset + took)
    return end, waiting


def draw(story: Story, definition: Definition, selected: str = "", *, whole: bool = False) -> Graph:
    """The workflow's graph with the state of each step; of a large one, finished stretches folded unless `whole`."""
    needs = {name: step.needs for name, step in definition.steps.items()}
    lines = {line.step.name: line for line in (*story.lines, *story.to_come)}
    done = {name for name, line in lines.items() if line.task and line.task.status in Task.DONE}
    folds = {} if whole or len(needs) <= MOST_NODES else fold(needs, done - {selected})
    layout = lay_out(folded_needs(needs, folds))
    nodes = [
        _stretch([lines[step] for step in folds[name]], *place)
        if name in folds
        else _node(lines[name], *place, selected)
        for name, place in layout.places.items()
    ]
    edges = [(edge.path, "done" if edge.source in done else "exit") for edge in layout.edges]
    current = story.current
    where = (
        gettext("%(current_title)s is %(state)s") % {"current_title": current.title, "state": current.state}
        if current
        else gettext("the run has ended: %(status)s") % {"status": story.run.get_status_display()}
    )
    return Graph(
        layout,
        nodes,
        edges,
        gettext("Workflow graph: %(n)s steps, %(where)s") % {"n": len(needs), "where": where},
        folds=len(folds),
    )


def _node(line: Line, x: int, y: int, selected: str) -> Node:
    css, tone, icon, _ = line.look
    if line.differences or (line.stopped_by_policy and not css):
        tone, icon = "warn", "warn"
    mark_css = {"ok": "g", "bad": "g x", "warn": "g w"}.get(tone, "g w" if icon in ("pause", "warn") else "")
    mark = MARKS.get({"stop": "x"}.get(icon, icon), "") if mark_css else ""
    name, label = line.step.name, f"{line.title} {line.note}: {line.state}"
    chosen = " sel" if name == selected else ""
    return Node(name, name, x, y, css + chosen, mark, mark_css, line.title, line.note, label)


def _stretch(lines: Sequence[Line], x: int, y: int) -> Node:
    differing = sum(1 for line in lines if line.differences)
    mark, mark_css = (MARKS["warn"], "g w") if differing else (MARKS["check"], "g")
    note = (
        gettext("%(differing)s with differences") % {"differing": differing}
        if differing
        else span(sum((line.took or NOTHING for line in lines), NOTHING))
    )
    label = gettext("%(n)s steps done, %(note)s: show each") % {"n": len(lines), "note": note}
    return Node(
        lines[0].step.name,
        "",
        x,
        y,
        "fold",
        mark,
        mark_css,
        gettext("%(n)s steps done") % {"n": len(lines)},
        note,
        label,
    )
