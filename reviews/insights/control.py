"""Control cases: how many of the answers were as expected, and about how many cases nobody was asked."""

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext as _

from orchestrator.models import Run

from ..models_control import ControlCase
from .scope import Scope, names_of
from .tables import COUNT, SHARE_COLUMNS, Column, Table, shares

Line = tuple[str, int, int]  # what, how many, of how many


def answered(scope: Scope) -> QuerySet[ControlCase]:
    return ControlCase.objects.filter(answered_at__gte=scope.since).order_by()


def checks(scope: Scope) -> list[Line]:
    found = scope.within(answered(scope), "review__queue").aggregate(
        all=Count("pk"), caught=Count("pk", filter=Q(caught=True))
    )
    passed = ControlCase.objects.filter(
        answered_at=None,
        withdrawn_at=None,
        run__status__in=Run.ENDED,
        run__ended_at__gte=scope.since,
        run__version__workflow__name__in=list(scope.workflows),
    ).count()
    return [
        (_("Control cases caught"), found["caught"], found["all"]),
        (_("Control cases passed without a person"), passed, passed + found["all"]),
    ]


def people(scope: Scope) -> list[Table]:
    """By person, as answers are: the reader's own, and those of the queues they lead."""
    whose = Q(person=scope.reader) | Q(review__queue__in=scope.led)
    rows = answered(scope).filter(whose).values_list("person")
    counted = {
        pk: (caught, number)
        for pk, number, caught in rows.annotate(all=Count("pk"), hit=Count("pk", filter=Q(caught=True)))
    }
    names = names_of(counted)
    found = [[names[pk], number, caught, *shares(caught, number)] for pk, (caught, number) in counted.items()]
    title = _("Control cases by person") if scope.led else _("Your own control cases")
    heads = [
        Column("person", _("Person")),
        Column("answered", _("Answered"), COUNT),
        Column("caught", _("Caught"), COUNT),
    ]
    note = _("Shown to each person and to whoever leads the queue. Few cases say little: look at the range.")
    return [Table("control", title, [*heads, *SHARE_COLUMNS], sorted(found), note)] if found else []
