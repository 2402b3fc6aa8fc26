"""What an address asks for, and what whoever asks may see figures of.

Figures of a queue are seen by those who hold `insights` on it, and by auditors; figures of its people one by one by
those who hold `lead` on it, and everybody sees their own.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils import timezone

from orchestrator.models import Workflow
from orchestrator.permissions import granted, granted_each, is_auditor
from orchestrator.words import later as _

from ..models import Queue
from ..packet import name_of
from ..wanted import Unknown

FLOW, QUALITY, CALIBRATION, COST = "flow", "quality", "calibration", "cost"
TITLES = {FLOW: _("Flow"), QUALITY: _("Quality"), CALIBRATION: _("Calibration"), COST: _("Cost")}
PERIODS = (7, 30, 90)  # days
USUAL = 30
LONGEST = 250
Rows = TypeVar("Rows", bound=QuerySet)


@dataclass(frozen=True, slots=True)
class Asked:
    """The parts of an address: which tab, over how many days, `of` which agent's field, `csv` of which table."""

    tab: str = FLOW
    days: int = USUAL
    of: str = ""
    csv: str = ""

    @classmethod
    def of_query(cls, query: Mapping[str, str]) -> "Asked":
        """Unknown for a part that does not exist, or a value it cannot have."""
        for name in query:
            if name not in cls.__slots__:
                raise Unknown(name, query[name], f"one of {', '.join(cls.__slots__)}")
        tab, days = query.get("tab", FLOW), query.get("days", str(USUAL))
        if tab not in TITLES:
            raise Unknown("tab", tab, f"one of {', '.join(TITLES)}")
        if days not in map(str, PERIODS):
            raise Unknown("days", days, f"one of {', '.join(map(str, PERIODS))}")
        return cls(tab, int(days), query.get("of", "")[:LONGEST], query.get("csv", ""))


@dataclass(frozen=True, slots=True)
class Scope:
    """Over what is counted: whole days, the present one included, in these queues and workflows. `led`: the queues
    whose people are shown one by one."""

    reader: Any
    since: datetime
    until: datetime
    queues: Collection[Any]
    led: Collection[Any]
    workflows: Mapping[str, str]  # name: title
    everywhere: bool = False  # these are all the queues there are

    def within(self, rows: Rows, queue: str = "queue") -> Rows:
        """Those of its queues. Asking of each row which queue it is in is half the cost of counting a million."""
        return rows if self.everywhere else rows.filter(**{f"{queue}__in": self.queues})

    def title_of(self, workflow: str) -> str:
        return self.workflows.get(workflow, workflow)


def scope_of(user: Any, days: int) -> Scope:
    now = timezone.localtime()
    midnight = timezone.make_aware(datetime.combine(now.date() - timedelta(days=days - 1), time()))
    sees_all, held = is_auditor(user), granted_each(user, Queue, ["insights", "lead"])
    queues = Queue.objects.all() if sees_all else Queue.objects.filter(pk__in=held["insights"])
    known = (
        Workflow.objects.all() if sees_all else Workflow.objects.filter(pk__in=granted(user, Workflow, ["view_runs"]))
    )
    found = list(queues.values_list("pk", flat=True))
    return Scope(
        user,
        midnight,
        now,
        found,
        list(Queue.objects.filter(pk__in=held["lead"]).values_list("pk", flat=True)),
        dict(known.order_by("title").values_list("name", "title")),
        sees_all or len(found) == Queue.objects.count(),
    )


def names_of(people: Iterable[Any]) -> dict[Any, str]:
    """{key of a person: how they are called}."""
    return {user.pk: name_of(user) for user in get_user_model().objects.filter(pk__in=list(people))}
