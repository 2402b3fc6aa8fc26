"""Human work: where it waits, who must look, what they answered."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext_lazy as _

from audit.ids import uuid7
from orchestrator.models import Decision, Run, Task

from .models_control import ControlCase as ControlCase
from .querysets import LISTED, ReviewQuerySet


class ReviewPolicy(models.Model):
    """How a queue's cases are decided: how many people, how fast, and how long an answer may be taken back."""

    class Recommendation(models.TextChoices):
        ALWAYS = "always", _("shown at once")
        AFTER_CHOICE = "after_choice", _("shown after the choice")
        ON_REQUEST = "on_request", _("shown when asked for, or after the choice")
        NEVER = "never", _("never shown")

    name = models.SlugField(max_length=60, unique=True)
    quorum = models.PositiveSmallIntegerField(
        default=1, help_text=_("Different people who must approve at each level.")
    )
    undo_seconds = models.PositiveSmallIntegerField(default=10, help_text=_("0: an answer counts at once."))
    sla_minutes = models.PositiveIntegerField(default=480, help_text=_("Due this long after a case arrives."))
    validity_hours = models.PositiveIntegerField(default=24, help_text=_("A page opened longer ago cannot decide."))
    max_rounds = models.PositiveSmallIntegerField(default=5, help_text=_("How often a case may be sent back."))
    snooze_stops_clock = models.BooleanField(
        default=False,
        help_text=_("A snoozed case is due so much later; otherwise it comes back at the latest when due."),
    )
    bulk_approve = models.BooleanField(
        default=False, help_text=_("Cases in which nothing differs may be approved several at a time.")
    )
    similar_below = models.DecimalField(
        max_digits=16,
        decimal_places=2,
        default=5000,
        help_text=_("Cases up to this amount, in BASE_CURRENCY, are offered to be selected with others like them."),
    )
    recommendation = models.CharField(max_length=12, choices=Recommendation, default=Recommendation.AFTER_CHOICE)
    blind = models.BooleanField(
        default=False,
        help_text=_(
            "Whoever signs after the first sees nothing of the answers before theirs. Where two differ, a third "
            "person sees both and settles it."
        ),
    )
    wants_words = models.BooleanField(
        default=False, help_text=_("A reason code is not enough: say it in words as well.")
    )

    class Meta:
        verbose_name_plural = "review policies"
        constraints = [models.CheckConstraint(condition=Q(quorum__gte=1), name="quorum_is_at_least_one")]

    def __str__(self) -> str:
        return self.name


class ReasonCode(models.Model):
    """A reason people of this policy choose from. A verdict with codes here offers these and none of the usual ones."""

    class Verdict(models.TextChoices):
        APPROVE = "approve", _("approve")
        REJECT = "reject", _("reject")
        REROUTE = "reroute", _("reroute")
        ESCALATE = "escalate", _("escalate")

    policy = models.ForeignKey(ReviewPolicy, models.CASCADE, related_name="codes")
    verdict = models.CharField(max_length=12, choices=Verdict)
    code = models.SlugField(max_length=60, help_text=_("What is recorded: never change what it stands for."))
    words = models.CharField(max_length=120)
    position = models.PositiveSmallIntegerField(default=1)
    is_active = models.BooleanField(
        default=True, help_text=_("Off: no longer offered. What was recorded keeps its words.")
    )

    class Meta:
        ordering = ["policy", "verdict", "position", "pk"]
        constraints = [models.UniqueConstraint(fields=["policy", "verdict", "code"], name="reason_code_once")]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.words}"


class ReviewLevel(models.Model):
    """A further group that must approve, in order, after the queue's own reviewers."""

    policy = models.ForeignKey(ReviewPolicy, models.CASCADE, related_name="levels")
    position = models.PositiveSmallIntegerField(default=1)
    group = models.ForeignKey(Group, models.PROTECT, related_name="+")
    above = models.DecimalField(
        max_digits=16, decimal_places=2, default=0, help_text=_("Only for amounts above this, in BASE_CURRENCY.")
    )

    class Meta:
        ordering = ["policy", "position"]
        constraints = [models.UniqueConstraint(fields=["policy", "group"], name="level_group_once")]

    def __str__(self) -> str:
        return f"{self.group} > {self.above}"


class Queue(models.Model):
    """Where reviews wait. Who may see and decide them are object permissions on the queue."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.SlugField(max_length=60, unique=True)
    title = models.CharField(max_length=120)
    policy = models.ForeignKey(ReviewPolicy, models.PROTECT, related_name="queues")
    escalates_to = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["title"]
        permissions = [  # view_queue comes from Django
            ("decide", _("Can decide cases in this queue")),
            ("use_queue", _("Can put this queue into workflows")),
            ("reroute", _("Can send cases of this queue elsewhere")),
            ("insights", _("Can see the figures of this queue")),
            ("lead", _("Leads the people of this queue, and sees their figures one by one")),
        ]

    def __str__(self) -> str:
        return self.title


class ReviewStatus(models.TextChoices):
    OPEN = "open", _("open")
    CLAIMED = "claimed", _("claimed")
    ESCALATED = "escalated", _("escalated")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")
    REROUTED = "rerouted", _("rerouted")
    STALE = "stale", _("out of date")
    RECALLED = "recalled", _("taken back")
    EXPIRED = "expired", _("expired")
    WITHDRAWN = "withdrawn", _("withdrawn")


BANDS = (_("Overdue"), _("Due within 2 hours"), _("Due within 24 hours"), _("Later"))
BAND_LIMITS = (timedelta(0), timedelta(hours=2), timedelta(hours=24))  # due at most so far ahead
NO_AMOUNT = 2**62  # stands behind every amount


def band_of(due_at: datetime, now: datetime) -> int:
    """Index into BANDS."""
    return sum(due_at > now + limit for limit in BAND_LIMITS)


class Review(models.Model):
    """The human side of a waiting task, one per round. The same row is the wait and the inbox item."""

    Status = ReviewStatus

    LIVE = (Status.OPEN, Status.CLAIMED, Status.ESCALATED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(Task, models.PROTECT, related_name="reviews")
    run = models.ForeignKey(Run, models.PROTECT, related_name="reviews")
    queue = models.ForeignKey(Queue, models.PROTECT, related_name="reviews")
    reverses = models.ForeignKey(
        Task,
        models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text=_("The case whose answer is to be reversed here."),
    )
    # Lists ask this of every row: looking up who signed what would cost them more than all else.
    barred = models.TextField(
        null=True, help_text=_('Keys of those who had a part in what is reversed, or know the answer: " 3 17 ".')
    )
    control = models.BooleanField(null=True, help_text=_("A planted case with a known answer. Empty: an ordinary one."))
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", help_text=_("Who started the run.")
    )
    workflow = models.CharField(max_length=60, help_text=_("The name of the run's workflow."))
    round = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=12, choices=Status, default=Status.OPEN)
    level = models.PositiveSmallIntegerField(default=0, help_text=_("Index into levels: whose turn it is."))
    levels = models.JSONField(default=list, help_text=_('[{"group": name or "", "quorum": n, "why": words}, …]'))
    title = models.CharField(max_length=200)
    number = models.CharField(max_length=120, blank=True, help_text=_("Invoice number or the like, for searching."))
    vendor = models.CharField(max_length=200, blank=True)
    amount_base = models.BigIntegerField(null=True, help_text=_("Exposure in minor units of BASE_CURRENCY."))
    amount = models.CharField(max_length=40, blank=True, help_text=_('As the document says it: "38669.29 EUR".'))
    reasons = models.JSONField(default=list, help_text=_("The rules that stopped it: name, route, words, values."))
    packet = models.JSONField(help_text=_("The case as it is put before people (packet.py)."))
    packet_digest = models.CharField(max_length=64)
    policy_digest = models.CharField(max_length=64, blank=True)
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()
    band = models.PositiveSmallIntegerField(
        null=True, help_text=_("Index into BANDS; set exactly while live. The sweeper keeps up with the clock.")
    )
    rank = models.GeneratedField(
        expression=Coalesce(-F("amount_base"), NO_AMOUNT),
        output_field=models.BigIntegerField(),
        db_persist=True,
        help_text=_("What stands first within a band: the larger exposure."),
    )
    overdue_at = models.DateTimeField(null=True, help_text=_("When it was escalated for being late."))
    claimed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    claimed_until = models.DateTimeField(null=True)
    asked = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    delegated_to = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    delegated_until = models.DateTimeField(null=True, help_text=_("Then it goes back to the team; empty: never."))
    wanted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", help_text=_("Who asks to take it over.")
    )
    snoozed_until = models.DateTimeField(null=True, help_text=_("Until then it is in nobody's list of what to do."))
    snoozed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    snooze_moved_due = models.BooleanField(default=False, help_text=_("The snooze has put the due time off."))
    signed_at = models.DateTimeField(
        null=True, help_text=_("When one of several people signed last; empty: nobody yet.")
    )
    settled_at = models.DateTimeField(null=True)
    undo_until = models.DateTimeField(null=True, help_text=_("Until then the settled answer may be taken back."))
    ended_at = models.DateTimeField(null=True, help_text=_("When the round ended, in whatever way."))
    answer = models.JSONField(default=dict, help_text=_("What was settled: verdict, corrections, target, by whom."))
    rules = models.CharField(
        max_length=300, null=True, help_text=_("The rules that stopped it: what makes cases alike.")
    )
    measured_at = models.DateTimeField(null=True, help_text=_("When its outcome was counted (measured.py)."))

    objects = ReviewQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "round"], name="one_review_per_round"),
            models.UniqueConstraint(
                fields=["task"],
                condition=Q(status__in=("open", "claimed", "escalated")),
                name="one_live_review_per_task",
            ),
            models.CheckConstraint(condition=Q(status__in=ReviewStatus.values), name="review_status_known"),
            models.CheckConstraint(
                condition=~Q(status="claimed") | Q(claimed_by__isnull=False, claimed_until__isnull=False),
                name="claimed_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(band__isnull=True) ^ Q(status__in=("open", "claimed", "escalated")),
                name="live_review_has_a_band",
            ),
        ]
        # What is live has a band: a prepared statement has parameters for statuses and could not use a partial index.
        indexes = [
            models.Index(fields=["band", "rank", "due_at", "id"], name="review_urgency", condition=LISTED),
            models.Index(fields=["queue", "band", "rank", "due_at", "id"], name="review_queue", condition=LISTED),
            models.Index(fields=["workflow", "band", "rank", "due_at", "id"], name="review_workflow", condition=LISTED),
            models.Index(fields=["rank", "id"], name="review_exposure", condition=LISTED),
            models.Index(fields=["opened_at", "id"], name="review_age", condition=LISTED),
            models.Index(fields=["rank", "id"], name="review_rank"),
            models.Index(fields=["signed_at"], name="review_signed", condition=LISTED & Q(signed_at__isnull=False)),
            models.Index(fields=["due_at"], name="review_late", condition=LISTED & Q(overdue_at__isnull=True)),
            models.Index(fields=["claimed_until"], name="review_claims", condition=Q(claimed_until__isnull=False)),
            models.Index(fields=["delegated_until"], name="review_handed", condition=Q(delegated_until__isnull=False)),
            models.Index(fields=["snoozed_until"], name="review_snoozes", condition=Q(snoozed_until__isnull=False)),
            models.Index(fields=["band", "due_at"], name="review_due", condition=LISTED),
            models.Index(fields=["number"], name="review_number"),
            models.Index(fields=["opened_at", "queue"], name="review_opened"),
            models.Index(fields=["ended_at", "queue"], name="review_ended", condition=Q(ended_at__isnull=False)),
            models.Index(
                fields=["undo_until"],
                name="review_to_measure",
                condition=Q(undo_until__isnull=False, measured_at__isnull=True),
            ),
            models.Index(
                fields=["vendor", "-settled_at"], name="review_past_vendor", condition=Q(settled_at__isnull=False)
            ),
            models.Index(
                fields=["rules", "-settled_at"], name="review_past_rules", condition=Q(settled_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE


class Measured(models.Model):
    """How often what was said held, counted from final answers: a field an agent read (by the score it gave, in tenths)
    or a rule that asked for a person. `sampled` is the share of it that the quality sample drew."""

    class Kind(models.TextChoices):
        FIELD = "field", _("a field an agent read")
        RULE = "rule", _("a rule that asked for a person")

    workflow = models.CharField(max_length=60)
    kind = models.CharField(max_length=5, choices=Kind)
    actor = models.CharField(max_length=120, help_text=_("The agent or the policy, whatever its version."))
    name = models.CharField(max_length=120, help_text=_("The field or the rule."))
    tenth = models.PositiveSmallIntegerField(default=0, help_text=_("0 to 9: the score was in this tenth."))
    seen = models.PositiveIntegerField(default=0)
    held = models.PositiveIntegerField(default=0)
    sampled_seen = models.PositiveIntegerField(default=0)
    sampled_held = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "kind", "actor", "name", "tenth"], name="measured_once"),
            models.CheckConstraint(condition=Q(held__lte=F("seen")), name="held_of_those_seen"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.name}: {self.held} of {self.seen}"


class Approval(models.Model):
    """One reviewer's signed answer in a review, bound to what was shown. Insert only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    review = models.ForeignKey(Review, models.PROTECT, related_name="approvals")
    round = models.PositiveIntegerField()
    level = models.PositiveSmallIntegerField()
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=12)
    reason = models.CharField(max_length=60, blank=True, help_text=_("Reason code."))
    comment = models.TextField(blank=True)
    corrections = models.JSONField(default=dict)
    target = models.CharField(max_length=120, blank=True)
    nonce = models.CharField(max_length=80, unique=True)
    packet_digest = models.CharField(max_length=64)
    response = models.JSONField(default=dict, help_text=_("What the reviewer was told; the same nonce gets it again."))
    seen = models.JSONField(
        null=True, help_text=_('How it came about: {"seconds", "opened", "shown", "first_choice"}.')
    )
    recommended = models.CharField(
        max_length=12, null=True, help_text=_("The verdict the machine side would have given.")
    )
    recommended_by = models.CharField(max_length=120, null=True, help_text=_("The agent that would have given it."))
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]
        indexes = [
            models.Index(fields=["recommended_by", "at"], name="approval_recommended"),
            models.Index(fields=["reviewer", "at"], name="approval_reviewer"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["review", "reviewer"],
                condition=Q(verdict__in=("approve", "reject")),
                name="one_vote_per_reviewer_and_round",
            )
        ]

    def __str__(self) -> str:
        return f"{self.reviewer}: {self.verdict}"


class Recallable(models.Model):
    """An act that left its case open (a question, a hand-over, a step up, a time aside), and how the case stood before:
    for whoever takes it back. An answer and what is kept of it have one id."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    review = models.ForeignKey(Review, models.PROTECT, related_name="recallables")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    nonce = models.CharField(max_length=80, null=True, unique=True, help_text=_("Of an act that is no answer."))
    event = models.UUIDField(help_text=_("The act in the trail: nothing else may have happened to the round since."))
    before = models.JSONField(help_text=_("The fields of keeping.STATE as they were."))
    corrected = models.ForeignKey(
        Decision, models.PROTECT, null=True, related_name="+", help_text=_("What was put right with it.")
    )
    until = models.DateTimeField(help_text=_("Until then it may be taken back."))
    recalled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"act {self.event} of {self.person}"


class Draft(models.Model):
    """What a person has entered on a case and not recorded. It belongs to the person and is never cleared by others."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="drafts")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    data = models.JSONField(default=dict)
    saved_at = models.DateTimeField(db_default=Now())
    recorded_at = models.DateTimeField(
        null=True, help_text=_("It was recorded then, and is a draft again when undone.")
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="one_draft_each")]

    def __str__(self) -> str:
        return f"draft of {self.user}"


class Comment(models.Model):
    """What somebody says about a case, beside any answer. Insert only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    task = models.ForeignKey(Task, models.PROTECT, related_name="comments")
    review = models.ForeignKey(
        Review, models.PROTECT, related_name="comments", help_text=_("The round it was said in.")
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    text = models.TextField(max_length=4000)
    mentions = models.JSONField(default=list, help_text=_("User names that were called on."))
    at = models.DateTimeField()

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"


class Presence(models.Model):
    """Who has a case open, as their page says every half minute. Worth nothing once it is old."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "user"], name="present_once")]

    def __str__(self) -> str:
        return f"{self.user} at {self.at}"


class Reveal(models.Model):
    """That the recommendation of a round was shown to a person, and what they had chosen by then."""

    review = models.ForeignKey(Review, models.CASCADE, related_name="reveals")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    first_choice = models.CharField(max_length=12, blank=True, help_text=_("Empty: opened before anything was chosen."))
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["review", "user"], name="revealed_once")]

    def __str__(self) -> str:
        return f"{self.user}, {self.first_choice or 'before a choice'}"


class Notice(models.Model):
    """Something a person is to be told about a case. It opens a page; it never decides."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="notices")
    event = models.CharField(max_length=40, help_text=_("A kind of the trail: review.commented, review.delegated, …"))
    task = models.ForeignKey(Task, models.CASCADE, related_name="+")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    mail_at = models.DateTimeField(null=True, help_text=_("When a mail about it is to be sent; empty: none, or sent."))
    mail_tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["person", "read_at", "-at"], name="notice_inbox"),
            models.Index(fields=["mail_at"], condition=Q(mail_at__isnull=False), name="notice_mail"),
        ]

    def __str__(self) -> str:
        return f"{self.event} for {self.person}"


class Preference(models.Model):
    """How a person likes to work."""

    class Theme(models.TextChoices):
        SYSTEM = "system", _("as the device")
        LIGHT = "light", _("light")
        DARK = "dark", _("dark")

    class Density(models.TextChoices):
        ROOMY = "roomy", _("roomy")
        DENSE = "dense", _("dense: more rows on a page")

    class Mail(models.TextChoices):
        EACH = "each", _("a mail for each notice")
        DAILY = "daily", _("one mail a day")
        NEVER = "never", _("no mail")

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="preference")
    undo_seconds = models.PositiveSmallIntegerField(default=10)
    theme = models.CharField(max_length=10, choices=Theme, default=Theme.SYSTEM)
    density = models.CharField(max_length=10, choices=Density, default=Density.ROOMY)
    single_keys = models.BooleanField(default=True)
    keymap = models.JSONField(
        default=dict, blank=True, help_text=_("{shortcut: key} of those that were moved (keys.py).")
    )
    auto_next = models.BooleanField(default=True)
    language = models.CharField(max_length=10, blank=True, default="", help_text=_("Empty: as the browser asks."))
    mail = models.CharField(max_length=10, choices=Mail, default=Mail.EACH)
    digested_on = models.DateField(null=True, editable=False, help_text=_("The day of the last daily mail."))

    def __str__(self) -> str:
        return f"preferences of {self.user}"


class SavedView(models.Model):
    """A view of the queue that a person has given a name: the query string of its address."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="one_saved_view_of_a_name")]

    def __str__(self) -> str:
        return self.name


class CaseWords(models.Model):
    """The words a case can be found by (searching.py), indexed as each database can."""

    task = models.OneToOneField(Task, models.CASCADE, related_name="+")
    words = models.TextField()

    def __str__(self) -> str:
        return f"words of {self.task_id}"
