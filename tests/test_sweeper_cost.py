"""The sweeper looks at everything again every few seconds: what it reads must not grow with the past."""

import json
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from orchestrator import recovery

pytestmark = [pytest.mark.django_db, pytest.mark.breaks_invariants]  # bulk rows tell no story

PAGES = 60  # of 8 KiB that one statement may touch; the tables made here have several hundred


def pages_read(sql: str, params: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
    top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return top["Shared Hit Blocks"] + top["Shared Read Blocks"]


def test_no_look_of_the_sweeper_reads_the_past():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite does not tell what a statement reads")
    call_command("seed_bench", reviews=3_000, tasks=10_000, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    asked: list[tuple[str, Any]] = []

    def noted(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
        if sql.startswith("SELECT") and " FROM " in sql:
            asked.append((sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(noted):
        recovery.sweep()
    read = {sql: pages_read(sql, params) for sql, params in asked}
    assert len(read) > 10
    assert {sql: number for sql, number in read.items() if number > PAGES} == {}
