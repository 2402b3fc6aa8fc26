"""What must be true of the database at any moment, as queries whose rows are the violations.

Numbers are those of the list in ARCHITECTURE.md. Apps above add their own by settings.INVARIANTS. What cannot be
asked of this database is named in NOT_ASKED, with the reason.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Case, Count, Exists, F, IntegerField, Max, OuterRef, Q, QuerySet, Sum, When
from django.utils.module_loading import import_string

from audit.log import database_now
from audit.models import Event, Pending

from . import transitions
from .digests import digest
from .models import (
    Decision,
    Effect,
    Incident,
    LedgerEntry,
    PolicyVersion,
    Run,
    SourceRow,
    Task,
    WebhookDelivery,
    WorkflowVersion,
)
from .pinned import definition_of
from .recovery import MAX_DEATHS

Found = Iterable[tuple[Any, str]]  # (subject, what is wrong with it)

NOT_ASKED: Mapping[str, str] = {
    "I23": "the tree over the trail is not built yet",
    "I25": "nothing is erased yet; that names stay beside a record and out of it is its writer's part (audit/log.py)",
}
LIVE = Effect.State.AUTHORISED, Effect.State.IN_FLIGHT, Effect.State.UNKNOWN
SENT = Effect.State.IN_FLIGHT, Effect.State.UNKNOWN, Effect.State.CONFIRMED
ONCE = Effect.Klass.QUERYABLE, Effect.Klass.NEITHER  # after the first attempt the outside is only asked
CHUNK = 500  # runs looked at together


@dataclass(frozen=True, slots=True)
class Violation:
    invariant: str
    subject: str
    message: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.subject}: {self.message}"


@dataclass(frozen=True, slots=True)
class Invariant:
    """`find(now)` yields (subject, what is wrong) for every violation."""

    number: str
    statement: str
    find: Callable[[datetime], Found]

    def violations(self, now: datetime) -> Iterator[Violation]:
        for subject, message in self.find(now):
            yield Violation(self.number, str(subject), message)


def invariant(number: str, statement: str) -> Callable[[Callable[[datetime], Found]], Invariant]:
    return lambda find: Invariant(number, statement, find)


def all_invariants() -> list[Invariant]:
    """Ours and those of the apps above, by number."""
    further = [one for path in settings.INVARIANTS for one in import_string(path)]
    return sorted([*INVARIANTS, *further], key=lambda one: one.number)


def check(now: datetime | None = None) -> list[Violation]:
    """Every violation there is; `now` is the database's time, or that of a frozen copy."""
    moment = now or database_now()
    return [found for one in all_invariants() for found in one.violations(moment)]


def effects(message: str, *conditions: Q, **values: Any) -> Found:
    for row in Effect.objects.filter(*conditions, **values).only("pk", "key").order_by("pk").iterator():
        yield f"effect {row.pk}", message


@invariant("I01", "whatever the ledger booked under a key of ours is an effect that was sent")
def booked_was_sent(now: datetime) -> Found:
    sent = Effect.objects.filter(state__in=SENT).values("key")
    for entry in LedgerEntry.objects.filter(key__startswith="countersign-").exclude(key__in=sent):
        yield f"ledger entry {entry.pk}", f"{entry.key} is no effect in flight, in doubt or confirmed"


@invariant("I02", "of what stands, one live effect and one booking per business key; one effect per step of a run")
def happens_once(now: datetime) -> Found:
    live = Effect.objects.exclude(state__in=Effect.DEAD).order_by()
    standing = Q(takes_back=None, taken_back_at=None)
    yield from _more_than_one(live.filter(standing).exclude(business_key=""), "live effects", "kind", "business_key")
    yield from _more_than_one(live.exclude(takes_back=None), "takings back", "takes_back")
    yield from _more_than_one(live, "live effects", "run", "step")
    yield from _more_than_one(Effect.objects.order_by(), "effects", "key")
    settled = Effect.objects.exclude(standing).values("key")
    booked = LedgerEntry.objects.exclude(business_key="").exclude(key__in=settled).order_by()
    yield from _more_than_one(booked, "bookings", "kind", "business_key")
    confirmed = Effect.objects.filter(state=Effect.State.CONFIRMED, takes_back=OuterRef("pk"))
    untrue = Q(taken_back_at=None) ^ Q(~Exists(confirmed))
    yield from effects("counts as taken back and was not, or the other way round", untrue)


def _more_than_one(rows: Any, what: str, *fields: str) -> Found:
    for found in rows.values(*fields).annotate(count=Count("pk")).filter(count__gt=1):
        yield " ".join(str(found[field]) for field in fields), f"{found['count']} {what}; at most one"


@invariant("I03", "what was booked, what was sent and what was authorised have one digest")
def nothing_was_exchanged(now: datetime) -> Found:
    for effect in Effect.objects.only("pk", "payload", "payload_digest").order_by("pk").iterator():
        if digest(effect.payload) != effect.payload_digest:
            yield f"effect {effect.pk}", "its payload does not have the digest that was authorised"
    authorised = dict(
        Effect.objects.filter(key__in=LedgerEntry.objects.values("key")).values_list("key", "payload_digest")
    )
    for entry in LedgerEntry.objects.order_by("pk").iterator():
        if authorised.get(entry.key, entry.payload_digest) != entry.payload_digest:
            yield f"ledger entry {entry.pk}", f"{entry.key} was booked with another payload than was authorised"


@invariant(
    "I11",
    "what is in force was put in force by another person than its author, and judges only from then on",
)
def policies_have_two_people(now: datetime) -> Found:
    one = Q(authored_by=None) | Q(published_by=None) | Q(authored_by=F("published_by"))
    workflows = WorkflowVersion.objects.filter(one).select_related("workflow")
    for version in chain(workflows, PolicyVersion.objects.filter(one).select_related("policy")):
        yield f"{version._meta.verbose_name} {version}", "has no second person who put it in force"
    for decision in Decision.objects.filter(made_at__lt=F("policy_version__published_at")):
        yield f"decision {decision.pk}", "was made under a policy that was not yet in force"


@invariant("I13", "statuses are of the tables of moves, and the times that belong to them are there")
def statuses_are_sane(now: datetime) -> Found:
    for model, field, table in ((Run, "status", transitions.RUN), (Task, "status", transitions.TASK)):
        yield from _unknown_states(model, field, table)
    yield from _unknown_states(Effect, "state", transitions.EFFECT)
    for run in Run.objects.filter(status=Run.Status.SUSPENDED, resumes_to=""):
        yield f"run {run.pk}", "is suspended and does not know what it goes back to"
    ended = Task.Status.SUCCEEDED, Task.Status.SKIPPED, Task.Status.FAILED, Task.Status.REJECTED
    for task in Task.objects.filter(status__in=ended, ended_at=None):
        yield f"task {task.pk}", f"is {task.status} without a time at which it ended"
    yield from effects("was sent, and has no time or attempt of it", Q(sent_at=None) | Q(attempts=0), state__in=SENT)
    unsent = Effect.State.AUTHORISED, Effect.State.VOID
    yield from effects(
        "was not sent, and has a time or an attempt", ~Q(sent_at=None) | ~Q(attempts=0), state__in=unsent
    )
    over = Effect.State.CONFIRMED, Effect.State.FAILED, Effect.State.VOID
    yield from effects("is over without a time at which it ended", state__in=over, ended_at=None)


def _unknown_states(model: Any, field: str, table: transitions.Moves) -> Found:
    for row in model.objects.exclude(**{f"{field}__in": table}):
        yield f"{model._meta.model_name} {row.pk}", f"{field} is {getattr(row, field)!r}, which no table knows"


@invariant("I14", "published versions are numbered 1 to n without a gap")
def versions_have_no_gap(now: datetime) -> Found:
    for model, owner in ((WorkflowVersion, "workflow"), (PolicyVersion, "policy")):
        rows = model.objects.order_by().values(owner).annotate(count=Count("pk"), last=Max("number"))
        for found in rows.exclude(count=F("last")):
            yield f"{owner} {found[owner]}", f"{found['count']} versions, the last is number {found['last']}"


@invariant("I15", "fences grow with every attempt, and one attempt at most is confirmed")
def fences_grow(now: datetime) -> Found:
    yield from effects("its fence is not the number of its attempts", ~Q(fence=F("attempts")))
    for task in Task.objects.filter(fence__lt=F("attempts")):
        yield f"task {task.pk}", f"{task.attempts} attempts under fence {task.fence}"
    confirmed = Event.objects.filter(kind="effect.confirmed").order_by().values("subject_id")
    for found in confirmed.annotate(count=Count("pk")).filter(count__gt=1):
        yield f"effect {found['subject_id']}", f"was confirmed {found['count']} times"


LET_GO = ("task.retried", "task.lease_expired", "task.incident_raised")


@invariant("I16", "an effect is sent again only after the attempt before it was let go")
def attempts_do_not_overlap(now: datetime) -> Found:
    for effect in Effect.objects.filter(attempts__gt=1).exclude(task=None).iterator():
        sent = Q(kind="effect.sent", run=str(effect.run_id))
        let_go = Q(kind__in=LET_GO, subject_id=str(effect.task_id))
        held = False
        for event in Event.objects.filter(sent | let_go).oldest_first():
            if event.kind != "effect.sent":
                held = False
            elif event.data["effect"] == effect.key:
                if held:
                    yield (
                        f"effect {effect.pk}",
                        f"attempt {event.data['attempt']} began while the one before it was held",
                    )
                held = True


@invariant("I17", "whatever is unfinished has something that will wake it")
def everything_has_a_waker(now: datetime) -> Found:
    incidents = Incident.objects.filter(resolved_at=None)
    for task in Task.objects.filter(status=Task.Status.INCIDENT).exclude(pk__in=task_ids(incidents)):
        yield f"task {task.pk}", "needs an operator, and no incident is open"
    unfinished = Run.objects.exclude(status__in=Run.ENDED)
    idle = unfinished.exclude(pk__in=Task.objects.filter(status__in=Task.OPEN).values("run"))
    held = Q(status=Run.Status.SUSPENDED, pk__in=incidents.values("run"))
    ending = Q(status=Run.Status.CANCELLING, pk__in=Effect.objects.filter(state__in=LIVE).values("run"))
    in_turn = Q(status=Run.Status.PENDING)  # the sweeper lets it begin
    for run in idle.exclude(held | ending | in_turn):
        yield f"run {run.pk}", f"is {run.status}, and no task of it is open"


def task_ids(incidents: QuerySet[Incident]) -> QuerySet[Any]:
    """NOT IN over a NULL would be nothing at all."""
    return incidents.exclude(task=None).values("task")


@invariant("I18", "what has ended has ended whole")
def ends_are_whole(now: datetime) -> Found:
    for task in Task.objects.filter(run__status__in=Run.ENDED, status__in=Task.OPEN):
        yield f"run {task.run_id}", f"has ended, and its step {task.step} is {task.status}"
    for effect in Effect.objects.filter(run__status__in=Run.ENDED, state__in=LIVE):
        yield f"run {effect.run_id}", f"has ended, and its effect {effect.pk} is {effect.state}"


@invariant("I20", "nothing is tried more often than it may be")
def attempts_are_bounded(now: datetime) -> Found:
    # An effect that may have happened is asked after however often it takes; it is bounded by its class.
    for task in Task.objects.filter(attempts__gt=MAX_DEATHS).exclude(kind="effect").select_related("run"):
        most = max(definition_of(task.run.version_id).step(task.step).retry.max_attempts, MAX_DEATHS)
        if task.attempts > most:
            yield f"task {task.pk}", f"{task.attempts} attempts; at most {most}"
    for effect in Effect.objects.filter(klass__in=ONCE, attempts__gt=1).only("pk", "key", "run_id"):
        told = Event.objects.filter(kind="effect.sent", run=str(effect.run_id))
        if sum(event.data["effect"] == effect.key for event in told) > 1:
            yield f"effect {effect.pk}", "may be sent once, and was sent again"


@invariant("I22", "every change has exactly one event, and every event its place in the tree or in the queue for it")
def changes_are_told_once(now: datetime) -> Found:
    for event in Event.objects.exclude(pk__in=Pending.objects.values("pk")).only("pk", "kind"):
        yield f"event {event.pk}", f"{event.kind} has no place in the tree and waits for none"
    for lost in Pending.objects.exclude(pk__in=Event.objects.values("pk")):
        yield f"pending {lost.pk}", "waits for a place, and there is no such event"
    runs = Run.objects.order_by("pk").values_list("pk", flat=True).iterator()
    while ids := list(islice(runs, CHUNK)):
        yield from _runs_are_told(ids)


def _runs_are_told(ids: Sequence[UUID]) -> Found:
    told = told_of(ids)
    expected = expected_of(ids)
    for run_id in ids:
        for kind, count in expected[str(run_id)].items():
            if told[str(run_id), kind] != count:
                yield f"run {run_id}", f"{told[str(run_id), kind]} events {kind} for {count}"


def told_of(ids: Sequence[UUID]) -> Counter[tuple[str, str]]:
    """{(run, kind of event): count}. The end of a review step is told by the review's own events as well."""
    reviews = [str(pk) for pk in Task.objects.filter(run__in=ids, kind="review").values_list("pk", flat=True)]
    rows = Event.objects.filter(run__in=list(map(str, ids))).order_by()
    steps = rows.filter(kind__in=("task.succeeded", "task.skipped")).exclude(subject_id__in=reviews)
    counts = rows.exclude(kind__startswith="task.").values_list("run", "kind").annotate(count=Count("pk"))
    told = Counter({(run, kind): count for run, kind, count in counts})
    for run, count in steps.values_list("run").annotate(count=Count("pk")):
        told[run, "task.succeeded or task.skipped"] = count
    return told


def expected_of(ids: Sequence[UUID]) -> dict[str, dict[str, int]]:
    """{run: {kind of event: how many there must be}}, from the rows of the runs."""
    by_policy = Q(decisions__actor_kind=Decision.ActorKind.POLICY)
    by_step = Q(decisions__actor_kind__in=("agent", "system")) & ~Q(decisions__task__kind="review")
    rows = Run.objects.filter(pk__in=ids).order_by()
    policies = dict(rows.values_list("pk").annotate(count=Count("decisions", filter=by_policy)))
    steps = dict(rows.values_list("pk").annotate(count=Count("decisions", filter=by_step)))
    sums = Effect.objects.filter(run__in=ids).order_by().values("run")
    times = Case(When(klass__in=ONCE, attempts__gt=1, then=1), default="attempts", output_field=IntegerField())
    sent = {row["run"]: row for row in sums.annotate(all=Count("pk"), sent=Sum(times))}
    nothing = {"all": 0, "sent": 0}
    return {
        str(run.pk): {
            "run.started": 1,
            **({f"run.{run.status}": 1} if run.status in Run.ENDED else {}),
            "policy.evaluated": policies[run.pk],
            "task.succeeded or task.skipped": steps[run.pk],
            "effect.authorised": sent.get(run.pk, nothing)["all"],
            "effect.sent": sent.get(run.pk, nothing)["sent"],
        }
        for run in rows
    }


@invariant("I24", "authorised, then sent, then over; and nothing is sent after a rejection")
def times_are_in_order(now: datetime) -> Found:
    yield from effects("was sent before it was authorised", sent_at__lt=F("authorised_at"))
    yield from effects("was over before it was sent", ended_at__lt=F("sent_at"))
    refused = dict(Event.objects.filter(kind="run.rejected").values_list("run", "at"))
    for event in Event.objects.filter(kind="effect.sent", run__in=refused).oldest_first():
        if event.at > refused[event.run]:
            yield f"run {event.run}", f"sent {event.data['effect']} after it was rejected"


@invariant("I26", "a control case does nothing outside, and no other case and nobody outside knows of it")
def control_cases_touch_nothing(now: datetime) -> Found:
    yield from effects("is of a control case", run__control=True)
    runs = Run.objects.filter(control=True).order_by("pk").values_list("pk", flat=True).iterator()
    while ids := [str(pk) for pk in islice(runs, CHUNK)]:
        for row in SourceRow.objects.filter(key__in=ids):
            yield f"source row {row.pk}", f"is an entry of the control case {row.key}"
        told = Event.objects.filter(run__in=ids).values("pk")
        for delivery in WebhookDelivery.objects.filter(event__in=told):
            yield f"delivery {delivery.pk}", f"tells of a control case: {delivery.kind}"


INVARIANTS = (
    booked_was_sent,
    happens_once,
    nothing_was_exchanged,
    policies_have_two_people,
    statuses_are_sane,
    versions_have_no_gap,
    fences_grow,
    attempts_do_not_overlap,
    everything_has_a_waker,
    ends_are_whole,
    attempts_are_bounded,
    changes_are_told_once,
    times_are_in_order,
    control_cases_touch_nothing,
)
