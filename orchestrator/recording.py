"""Transaction B of the engine: what a batch of results changes, in a few bulk statements.

Recording never trusts the worker: a result counts only while its task is still running under the same fence.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from audit.ids import uuid7
from audit.log import SYSTEM, Actor, Entry, record_many
from audit.rows import insert_rows, pipelined

from . import backoff, endings, statements, tasks, transitions
from .case import Case, load_cases
from .definitions import Definition, Step
from .digests import digest
from .following import Ahead, look_ahead
from .models import Decision, Run, Task
from .pinned import Pinned
from .policies import gate
from .spending import Spent
from .statements import Slot
from .steps.base import Work
from .steps.outcomes import Complete, Defer, Fail, Halt, Judgement, Outcome, Reject, Retry, SendBack, Suspend

FAST_LANE = "default"
HOLD_PAUSE = timedelta(seconds=5)
LEASE = timedelta(seconds=60)  # must outlast a batch of executions: slow handlers have lanes that claim one
MAX_OBJECTIONS, MAX_OBJECTION = 20, 300  # how many, and how long each, the next attempt is told


@dataclass(slots=True)
class Opened:
    """A task that becomes ready by this recording. `case` is None until siblings' results have been read."""

    task: Task
    step: Step
    pinned: Pinned
    case: Case | None


@dataclass(frozen=True, slots=True)
class Locked:
    """A task row under lock, with what its run looked like."""

    fence: int
    status: str
    run_status: str
    round: int


class Recording:
    """One batch of results, of whose following steps up to `keep` are leased to the caller at once. Its tasks are
    `running`, or all `waiting` for an answer that has come. `write()` once, inside a transaction."""

    def __init__(self, results: Sequence[tuple[Work, Outcome]], *, keep: int = 0, source: str = Task.Status.RUNNING):
        self.results, self.keep, self.source = results, keep, source
        self.now: datetime
        self.rows: dict[UUID, Locked] = {}
        self.become: dict[UUID, str] = {}  # runs that move by this, and to what
        self.moves: dict[str, list[Work]] = {}
        self.decisions: list[Decision] = []
        self.entries: list[Entry] = []
        self.opened: list[Opened] = []
        self.resumed: list[UUID] = []
        self.finished: list[Definition] = []  # what the runs that end here were of
        self.unsettled: dict[UUID, Case] = {}  # runs that need a look at all their tasks
        self.overspent: dict[UUID, str] = {}  # runs over their budget, and by what

    def write(self) -> list[Work]:
        """Returns the steps leased to the caller."""
        self._lock()
        self._spend()
        good = [(work, outcome) for work, outcome in self.results if self.holds(work)]
        for work, outcome in good:
            self.entries += work.entries
            self._take(work, outcome)
        self._note_dropped()
        ahead = self._look_ahead(good)
        mine = self._lease()
        with pipelined():
            self._move()
            endings.resume_all(self.resumed) if self.resumed else None
            endings.end_all(ahead.over, self.finished, now=self.now) if ahead.over else None
            insert_rows(self.decisions)
            insert_rows([item.task for item in self.opened])
            record_many(self.entries, at=self.now)
        self._run_hooks()
        self._settle(good)
        return self._works(mine)

    def _lock(self) -> None:
        """Runs first, in id order, then their tasks: one statement locks both, and gives the database's time."""
        ids = [work.task_id for work, _ in self.results]
        for pk, fence, status, run_status, round_, now in statements.select(_locked, ids):
            self.rows[pk], self.now = Locked(fence, status, run_status, round_), now

    def _spend(self) -> None:
        """What attempts used counts whatever became of them. Only runs with a budget are counted for."""
        used = [work for work, _ in self.results if work.spent and work.definition.budget]
        for run in Run.objects.filter(pk__in={work.run_id for work in used}).only("spent") if used else ():
            spent, mine = Spent.from_json(run.spent), [work for work in used if work.run_id == run.pk]
            for work in mine:
                spent.add(work.spent)
            Run.objects.filter(pk=run.pk).update(spent=spent.as_json())
            if beyond := spent.over(mine[0].definition.budget):
                self.overspent[run.pk], self.unsettled[run.pk] = beyond, mine[0].case

    def holds(self, work: Work) -> bool:
        row = self.rows.get(work.task_id)
        return row is not None and row.status == self.source and row.fence == work.fence

    def status_after(self, work: Work) -> str:
        """What the run of a result that holds is once it is written."""
        return self.become.get(work.run_id, self.rows[work.task_id].run_status)

    def _note_dropped(self) -> None:
        """A late result changes nothing, and the trail says that it came."""
        for work, _ in self.results:
            if not self.holds(work):
                self._tell("task.result_dropped", work, fence=work.fence)

    def _take(self, work: Work, outcome: Outcome) -> None:
        match outcome:
            case Complete():
                self._complete(work, outcome)
            case Suspend():
                self._to(Task.Status.WAITING, work)
                self._tell("task.waiting", work)
                self.unsettled[work.run_id] = work.case
            case Retry():
                self._retry(work, outcome)
            case Fail():
                self._fail(work, outcome.kind, outcome.error)
            case Reject():
                self._to(Task.Status.REJECTED, work)
                self._tell("task.failed", work, reason=outcome.reason)
                self.unsettled[work.run_id] = work.case
            case Defer() | SendBack() | Halt():
                self._to(Task.Status.CANCELLED, work)
                self.unsettled[work.run_id] = work.case

    def _to(self, status: str, work: Work) -> None:
        self.moves.setdefault(status, []).append(work)

    def _complete(self, work: Work, outcome: Complete) -> None:
        judgement = outcome.judgement
        seen = digest(work.case.as_json())
        if judgement is not None:
            self.decisions.append(self._decision(work, judgement, outcome.output, seen))
        work.case.add(work.step.name, outcome.output, judgement.confidence if judgement else None)
        work.case.reached(work.step.name)
        self._to(Task.Status.SKIPPED if outcome.skipped else Task.Status.SUCCEEDED, work)
        self._tell(
            "task.skipped" if outcome.skipped else "task.succeeded",
            work,
            actor=_actor(judgement),
            verdict=judgement.verdict if judgement else "answered",
            confidence=judgement.confidence if judgement else None,
            output=digest(outcome.output),
            based_on=seen,
            **({"version": judgement.actor_version} if judgement and judgement.actor_version else {}),
        )
        if work.evaluation is not None:
            self._evaluated(work, seen)
        self._follow(work)

    def _decision(self, work: Work, judgement: Judgement, output: dict, seen: str) -> Decision:
        return Decision(
            id=uuid7(),
            run_id=work.run_id,
            task_id=work.task_id,
            step=work.step.name,
            round=self.rows[work.task_id].round,
            actor_kind=judgement.actor_kind,
            actor=judgement.actor,
            actor_version=judgement.actor_version,
            verdict=judgement.verdict,
            confidence=judgement.confidence,
            rationale=judgement.rationale,
            output=output,
            evidence=judgement.evidence,
            cost=judgement.cost,
            based_on=seen,
            made_at=self.now,
        )

    def _evaluated(self, work: Work, seen: str) -> None:
        """The policies' decision: stored once with its trace, never evaluated again for this result."""
        found, policies = work.evaluation, work.pinned.policies
        row = self._decision(work, Judgement("policy", policies.name, str(policies.number), found.route), {}, seen)
        row.rationale = " ".join(found.reasons)
        row.trace, row.policy_version_id = found.as_json(), work.pinned.policy_version_id
        self.decisions.append(row)
        self._tell(
            "policy.evaluated",
            work,
            actor=Actor("policy", policies.name, policies.name),
            version=policies.number,
            route=found.route,
            fired=list(found.fired),
        )
        if found.route in gate.AT_ONCE:
            self.unsettled[work.run_id] = work.case

    def _retry(self, work: Work, outcome: Retry) -> None:
        if work.attempt >= work.step.retry.max_attempts and not outcome.on_hold:
            self._fail(work, "retries-exhausted", f"{outcome.error} (after {work.attempt} attempts)")
            return
        pause = timedelta(0) if outcome.at_once else outcome.after or backoff.full_jitter(work.step.retry, work.attempt)
        transitions.move_tasks(
            [work.task_id],
            [Task.Status.RUNNING],
            Task.Status.RETRY_WAIT,
            ready_at=self.now + (HOLD_PAUSE if outcome.on_hold else pause),
            lease_until=None,
            attempts=work.attempt - outcome.on_hold,
            error=outcome.error[:500],
            objections=[text[:MAX_OBJECTION] for text in outcome.objections[:MAX_OBJECTIONS]] or None,
        )
        self._tell("task.retried", work, error=outcome.error, attempt=work.attempt, objections=outcome.objections)

    def _fail(self, work: Work, kind: str, error: str) -> None:
        self._to(Task.Status.INCIDENT, work)
        self._tell("task.incident_raised", work, incident=kind, error=error)
        Task.objects.filter(pk=work.task_id).update(error=error[:500])
        self.unsettled[work.run_id] = work.case

    def _follow(self, work: Work) -> None:
        """What comes next. Only where siblings matter, or the run was sent back before, are rows read (in _settle)."""
        row, name = self.rows[work.task_id], work.step.name
        plain = work.definition.is_plain(name) and row.round == 1 and row.run_status == Run.Status.RUNNING
        if not plain or work.run_id in self.unsettled:
            self.unsettled[work.run_id] = work.case
            return
        following = work.definition.followers(name)
        for step in following:
            case = work.case if len(following) == 1 else work.case.copy()
            self.opened.append(self._opened(work, step, case))

    def _opened(self, work: Work, step: Step, case: Case | None) -> Opened:
        task = tasks.new_task(work.run_id, step, self.now, self.rows[work.task_id].round, work.pinned.priority)
        return Opened(task, step, work.pinned, case)

    def _tell(self, kind: str, work: Work, /, actor: Actor = SYSTEM, **data: object) -> None:
        data = {"step": work.step.name, "fence": work.fence, **data}
        subject = ("task", str(work.task_id))
        self.entries.append(Entry(kind, subject, actor, str(work.run_id), work.definition.name, "", data))

    def _move(self) -> None:
        for status, works in self.moves.items():
            ended = (
                self.now if status not in (Task.Status.WAITING, Task.Status.INCIDENT, Task.Status.CANCELLED) else None
            )
            ids = [work.task_id for work in works]
            transitions.move_tasks(ids, [self.source], status, lease_until=None, ended_at=ended)

    def _run_hooks(self) -> None:
        for work, outcome in self.results:
            hook = getattr(outcome, "on_record" if self.holds(work) else "on_dropped", None)
            if hook is not None:
                hook(self.now)

    def _look_ahead(self, good: Sequence[tuple[Work, Outcome]]) -> Ahead:
        """Runs whose results are all plain go on or end together, here; the others stay `unsettled`."""
        special = {work.run_id for work, outcome in good if not self._is_plain(work, outcome)}
        alike = {w.run_id: w for w, _ in good if w.run_id in self.unsettled and w.run_id not in special}
        moved = {work.task_id: status for status, works in self.moves.items() for work in works}
        ahead = look_ahead({run_id: work.definition for run_id, work in alike.items()}, moved) if alike else Ahead()
        self.opened = [item for item in self.opened if item.pinned.run_id not in self.unsettled]
        for run_id, due in ahead.due.items():
            case = self._whole([work for work, _ in good if work.run_id == run_id], ahead.done[run_id]) if due else None
            self.opened += [self._opened(alike[run_id], step, case and case.copy()) for step in due]
        self.resumed = [run_id for run_id in (*ahead.due, *ahead.over) if self._run_waits(alike[run_id])]
        for run_id in self.resumed:
            self._tell_run("run.resumed", alike[run_id])
        self.become |= dict.fromkeys(self.resumed, Run.Status.RUNNING) | dict.fromkeys(ahead.over, Run.Status.SUCCEEDED)
        self.finished = [alike[run_id].definition for run_id in ahead.over]
        for run_id in ahead.over:
            self._tell_run("run.succeeded", alike[run_id], outcome=endings.DONE)
        for run_id in (*ahead.due, *ahead.over):
            endings.name(run_id, alike[run_id].definition, self.unsettled.pop(run_id))
        return ahead

    def _whole(self, works: Sequence[Work], done: Set[str]) -> Case | None:
        """What branches found that are in this batch together, where that is all there is; None: it has to be read.
        So it has where people may have said something meanwhile."""
        whole = works[0].case.copy()
        for work in works[1:]:
            whole.data |= work.case.data
            whole.confidence |= work.case.confidence
        asks = any(step.kind == "review" for step in works[0].definition.steps.values())
        return None if asks or not done <= whole.data.keys() else whole

    def _is_plain(self, work: Work, outcome: Outcome) -> bool:
        """Done, and nothing else: no route that acts at once, no run that is held, was sent back, stops branches early
        or is waited for by another. A run that waits goes on with its answer."""
        row, found = self.rows[work.task_id], work.evaluation
        return (
            isinstance(outcome, Complete)
            and row.round == 1
            and (row.run_status == Run.Status.RUNNING or (self._run_waits(work) and work.step.kind == "review"))
            and not work.definition.early_joins
            and work.pinned.parent_id is None
            and work.run_id not in self.overspent
            and (found is None or found.route not in gate.AT_ONCE)
        )

    def _run_waits(self, work: Work) -> bool:
        return self.rows[work.task_id].run_status == Run.Status.WAITING

    def _tell_run(self, kind: str, work: Work, **data: object) -> None:
        run = str(work.run_id)
        self.entries.append(Entry(kind, ("run", run), SYSTEM, run, work.definition.name, "", data))

    def _lease(self) -> list[Opened]:
        """The first of the opened tasks are the caller's: no claim between the steps of a run."""
        mine = [item for item in self.opened if item.task.lane == FAST_LANE][: self.keep]
        for task in (item.task for item in mine):
            task.status, task.fence, task.attempts = Task.Status.RUNNING, 1, 1
            task.ready_at, task.lease_until, task.started_at = None, self.now + LEASE, self.now
        return mine

    def _works(self, mine: Sequence[Opened]) -> list[Work]:
        """What the caller holds, with the cases of those steps that siblings added to."""
        wanted = {item.pinned.run_id: item.pinned.input for item in mine if item.case is None}
        cases = load_cases(wanted) if wanted else {}
        held = [(item, item.case or cases[item.pinned.run_id].copy()) for item in mine]
        return [Work(item.task.pk, item.pinned, item.step, fence=1, attempt=1, case=case) for item, case in held]

    def _settle(self, good: Sequence[tuple[Work, Outcome]]) -> None:
        if not self.unsettled:
            return
        by_run: dict[UUID, list[tuple[Work, Outcome]]] = {}
        for work, outcome in good:
            by_run.setdefault(work.run_id, []).append((work, outcome))
        for run in Run.objects.filter(pk__in=self.unsettled).order_by("pk"):
            for work, outcome in by_run.get(run.pk, ()):
                consequences(run, work, outcome, self.now)
            if run.pk in self.overspent and run.status in (Run.Status.RUNNING, Run.Status.WAITING):
                endings.open_incident(run, kind="budget", detail=f"budget: {self.overspent[run.pk]}", now=self.now)
            if run.status in (Run.Status.RUNNING, Run.Status.WAITING):
                tasks.open_due(run, now=self.now)
            endings.settle(run, case=self.unsettled[run.pk], now=self.now)
            self.become[run.pk] = run.status


def _locked(task_ids: Sequence[Slot]) -> QuerySet:
    # Asked from the run's side: PostgreSQL locks the joined rows of a line in the order of FROM.
    rows = Run.objects.filter(tasks__pk__in=task_ids).order_by("pk", "tasks__pk").select_for_update(no_key=True)
    return rows.values_list("tasks__pk", "tasks__fence", "tasks__status", "status", "round", Now())


def consequences(run: Run, work: Work, outcome: Outcome, now: datetime) -> None:
    """What one result means for its run as a whole."""
    if run.status in Run.ENDED:
        return
    if isinstance(outcome, Reject):
        endings.end(run, Run.Status.REJECTED, outcome=outcome.reason, now=now)
    elif isinstance(outcome, Halt):
        endings.end(run, Run.Status.CANCELLED, outcome=outcome.reason, now=now)
    elif isinstance(outcome, Fail | Retry):
        row = Task.objects.get(pk=work.task_id)
        if run.status == Run.Status.CANCELLING and isinstance(outcome, Fail) and outcome.kind == "effect-refused":
            _not_done(row, work, now)
        if row.status == Task.Status.INCIDENT:
            kind = outcome.kind if isinstance(outcome, Fail) else "retries-exhausted"
            endings.open_incident(run, kind=kind, detail=row.error, now=now, task_id=row.pk)
    elif work.step.kind == "review" and isinstance(outcome, Complete | Defer | SendBack):
        if isinstance(outcome, SendBack):
            tasks.send_back(run, outcome.step, now=now)
        if run.status != Run.Status.RUNNING:
            endings.go_on(run, now=now)
    elif work.evaluation is not None and work.evaluation.route in gate.AT_ONCE:
        gate.act(run, work, now)


def _not_done(row: Task, work: Work, now: datetime) -> None:
    """Refused by the outside while the run is being cancelled: nothing happened, so nothing has to be taken back."""
    if not work.step.undoes:
        transitions.move_tasks([row.pk], [Task.Status.INCIDENT], Task.Status.CANCELLED, ended_at=now)
        row.status = Task.Status.CANCELLED


def _actor(judgement: Judgement | None) -> Actor:
    if judgement is None or judgement.actor_kind == "system":
        return SYSTEM
    return Actor(judgement.actor_kind, judgement.actor, judgement.actor)
