"""Calibration: whether the scores agents give hold, by tenth of the score."""

from django.utils.translation import gettext as _

from orchestrator.templatetags.parts import words

from ..measured import ENOUGH, TENTHS, Frequency, calibration
from . import charts
from .scope import Scope
from .tables import COUNT, SHARE_COLUMNS, Column, Table, shares

Field = tuple[str, str]  # agent, field
Bins = dict[int, Frequency]


def read(scope: Scope) -> dict[Field, Bins]:
    found: dict[Field, Bins] = {}
    for row in calibration(list(scope.workflows)):
        found.setdefault((row["agent"], row["field"]), {})[row["tenth"]] = row["frequency"]
    return found


def chosen(found: dict[Field, Bins], wanted: str) -> Field | None:
    """The field asked for as `agent/field`; without one that exists, the one with the most cases."""
    agent, _slash, name = wanted.partition("/")
    if (agent, name) in found:
        return agent, name
    return max(found, key=lambda field: seen(found[field]), default=None)


def seen(bins: Bins) -> int:
    return sum(bin_.seen for bin_ in bins.values())


def tables(found: dict[Field, Bins], field: Field | None) -> list[Table]:
    return [*([by_tenth(field, found[field])] if field else []), overall(found)]


def by_tenth(field: Field, bins: Bins) -> Table:
    agent, name = field
    title = _("%(field)s, read by %(agent)s") % {"field": words(name), "agent": agent}
    rows = [
        [f"{tenth / TENTHS:.1f}–{(tenth + 1) / TENTHS:.1f}", one.seen, one.held, *shares(one.held, one.seen)]
        for tenth, one in sorted(bins.items())
    ]
    points = [
        charts.Point((tenth + 0.5) / TENTHS, one.held / one.seen, *one.interval, faint=not one.enough)
        for tenth, one in sorted(bins.items())
        if one.seen
    ]
    drawn = charts.reliability(title, points, _("Score given"), _("Share right"))
    note = _(
        "Right: people left the value as it was read. On the dashed line a score says what it is worth. Grey: under "
        "%(n)s cases, too few to rely on. Since counting began."
    ) % {"n": ENOUGH}
    return Table("tenths", title, [Column("score", _("Score")), *counts(), *SHARE_COLUMNS], rows, note, drawn)


def counts() -> list[Column]:
    return [Column("cases", _("Cases"), COUNT), Column("right", _("Right"), COUNT)]


def overall(found: dict[Field, Bins]) -> Table:
    rows = []
    for (agent, name), bins in sorted(found.items()):
        held, number = sum(one.held for one in bins.values()), seen(bins)
        rows.append([agent, words(name), number, held, *shares(held, number)])
    heads = [Column("agent", _("Agent")), Column("field", _("Field"))]
    return Table("fields", _("Every agent and field"), [*heads, *counts(), *SHARE_COLUMNS], rows)
