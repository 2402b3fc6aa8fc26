"""Quality: how people's final answers compare with what the machine side said, with each other, and with themselves."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from orchestrator.policies.gate import SAMPLE

from ..models import Approval, Measured, Review
from ..policies import APPROVE, SIGNED
from ..questions import same
from . import charts, control
from .flow import ended
from .scope import Scope, names_of
from .tables import COUNT, SHARE_COLUMNS, Column, Table, grouped, shares, whole

AGREED, CORRECTED, OVERRODE = OUTCOMES = ("agreed", "corrected", "overrode")
WORDS = {AGREED: gettext_lazy("Agreed"), CORRECTED: gettext_lazy("Corrected"), OVERRODE: gettext_lazy("Overrode")}
LOOKS = {AGREED: "c3", CORRECTED: "c1 half", OVERRODE: "c1"}
NEWEST = 10_000  # answers that are compared
STANDS = (Review.Status.APPROVED, Review.Status.REJECTED, Review.Status.REROUTED)
MOST_RULES = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's final answer to a round."""

    workflow: str
    person: int
    outcome: str
    sampled: bool


def outcome_of(verdict: str, recommended: str | None, changes: Sequence[Mapping[str, Any]] | None) -> str:
    """Agreed: as was recommended (where nothing was: approved), nothing changed. Any other answer overrode it."""
    if verdict != (recommended or APPROVE):
        return OVERRODE
    changed = any(same(change["old"]) != same(change["new"]) for change in changes or ())
    return CORRECTED if changed else AGREED


def tables(scope: Scope) -> list[Table]:
    found = read(scope.within(final(scope), "review__queue"))
    return [by_workflow(scope, found), checks(scope, found), by_rule(scope), *people(scope)]


def final(scope: Scope) -> QuerySet[Approval]:
    """The answers that settled a round in the period and stand."""
    rounds = {"review__ended_at__gte": scope.since, "review__status__in": STANDS, "review__control": None}
    return Approval.objects.filter(**rounds, verdict__in=SIGNED, at=F("review__settled_at"))


def read(rows: QuerySet[Approval]) -> list[Answer]:
    names = ("review__workflow", "reviewer_id", "verdict", "recommended", "review__answer__corrected", "review__rules")
    return [
        Answer(workflow, person, outcome_of(verdict, advice, changes), SAMPLE in (rules or "").split())
        for workflow, person, verdict, advice, changes, rules in rows.order_by("-review__ended_at").values_list(*names)[
            :NEWEST
        ]
    ]


def counted(answers: Iterable[Answer], by: Callable[[Answer], Any]) -> dict[Any, Counter[str]]:
    found: dict[Any, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        found[by(answer)][answer.outcome] += 1
    return found


def row_of(name: str, numbers: Counter[str]) -> list[Any]:
    parts, whole = [numbers[outcome] for outcome in OUTCOMES], sum(numbers.values())
    return [name, whole, *parts, *shares(numbers[AGREED], whole)]


def columns(key: str, title: Any) -> list[Column]:
    outcomes = [Column(outcome, WORDS[outcome], COUNT) for outcome in OUTCOMES]
    share, *interval = SHARE_COLUMNS
    return [
        Column(key, title),
        Column("answers", _("Answers"), COUNT),
        *outcomes,
        Column("agreed_share", _("Share agreed"), share.kind),
        *interval,
    ]


def drawn(title: str, rows: Sequence[Sequence[Any]]) -> charts.SafeString:
    series = [
        charts.Series(WORDS[outcome], LOOKS[outcome], [row[place] for row in rows])
        for place, outcome in enumerate(OUTCOMES, 2)
    ]
    return charts.bars(title, [row[0] for row in rows], series, whole, stacked=True)


def by_workflow(scope: Scope, answers: Iterable[Answer]) -> Table:
    found = counted(answers, lambda answer: answer.workflow)
    rows = sorted(row_of(scope.title_of(workflow), numbers) for workflow, numbers in found.items())
    title = _("How final answers compare with what was recommended")
    note = _(
        "Agreed: answered as recommended, or approved where nothing was, with no value changed. Corrected: the same "
        "with values changed. Overrode: any other answer. Of the newest %(n)s answers of the period."
    ) % {"n": grouped(NEWEST)}
    return Table("answers", title, columns("workflow", _("Workflow")), rows, note, drawn(title, rows))


def checks(scope: Scope, answers: Sequence[Answer]) -> Table:
    """What tells whether answers can be relied on."""
    sampled = [answer for answer in answers if answer.sampled]
    seconds, overturned = second_answers(scope)
    settled = ended(scope).filter(settled_at__isnull=False)
    numbers = settled.aggregate(all=Count("pk"), undone=Count("pk", filter=Q(status=Review.Status.RECALLED)))
    lines = [
        (_("Overturned by a second reviewer"), overturned, seconds),
        (_("Taken back while undo was open"), numbers["undone"], numbers["all"]),
        (_("Changed by people in the quality sample"), sum(a.outcome != AGREED for a in sampled), len(sampled)),
        *control.checks(scope),
    ]
    title, rows = _("Checks on answers"), [[name, part, whole, *shares(part, whole)] for name, part, whole in lines]
    heads = [Column("check", _("Check")), Column("number", _("Number"), COUNT), Column("of", _("Of"), COUNT)]
    return Table("checks", title, [*heads, *SHARE_COLUMNS], rows)


def second_answers(scope: Scope) -> tuple[int, int]:
    """Answers signed after somebody else's to the same round, and how many of them were another verdict."""
    earlier = Approval.objects.filter(review=OuterRef("review"), verdict__in=SIGNED, at__lt=OuterRef("at"))
    rows = scope.within(Approval.objects.filter(review__ended_at__gte=scope.since, verdict__in=SIGNED), "review__queue")
    later = rows.annotate(after=Exists(earlier), differs=Exists(earlier.exclude(verdict=OuterRef("verdict"))))
    found = later.filter(after=True).aggregate(all=Count("pk"), other=Count("pk", filter=Q(differs=True)))
    return found["all"], found["other"]


def by_rule(scope: Scope) -> Table:
    """How often people changed something where a rule asked for them, since counting began."""
    rows = Measured.objects.filter(kind=Measured.Kind.RULE, workflow__in=list(scope.workflows))
    known = rows.order_by("workflow", "actor", "name").values_list("workflow", "actor", "name", "held", "seen")
    found = [
        [scope.title_of(workflow), f"{actor}: {name}", seen, held, *shares(held, seen)]
        for workflow, actor, name, held, seen in known[:MOST_RULES]
    ]
    heads = [Column("workflow", _("Workflow")), Column("rule", _("Policy and rule"))]
    counts = [Column("cases", _("Cases"), COUNT), Column("changed", _("Changed or refused"), COUNT)]
    title, note = _("How often a rule was right to ask"), _("Since counting began: final answers alone, each once.")
    return Table("rules", title, [*heads, *counts, *SHARE_COLUMNS], found, note)


def people(scope: Scope) -> list[Table]:
    return [*by_person(scope), *control.people(scope)]


def by_person(scope: Scope) -> list[Table]:
    """By person: the reader's own answers, and those of the queues they lead; by name, never by figure. None where
    there is nothing to show."""
    whose = Q(reviewer=scope.reader) | Q(review__queue__in=scope.led)
    found = counted(read(final(scope).filter(whose)), lambda answer: answer.person)
    names = names_of(found)
    rows = [row_of(names[person], found[person]) for person in sorted(found, key=names.__getitem__)]
    title = _("Answers by person") if scope.led else _("Your own answers")
    if not rows:
        return []
    note = _("Shown to each person and to whoever leads the queue. Few answers say little: look at the range.")
    return [Table("people", title, columns("person", _("Person")), rows, note)]
