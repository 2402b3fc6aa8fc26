"""How it is going: four tabs of figures, each table a CSV as well."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from orchestrator.http import Request

from .insights import calibration, cost, flow, quality
from .insights.scope import CALIBRATION, COST, FLOW, PERIODS, QUALITY, TITLES, Asked, Scope, scope_of
from .insights.tables import Table
from .views_queue import refused
from .wanted import Unknown

MAKERS = {FLOW: flow.tables, QUALITY: quality.tables, COST: cost.tables}


@login_required
@require_safe
def insights(request: Request) -> HttpResponse:
    try:
        asked = Asked.of_query(request.GET.dict())
        scope = scope_of(request.user, asked.days)
        context = figures(scope, asked)
        if asked.csv:
            return as_csv(asked, table_named(context["tables"], asked.csv))
    except Unknown as error:
        return refused(request, _("There are no such figures"), str(error), 400)
    parts = {"asked": asked, "scope": scope, "tabs": TITLES.items(), "periods": PERIODS}
    return render(request, "insights/insights.html", context | parts)


def figures(scope: Scope, asked: Asked) -> dict[str, Any]:
    """The tables of a tab; whoever sees figures of no queue sees their own answers alone."""
    if not scope.queues:
        return {"tables": quality.people(scope)}
    if asked.tab != CALIBRATION:
        return {"tables": MAKERS[asked.tab](scope)}
    found = calibration.read(scope)
    field = calibration.chosen(found, asked.of)
    return {"tables": calibration.tables(found, field), "fields": sorted(found), "field": field}


def table_named(tables: list[Table], key: str) -> Table:
    for table in tables:
        if table.key == key:
            return table
    raise Unknown("csv", key, f"one of {', '.join(table.key for table in tables)}")


def as_csv(asked: Asked, table: Table) -> HttpResponse:
    name = f"{asked.tab}-{table.key}-{asked.days}-days.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(table.csv, content_type="text/csv; charset=utf-8", headers=headers)
