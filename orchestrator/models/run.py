"""One execution of a workflow: its tasks, decisions, effects and incidents."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7

from .document import Document
from .policy import PolicyVersion
from .workflow import WorkflowVersion


class RunStatus(models.TextChoices):
    PENDING = "pending", _("pending")
    RUNNING = "running", _("running")
    WAITING = "waiting", _("waiting for a person")
    SUSPENDED = "suspended", _("suspended")
    CANCELLING = "cancelling", _("being cancelled")
    SUCCEEDED = "succeeded", _("succeeded")
    REJECTED = "rejected", _("rejected")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class Run(models.Model):
    """One execution, pinned to a workflow version and a policy version."""

    Status = RunStatus

    ENDED = (Status.SUCCEEDED, Status.REJECTED, Status.FAILED, Status.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(WorkflowVersion, models.PROTECT, related_name="runs")
    policy_version = models.ForeignKey(PolicyVersion, models.PROTECT, null=True, related_name="runs")
    status = models.CharField(max_length=12, choices=Status, default=Status.RUNNING)
    resumes_to = models.CharField(max_length=12, blank=True, help_text=_("The status a suspended run goes back to."))
    outcome = models.CharField(max_length=300, blank=True)
    round = models.PositiveIntegerField(default=1, help_text=_("Grows when the run is sent back to an earlier step."))
    subject = models.CharField(max_length=200, blank=True)
    business_key = models.CharField(max_length=200, blank=True)
    input = models.JSONField(default=dict)
    key = models.CharField(max_length=200, blank=True, help_text=_("Idempotency key of whoever started it."))
    request_digest = models.CharField(max_length=64, blank=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    started_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True)
    priority = models.PositiveSmallIntegerField(default=0, help_text=_("0 to 3; how far its steps go ahead of others."))
    control = models.BooleanField(
        null=True, help_text=_("A planted case with a known answer: nothing of it leaves. Empty: an ordinary one.")
    )
    spent = models.JSONField(
        null=True, help_text=_("Cost, tokens and calls so far, where the workflow names a budget.")
    )
    parent = models.ForeignKey("Task", models.PROTECT, null=True, related_name="children")
    documents: "models.ManyToManyField[Document, RunDocument]" = models.ManyToManyField(
        Document, through="RunDocument", related_name="runs"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["started_by", "key"], condition=~Q(key=""), name="run_key_once"),
            models.CheckConstraint(condition=Q(status__in=RunStatus.values), name="run_status_known"),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) ^ Q(status__in=("succeeded", "rejected", "failed", "cancelled")),
                name="run_ended_has_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="run_newest"),
            models.Index(fields=["version", "status"], name="run_by_version"),
            models.Index(fields=["subject"], name="run_subject"),
            models.Index(fields=["id"], name="run_control", condition=Q(control=True)),
            # What the sweeper asks for again and again, however long the past.
            models.Index(fields=["status"], name="run_going", condition=Q(ended_at__isnull=True)),
            models.Index(
                fields=["parent"], name="run_going_child", condition=Q(ended_at__isnull=True, parent__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return gettext("run %(id)s") % {"id": self.id}


class RunDocument(models.Model):
    run = models.ForeignKey(Run, models.PROTECT)
    document = models.ForeignKey(Document, models.PROTECT)
    role = models.CharField(max_length=60, help_text=_("The input it fills, or 'attachment'."))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "document", "role"], name="run_document_once")]

    def __str__(self) -> str:
        return f"{self.role} of run {self.run_id}"


class TaskStatus(models.TextChoices):
    READY = "ready", _("ready")
    RUNNING = "running", _("running")
    RETRY_WAIT = "retry_wait", _("waiting to try again")
    WAITING = "waiting", _("waiting")
    INCIDENT = "incident", _("needs an operator")
    SUCCEEDED = "succeeded", _("succeeded")
    SKIPPED = "skipped", _("skipped")
    FAILED = "failed", _("failed")
    REJECTED = "rejected", _("rejected")
    CANCELLED = "cancelled", _("cancelled")


class Task(models.Model):
    """A step of one run. The row exists from the moment the step is ready: what is still to come is read from the
    definition."""

    Status = TaskStatus

    DONE = (Status.SUCCEEDED, Status.SKIPPED)
    OPEN = (Status.READY, Status.RUNNING, Status.RETRY_WAIT, Status.WAITING, Status.INCIDENT)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, models.PROTECT, related_name="tasks")
    step = models.CharField(max_length=60)
    kind = models.CharField(max_length=20)
    status = models.CharField(max_length=12, choices=Status)
    round = models.PositiveIntegerField(default=1)
    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0, help_text=_("Grows with every claim; an older result is dropped."))
    deaths = models.PositiveSmallIntegerField(
        default=0, help_text=_("Workers lost over it; if any, it is claimed alone.")
    )
    lane = models.CharField(max_length=20, default="default", help_text=_("Which workers may claim it."))
    ready_at = models.DateTimeField(null=True, help_text=_("Set exactly while claimable, perhaps in the future."))
    lease_until = models.DateTimeField(null=True, help_text=_("Set exactly while leased."))
    error = models.CharField(max_length=500, blank=True)
    objections = models.JSONField(null=True, help_text=_("What the validator said about the last try."))
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "step"], name="one_task_per_step"),
            models.CheckConstraint(condition=Q(status__in=TaskStatus.values), name="task_status_known"),
            models.CheckConstraint(
                condition=Q(ready_at__isnull=True) ^ Q(status__in=("ready", "retry_wait")), name="task_ready_has_a_time"
            ),
            models.CheckConstraint(
                condition=Q(lease_until__isnull=True) ^ Q(status="running"), name="task_running_has_a_lease"
            ),
        ]
        # NULL tests and not a status literal: a prepared statement has a parameter there and could not use the index.
        indexes = [
            models.Index(fields=["ready_at", "id"], name="task_ready", condition=Q(ready_at__isnull=False)),
            models.Index(fields=["id"], name="task_oldest", condition=Q(ready_at__isnull=False)),
            models.Index(fields=["lease_until"], name="task_leased", condition=Q(lease_until__isnull=False)),
            models.Index(fields=["status"], name="task_workflows", condition=Q(kind="workflow")),  # see family.sweep()
        ]

    def __str__(self) -> str:
        return gettext("%(step)s of run %(run)s") % {"step": self.step, "run": self.run_id}


class Wait(models.Model):
    """What a waiting task waits for: a time, an event of that name and correlation, or whichever is first. One per
    task and round, so that a step entered twice does not wait twice."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(Task, models.PROTECT, related_name="waits")
    round = models.PositiveIntegerField()
    event = models.CharField(max_length=100, blank=True)
    correlation = models.CharField(max_length=200, blank=True)
    due_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    data = models.JSONField(null=True, help_text=_("What the event said."))

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "round"], name="one_wait_per_task_and_round")]
        indexes = [
            models.Index(fields=["due_at"], name="wait_due", condition=Q(ended_at__isnull=True)),
            models.Index(fields=["event", "correlation"], name="wait_event", condition=Q(ended_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.event or 'a time'}: {self.correlation or self.due_at}"


class Decision(models.Model):
    """One recorded judgement on a run; a run's decisions in order are the context its later steps see. Insert only."""

    class ActorKind(models.TextChoices):
        AGENT = "agent", _("agent")
        POLICY = "policy", _("policy")
        PERSON = "person", _("person")
        SYSTEM = "system", _("system")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, models.PROTECT, related_name="decisions")
    task = models.ForeignKey(Task, models.PROTECT, related_name="decisions")
    step = models.CharField(max_length=60)
    round = models.PositiveIntegerField(default=1)
    actor_kind = models.CharField(max_length=10, choices=ActorKind)
    actor = models.CharField(max_length=120, help_text=_("Agent name, policy name or the person's name at the time."))
    actor_version = models.CharField(max_length=40, blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    verdict = models.CharField(max_length=20)
    confidence = models.FloatField(null=True)
    rationale = models.TextField(blank=True)
    output = models.JSONField(default=dict)
    corrections = models.JSONField(default=dict, help_text=_("JSON pointer into the case data: new value."))
    evidence = models.JSONField(default=list)
    trace = models.JSONField(default=dict, help_text=_("A policy's evaluation, rule by rule."))
    policy_version = models.ForeignKey(PolicyVersion, models.PROTECT, null=True, related_name="+")
    cost = models.DecimalField(max_digits=12, decimal_places=6, default=0)
    based_on = models.CharField(max_length=64, help_text=_("Digest of what was judged."))
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["made_at", "id"]

    def __str__(self) -> str:
        return f"{self.actor}: {self.verdict}"


class EffectState(models.TextChoices):
    AUTHORISED = "authorised", _("authorised")
    IN_FLIGHT = "in_flight", _("in flight")
    UNKNOWN = "unknown", _("in doubt")
    VOID = "void", _("void")
    CONFIRMED = "confirmed", _("confirmed")
    FAILED = "failed", _("failed")


class EffectClass(models.TextChoices):
    """What the outside offers, which decides what may be repeated (ARCHITECTURE.md, Effects)."""

    KEYED = "K", _("deduplicates by our key")
    NATURAL = "N", _("refuses a second natural key")
    QUERYABLE = "Q", _("can be asked")
    NEITHER = "X", _("neither")


class Effect(models.Model):
    """One change outside. Authorised → in flight is the one point of no return."""

    State = EffectState

    Klass = EffectClass

    DEAD = (State.VOID, State.FAILED)

    REPEATABLE = (Klass.KEYED, Klass.NATURAL)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, models.PROTECT, related_name="effects")
    task = models.ForeignKey(Task, models.PROTECT, null=True, related_name="effects")
    step = models.CharField(max_length=60)
    round = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=80)
    connector = models.CharField(max_length=40)
    klass = models.CharField(max_length=1, choices=Klass)
    state = models.CharField(max_length=12, choices=State, default=State.AUTHORISED)
    key = models.CharField(max_length=64, unique=True, help_text=_("Derived, never with an attempt number."))
    business_key = models.CharField(max_length=250, blank=True)
    payload = models.JSONField()
    payload_digest = models.CharField(max_length=64)
    packet_digest = models.CharField(max_length=64, blank=True, help_text=_("The case packet that was approved."))
    policy_digest = models.CharField(max_length=64, blank=True)
    fence = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    ref = models.CharField(max_length=200, blank=True, help_text=_("What the outside calls it."))
    error = models.CharField(max_length=500, blank=True)
    authorised_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    takes_back = models.ForeignKey("self", models.PROTECT, null=True, db_index=False, related_name="takings")
    taken_back_at = models.DateTimeField(null=True, help_text=_("When what takes it back was confirmed."))

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "business_key"],
                condition=~Q(state__in=("void", "failed"))
                & ~Q(business_key="")
                & Q(takes_back=None, taken_back_at=None),
                name="one_live_effect_per_business_key",
            ),
            models.UniqueConstraint(
                fields=["takes_back"], condition=~Q(state__in=("void", "failed")), name="taken_back_once"
            ),
            models.CheckConstraint(
                condition=Q(taken_back_at=None) | Q(state="confirmed"), name="only_what_was_done_is_taken_back"
            ),
            models.CheckConstraint(condition=Q(state__in=EffectState.values), name="effect_state_known"),
            models.CheckConstraint(condition=Q(klass__in=EffectClass.values), name="effect_class_known"),
        ]
        indexes = [
            models.Index(fields=["state", "connector"], name="effect_by_state"),
            models.Index(fields=["takes_back"], name="effect_taking", condition=Q(takes_back__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.business_key or self.key}"


class Booked(models.Model):
    """What the outside has booked in a time that a restored database has lost: it is not sent for the same business
    key under another key."""

    key = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=80)
    business_key = models.CharField(max_length=250)
    ref = models.CharField(max_length=200, blank=True, help_text=_("What the outside calls it."))
    noted_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "booked effects of a lost time"
        indexes = [models.Index(fields=["kind", "business_key"], name="booked_by_business_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.business_key}"


class Incident(models.Model):
    """What needs an operator: exhausted retries, an effect in doubt, a crash loop."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    run = models.ForeignKey(Run, models.PROTECT, related_name="incidents")
    task = models.ForeignKey(Task, models.PROTECT, null=True, related_name="incidents")
    effect = models.ForeignKey(Effect, models.PROTECT, null=True, related_name="incidents")
    kind = models.CharField(max_length=40)
    detail = models.CharField(max_length=500)
    opened_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    resolution = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-opened_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True) | (Q(resolved_by__isnull=False) & ~Q(reason="")),
                name="resolved_by_somebody_for_a_reason",
            )
        ]
        permissions = [("resolve_incident", _("Can resolve incidents"))]

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


class Hold(models.Model):
    """While a hold is in force, no effect it covers is sent."""

    class Scope(models.TextChoices):
        ALL = "all", _("every effect")
        KIND = "kind", _("one kind of effect")
        CONNECTOR = "connector", _("one connector")
        AGENT = "agent", _("one agent")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scope = models.CharField(max_length=10, choices=Scope)
    value = models.CharField(max_length=80, blank=True, help_text=_("Which kind, connector or agent; empty for all."))
    reason = models.CharField(max_length=300)
    pulled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    pulled_at = models.DateTimeField(db_default=Now())
    released_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    released_at = models.DateTimeField(null=True)

    class Meta:
        permissions = [("pull_hold", _("Can stop and release effects"))]
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "value"], condition=Q(released_at__isnull=True), name="one_hold_in_force"
            ),
            models.CheckConstraint(
                condition=~Q(released_by=models.F("pulled_by")), name="hold_released_by_a_second_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_scope_display()} {self.value}".strip()


class Heartbeat(models.Model):
    """When a worker was last seen, by the database's clock."""

    name = models.CharField(max_length=120, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
