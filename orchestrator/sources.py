"""What an agent may read: data sources through grants, documents of its run. Every read and refusal is noted."""

from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Exists, OuterRef

from audit.log import Actor

from . import timeouts
from .agents.base import REVERSED, Agent, OpenDocument, SourceRefused
from .digests import digest
from .documents.store import StoredDocument
from .models import AgentAccount, ControlEntry, DataSource, Document, Effect, Run, SourceRow
from .permissions import holds
from .spending import Spent
from .steps.base import Work

READ = "read_source"
NOTHING = Decimal(0)


def account_of(agent_name: str) -> AgentAccount:
    """The account the agent acts under, made on first use without any grant."""
    found = AgentAccount.objects.select_related("user").filter(agent=agent_name).first()
    if found:
        return found
    user, _ = get_user_model().objects.get_or_create(
        username=f"agent.{agent_name}", defaults={"first_name": agent_name}
    )
    user.set_unusable_password()
    user.save(update_fields=["password"])
    return AgentAccount.objects.get_or_create(agent=agent_name, defaults={"user": user})[0]


class Context:
    """What an agent is given besides its input (agents.base.AgentContext)."""

    def __init__(self, agent: Agent, work: Work):
        self._agent, self._work = agent, work
        self.actor = Actor("agent", agent.name, agent.name)
        self.reads: list[dict[str, Any]] = []
        self.run_id, self.step, self.attempt = work.run_id, work.step.name, work.attempt
        self.control = bool(work.pinned.control)
        self.objections, self.corrections = work.objections, work.case.corrections

    def source(self, name: str) -> "TableSource":
        """The source, if the step declares it and the agent's account holds a grant; SourceRefused otherwise."""
        source = DataSource.objects.filter(name=name).first()
        if source is None or name not in self._work.step.sources or not self._granted(source):
            self._work.note("source.refused", ("source", name), self.actor, step=self.step)
            raise SourceRefused(self._agent.name, name)
        return TableSource(source, self)

    def _granted(self, source: DataSource) -> bool:
        account = account_of(self._agent.name)
        return holds(account.user, READ, source)

    def document(self, role: str) -> OpenDocument | None:
        """The run's document in that role, or None; its use is evidence too."""
        found = Document.objects.filter(rundocument__run_id=self.run_id, rundocument__role=role).first()
        return StoredDocument(found) if found else None

    def spend(self, *, cost: Decimal = NOTHING, tokens: int = 0, calls: int = 0) -> None:
        timeouts.check()
        self._work.spend(Spent(cost, tokens, calls))

    def read(self, source: str, query: str, rows: list[dict[str, Any]]) -> None:
        seen = {"source": source, "query": query, "rows": len(rows), "digest": digest(rows)}
        self.reads.append(seen)
        self._work.note("source.read", ("source", source), self.actor, step=self.step, **seen)
        self.spend(calls=1)


class TableSource:
    """Rows with a key. What is returned is a copy; nothing is written through it. A row of a register also says how the
    run that entered it stands by now, under `status`."""

    def __init__(self, source: DataSource, context: Context):
        self._source, self._context = source, context

    def get(self, key: str) -> dict[str, Any] | None:
        """The row with that key, or None."""
        rows = self._rows(key=key)
        self._context.read(self._source.name, f"{self._source.key_field} = {key}", rows)
        return rows[0] if rows else None

    def find(self, **fields: str) -> list[dict[str, Any]]:
        """Rows whose fields equal these values, by key."""
        found = self._rows(**{f"data__{name}": value for name, value in fields.items()})
        self._context.read(self._source.name, ", ".join(f"{name} = {v}" for name, v in sorted(fields.items())), found)
        return found

    def all(self) -> list[dict[str, Any]]:
        """Every row, by key: for small tables such as tolerances."""
        found = self._rows()
        self._context.read(self._source.name, "all rows", found)
        return found

    def _rows(self, **wanted: Any) -> list[dict[str, Any]]:
        rows = dict(SourceRow.objects.filter(source=self._source, **wanted).order_by("key").values_list("key", "data"))
        if self._source.kind == DataSource.Kind.REGISTER:
            rows = dict(sorted((rows | self._apart(wanted)).items()))
            stands = standing_of(rows)
            return [row | {"status": stands.get(key, row.get("status", "unknown"))} for key, row in rows.items()]
        return list(rows.values())

    def _apart(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """What a control case has entered for itself alone, where it is wanted."""
        if not self._context.control:
            return {}
        own = ControlEntry.objects.filter(source=self._source, key=str(self._context.run_id))
        return dict(own.filter(**wanted).values_list("key", "data"))


def standing_of(keys: Iterable[str]) -> dict[str, str]:
    """{run: its status}; what has succeeded and was taken back since is reversed."""
    back = Effect.objects.filter(run=OuterRef("pk"), taken_back_at__isnull=False)
    rows = Run.objects.filter(pk__in=runs_in(keys)).annotate(back=Exists(back))
    over = Run.Status.SUCCEEDED
    return {str(run.pk): REVERSED if run.back and run.status == over else run.status for run in rows}


def runs_in(keys: Iterable[str]) -> list[UUID]:
    """Those keys of a register that name a run; entries brought in from elsewhere have others."""
    found = []
    for key in keys:
        with suppress(ValueError):
            found.append(UUID(key))
    return found
