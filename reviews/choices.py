"""What a person may choose on a case, and what each choice asks for: reasons, where to, whom."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import BooleanField, ExpressionWrapper, Func, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext

from orchestrator.models import Workflow
from orchestrator.permissions import holding
from orchestrator.pinned import definition_of
from orchestrator.words import later as _

from . import policies
from .answer import Answer
from .models import Approval, Queue, Review
from .packet import name_of
from .reasons import codes_of
from .settling import misfit_in, sent_after

VERDICTS = {  # verdict: key, icon, words on the button, words for the record
    policies.APPROVE: ("a", "check", _("Approve"), _("approved")),
    policies.REJECT: ("r", "x", _("Reject"), _("rejected")),
    policies.REROUTE: ("t", "route", _("Reroute"), _("rerouted")),
    policies.ASK: ("i", "ask", _("Ask"), _("question asked")),
    policies.DELEGATE: ("d", "handoff", _("Delegate"), _("handed over")),
    policies.ESCALATE: ("e", "up", _("Escalate"), _("escalated")),
}
COMMENTS = {
    policies.APPROVE: _("Anything to note?"),
    policies.REJECT: _("What should the sender know?"),
    policies.REROUTE: _("What should be done there?"),
    policies.ASK: _("Your question"),
    policies.DELEGATE: _("What should they know?"),
    policies.ESCALATE: _("Why should somebody else look?"),
}
HOURS = ((4, _("4 hours")), (24, _("a day")), (72, _("3 days")), (168, _("a week")))
USUAL_HOURS = "24"
MOST_PEOPLE = 50  # offered by name in a list; anybody else is named by their user name
AT_ONCE = 20  # targets that come with the page; a longer list comes when its choice is made


@dataclass(frozen=True, slots=True)
class Target:
    """Where or to whom a case may go; `note` says what a person choosing it should know."""

    name: str
    words: str
    note: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A verdict this person may give, with what its panel asks for."""

    verdict: str
    key: str
    icon: str
    title: str
    codes: Sequence[tuple[str, str, bool]]  # code, words, chosen
    comment_label: str
    comment: str
    targets: Sequence[Target]
    chosen: bool
    hours: Sequence[tuple[int, str, bool]] = ()
    by_name: bool = False  # there are more people than the list offers
    later: bool = False  # its targets are asked for when it is chosen

    @property
    def id(self) -> str:
        return f"d-{self.verdict[:3]}"

    @property
    def goes_on(self) -> str:
        """Where the run continues with the target chosen, in one sentence."""
        return next((target.note for target in self.targets if target.chosen), "")

    @property
    def takes_target(self) -> bool:
        return self.verdict in (policies.REROUTE, policies.ASK, policies.DELEGATE)


def choices_of(
    review: Review, user: Any, answer: Answer, allowed: Collection[str], queues: Sequence[Queue] | None
) -> list[Choice]:
    """What may be chosen; who cannot answer the case is offered nothing."""
    if not allowed:
        return []
    codes, others = codes_of(review.queue.policy), other_people(review, user)
    listed = sorted(others[:MOST_PEOPLE], key=lambda found: (found.first_name, found.get_username()))
    offered = {
        policies.REROUTE: [*steps_before(review), *other_queues(review, queues), *other_workflows(review)],
        policies.ASK: [person(found) for found in listed],
        policies.DELEGATE: [person(found) for found in listed if may_take(found, review)],
    }
    above = review.queue.escalates_to_id is not None
    return [
        _choice(verdict, answer, codes.get(verdict, ()), offered.get(verdict, ()), more=len(others) > MOST_PEOPLE)
        for verdict in policies.VERDICTS
        if verdict in allowed and (verdict != policies.ESCALATE or above)
    ]


def _choice(
    verdict: str, answer: Answer, codes: Sequence[tuple[str, str]], targets: Sequence[Target], *, more: bool
) -> Choice:
    key, icon, title, _ = VERDICTS[verdict]
    reason, target = answer.reasons.get(verdict, ""), answer.targets.get(verdict, "")
    hours, asks_whom = answer.spans.get(verdict, USUAL_HOURS), verdict in (policies.ASK, policies.DELEGATE)
    if asks_whom and more and target and target not in {found.name for found in targets}:
        targets = [*targets, Target(target, target.removeprefix("user:"))]
    later = len(targets) > AT_ONCE and not target and answer.verdict != verdict
    return Choice(
        verdict,
        key,
        icon,
        title,
        [(code, words, code == reason) for code, words in codes],
        COMMENTS[verdict],
        answer.comments.get(verdict, ""),
        [Target(found.name, found.words, found.note, found.name == target) for found in targets if not later],
        answer.verdict == verdict,
        [(n, words, str(n) == hours) for n, words in HOURS] if verdict == policies.DELEGATE else (),
        asks_whom and more,
        later,
    )


def steps_before(review: Review) -> list[Target]:
    """Automated steps that may run again with the corrections made here: they have answered, and nothing was sent
    outside since."""
    definition = definition_of(review.run.version_id)
    before, own = (
        definition.ancestors(review.task.step),
        {step.name for step in definition.effects_after(review.task.step)},
    )
    answered = {item["step"] for item in review.packet["decisions"]}
    others = {step.name for step in definition.steps.values() if step.kind == "effect"} - own
    sent = sent_after(review.run) if others else set()
    steps = [step for name, step in definition.steps.items() if name in before & answered and step.kind == "agent"]
    goes_on = gettext("The run continues there, with your corrections, and comes back to this team.")
    return [
        Target(f"step:{step.name}", gettext("Step: %(value)s, once more") % {"value": step.title or step.name}, goes_on)
        for step in steps
        if not sent & set(definition.descendants(step.name))
    ]


def other_queues(review: Review, queues: Sequence[Queue] | None) -> list[Target]:
    found = Queue.objects.all() if queues is None else queues
    return [
        Target(
            f"queue:{queue.name}",
            gettext("Team: %(queue_title)s") % {"queue_title": queue.title},
            gettext("It waits at this step until %(queue_title)s answer.") % {"queue_title": queue.title},
        )
        for queue in found
        if queue.pk != review.queue_id
    ]


def other_workflows(review: Review) -> list[Target]:
    """Those that can take this run's input as it is."""
    run = review.run
    rows = Workflow.objects.filter(is_active=True, current__isnull=False).exclude(pk=run.version.workflow_id)
    return [
        Target(
            f"workflow:{row.name}",
            gettext("Workflow: %(value)s") % {"value": row.title or row.name},
            gettext("This run ends; a new one begins there."),
        )
        for row in rows.order_by("name")
        if not misfit_in(row, run)
    ]


def person(found: Any) -> Target:
    """Someone to ask or hand over to, with what speaks for and against them. One text in both lists: the second one
    weighs nothing where the page is compressed."""
    knows = gettext(", knows this vendor") if found.knows else ""
    return Target(
        f"user:{found.get_username()}",
        gettext("%(words)s (%(open_cases)s open%(knows)s)")
        % {"words": name_of(found), "open_cases": found.open_cases, "knows": knows},
    )


def may_take(found: Any, review: Review) -> bool:
    return found.decides and found.pk != review.run.started_by_id


def other_people(review: Review, user: Any) -> list[Any]:
    """Other people, and one more than are listed where there are more: first who may decide here, knows the vendor and
    has little to do. In one statement."""
    decides = ExpressionWrapper(holding("decide", review.queue), BooleanField())
    settled = Review.objects.filter(vendor=review.vendor, settled_at__isnull=False, control=None).exclude(vendor="")
    knows = ExpressionWrapper(Q(pk__in=Approval.objects.filter(review__in=settled).values("reviewer")), BooleanField())
    held = counted(Review.objects.filter(status=Review.Status.CLAIMED, claimed_by=OuterRef("pk")))
    handed = counted(Review.objects.listed().filter(delegated_to=OuterRef("pk")).exclude(claimed_by=OuterRef("pk")))
    people = get_user_model().objects.filter(is_active=True, agent_account=None).exclude(pk=user.pk)
    people = people.annotate(decides=decides, knows=knows, open_cases=held + handed)
    return list(people.order_by("-decides", "-knows", "open_cases", "username")[: MOST_PEOPLE + 1])


def counted(rows: QuerySet[Review]) -> Subquery:
    """How many rows there are, as a part of another statement."""
    return Subquery(rows.order_by().annotate(n=Func("pk", function="COUNT", output_field=IntegerField())).values("n"))
