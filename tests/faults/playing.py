"""One trial: people work, the fault does its worst, everything is to end, and then the books are compared."""

import importlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .people import Bill, People, bills
from .trials import Trial
from .world import World, patiently

if TYPE_CHECKING:
    from collections.abc import Sequence

BOUND = 400.0  # seconds in which every run must have ended; generous: the machine may have other work
LOOK = 0.4  # seconds between looks at the database
QUIET = {"weights": {"ok": 1}}


@dataclass
class Report:
    """What a trial showed. `reason`: why it was not run."""

    name: str
    runs: int = 0
    effects: int = 0
    faults: int = 0
    repeats: int = 0
    incidents: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"{self.name:<36} not run: {self.reason}"
        return (
            f"{self.name:<36} {self.runs:>3} runs {self.effects:>3} effects {self.faults:>3} faults "
            f"{self.repeats:>4} repeated calls {self.incidents:>3} incidents {self.seconds:>6.1f} s "
            f"{len(self.violations)} violations"
        )


class Stage:
    """A world with its schema, its people and its flow. Trials share it; each brings bills of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.running_with: Any = None
        self.known: set[str] = set()  # violations that an earlier trial has reported
        self.tokens = prepare(world)

    def play(self, trial: Trial, count: int) -> Report:
        if self.running_with != trial.product:
            self.world.restart_product(**trial.product)
            self.running_with = trial.product
        self.world.tell_erp(**(trial.erp or QUIET))
        self.world.over = False
        wanted = [*bills(trial.name.replace(" ", "-"), count), *poison(trial), *hanging(trial)]
        people = People(f"http://127.0.0.1:{self.world.ports['web']}", self.tokens, wanted)
        self.world.people, self.world.complaints = people, []
        before, began = len(self.world.arming.happened()), time.monotonic()
        report = Report(trial.name)
        people.start()
        try:
            ended = self.until_ended(trial, people, report)
        finally:
            people.stop()
            self.world.arming.disarm()
        report.seconds = time.monotonic() - began
        report.runs, report.repeats = len(people.runs), people.repeats
        happened = self.world.arming.happened()[before:]
        report.faults = len(happened)
        if trial.happens and trial.happens not in {fault.point for fault in happened}:
            report.violations.append(f"nothing ever happened at {trial.happens}")
        report.violations += [*people.failures, *self.world.complaints]
        if not ended:
            report.violations += patiently(lambda: unfinished(people))
        if "database is locked" in (self.world.folder / "web.log").read_text(errors="replace"):
            report.violations.append("somebody was told that the database is locked")
        report.violations += self.fresh(patiently(lambda: self.verdict(trial, people)))
        report.effects = patiently(lambda: sent_by(people))
        return report

    def until_ended(self, trial: Trial, people: People, report: Report) -> bool:
        """Tends the world until every run has ended and the fault is over. False: not within the bound."""
        fault: Iterator[float] | None = trial.fault(self.world)
        deadline, due, look = time.monotonic() + BOUND, 0.0, 0.0
        while time.monotonic() < deadline:
            self.world.tend()
            now = time.monotonic()
            if fault is not None and now >= due:
                pause = next(fault, None)
                fault, due = (None, 0.0) if pause is None else (fault, now + pause)
            if now >= look:
                look = now + LOOK
                self.look(trial, people, report)
            if fault is None and self.world.over and self.world.is_quiet():
                return True
            time.sleep(0.03)
        return False

    def look(self, trial: Trial, people: People, report: Report) -> None:
        """As an operator would. The database may be away just now: then at the next look."""
        from django.db import DatabaseError, connection

        from . import operator

        try:
            booked = {entry["key"]: entry["ref"] for entry in self.world.journal()}
            report.incidents += operator.settle_incidents(admin(), booked, by_evidence=trial.by_evidence)
            self.world.over = people.started.is_set() and not unfinished(people)
        except DatabaseError:
            connection.close()

    def verdict(self, trial: Trial, people: People) -> list[str]:
        """All of it from one state of the database: a checker that looks twice sees what was never there."""
        from audit.export.stream import snapshot

        from . import verdict

        with snapshot():
            journal = self.world.journal()
            told = self.world.forgotten
            found = [*verdict.of_the_database(), *verdict.of_the_outside(journal, told)]
            found += verdict.of_the_answers(people.said)
            paid = {entry["payload"]["invoice_number"] for entry in journal if entry["key"] in told}
            return found if trial.by_evidence else [*found, *verdict.of_the_wishes(people.runs, paid)]

    def fresh(self, found: "Sequence[str]") -> list[str]:
        new = [text for text in found if text not in self.known]
        self.known.update(new)
        return new


def poison(trial: Trial) -> list[Bill]:
    given = {"amount": "10.00", "differences": 0, "poison": True}
    return [Bill(f"poison-{n}", given | {"number": f"poison-{n}"}, "") for n in range(trial.poison)]


def hanging(trial: Trial) -> list[Bill]:
    """More of them than there are threads to be lost."""
    given = {"amount": "10.00", "differences": 0, "hangs": True}
    return [Bill(f"hanging-{n}", given | {"number": f"hanging-{n}"}, "") for n in range(trial.hanging)]


def prepare(world: World) -> dict[str, str]:
    """Points this process at the world, makes schema, people and flow; returns a token for each person."""
    connect(world)
    from django.contrib.contenttypes.models import ContentType
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    ContentType.objects.clear_cache()
    from audit.log import SYSTEM
    from orchestrator import services
    from orchestrator.grants import give
    from orchestrator.models import Workflow
    from orchestrator.tokens import issue_token
    from tests import cast

    from . import flow

    everybody = cast.cast(undo_seconds=1)
    services.save_workflow(source=flow.WORKFLOW, actor=everybody.admin, second=cast.second_admin())
    give("start_run", everybody.requester, Workflow.objects.get(name=flow.NAME), actor=everybody.admin)
    people = {"requester": everybody.requester, "clerk": everybody.clerk, "second": everybody.second}
    return {name: issue_token(user=user, actor=SYSTEM)[0] for name, user in people.items()}


def connect(world: World) -> None:
    """The first world configures Django; for a later one the database is another."""
    import django
    from django.apps import apps
    from django.db import connections

    environment = world.environment() | {"FAULT_FOLDER": ""}  # nothing is ever done to this process
    os.environ.update(environment)
    limits = os.environ.pop("DATABASE_LIMITS", None)
    os.environ["DATABASE_LIMITS"] = ""  # this process makes schemas and asks long questions; the product has its limits
    try:
        return point_at_database(django, apps, connections)
    finally:
        del os.environ["DATABASE_LIMITS"]
        if limits is not None:
            os.environ["DATABASE_LIMITS"] = limits


def point_at_database(django: Any, apps: Any, connections: Any) -> None:
    if not apps.ready:
        return django.setup()
    from orchestrator import settings

    connections.close_all()
    connections.settings |= connections.configure_settings(importlib.reload(settings).DATABASES)
    del connections["default"]
    return None


def admin() -> Any:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(username="admin")


def unfinished(people: People) -> list[str]:
    from orchestrator.models import Run, Task

    rows = Run.objects.filter(pk__in=list(people.runs)).exclude(status__in=Run.ENDED)
    return [f"I17 run {run.pk} has not ended: {run.status}, {steps_of(run, Task)}" for run in rows]


def steps_of(run: Any, model: Any) -> str:
    rows = model.objects.filter(run=run).order_by("started_at")
    return ", ".join(" ".join((task.step, task.status, task.error)).strip() for task in rows)


def sent_by(people: People) -> int:
    """Runs of which something was sent outside."""
    from orchestrator.models import Effect

    sent = Effect.objects.filter(run__in=list(people.runs), attempts__gt=0)
    return sent.values("run").distinct().count()
