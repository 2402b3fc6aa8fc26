"""Record: enters the run into a register, so that other runs find it while this one still goes on.

Entries of one register are numbered in the order in which they are committed: the number is given under the register's
lock, which is held to the end of the recording transaction. Whoever looks for earlier entries after its own was
committed sees every smaller number there will ever be. So of two cases that come at the same moment exactly one is the
later one, and knows it. Lock order: the register comes last, after runs and tasks.
"""

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model

from audit.log import SYSTEM, record
from orchestrator.definitions import lookup
from orchestrator.digests import digest
from orchestrator.import_formats import canonical
from orchestrator.models import ControlEntry, DataSource, Run, SourceRow

from .base import StepHandler, Work
from .outcomes import Complete, Fail, Judgement, Outcome

ENTRY = "entry"


class RecordStep(StepHandler):
    automated = False

    def execute(self, work: Work) -> Outcome:
        """The entry's key is the run: entered again after a correction, it takes a new number."""
        source = DataSource.objects.filter(name=work.step.target, kind=DataSource.Kind.REGISTER).first()
        if source is None:
            return Fail(f"{work.step.target} is no register", kind="no-register")
        row, about = row_of(work), about_run(work)
        hook = partial(enter, work, source, {**row, **about})
        return Complete({"register": source.name, "run": str(work.run_id), **about}, told(source), on_record=hook)


def row_of(work: Work) -> dict[str, Any]:
    case = work.case.as_json()
    return {field: lookup(case, path) for field, path in work.step.config["row"].items()}


def about_run(work: Work) -> dict[str, str]:
    """Who handed the case in, and on which day."""
    user = get_user_model().objects.get(pk=work.pinned.started_by_id)
    started = Run.objects.values_list("started_at", flat=True).get(pk=work.run_id)
    return {
        "started_by": user.get_username(),
        "started_by_name": user.get_full_name() or user.get_username(),
        "started_on": started.date().isoformat(),
    }


def told(source: DataSource) -> Judgement:
    return Judgement(rationale=f"Entered into {source.title}.")


def enter(work: Work, source: DataSource, row: dict[str, Any], now: datetime) -> None:
    """In the recording transaction. A new row, so that the highest primary key is the newest entry. What a control case
    would have entered is kept apart, under the number it would have had, and only its own run finds it."""
    DataSource.objects.select_for_update(no_key=True).get(pk=source.pk)
    entries = SourceRow.objects.filter(source=source)
    last = entries.order_by("-pk").values_list("data", flat=True).first() or {}
    entry = canonical({**row, source.key_field: str(work.run_id), ENTRY: int(last.get(ENTRY, 0)) + 1})
    put = put_apart if work.pinned.control else put_in
    put(source, str(work.run_id), entry)
    record(
        "source.entered",
        subject=("source", source.name),
        actor=SYSTEM,
        run=str(work.run_id),
        workflow=work.definition.name,
        data={"key": str(work.run_id), ENTRY: entry[ENTRY], "digest": digest(entry)},
    )


def put_in(source: DataSource, key: str, entry: dict[str, Any]) -> None:
    SourceRow.objects.filter(source=source, key=key).delete()
    SourceRow.objects.create(source=source, key=key, data=entry, digest=digest(entry))


def put_apart(source: DataSource, key: str, entry: dict[str, Any]) -> None:
    ControlEntry.objects.update_or_create(source=source, key=key, defaults={"data": entry})
