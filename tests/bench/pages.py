"""P7 and P8: what the queue, its poll and a case cost the server, with few and with very many open cases.

The many are in the measured database itself, beside all else it holds; the few in one of their own on the same server,
so that both are asked in turn, on the same machine in the same minute.
"""

import gzip
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from . import case_pages, product
from .cpu import percentile, tree_seconds

if TYPE_CHECKING:
    from .targets import Bench

FEW, MANY = 10_000, 1_000_000
GRANTS = 100_000
READER = "bench-00001"  # may decide in a hundred queues
TIMES = 100
OWNER = "bench-seed"  # whose cases seed_bench makes
QUEUE, POLL = "/queue/?view=mine", "/queue/news/"
LIMITS = {"queue": (200, 12), "poll": (20, 3)}  # ms at p95, statements
EVERY = 15  # seconds between two polls of an open page


def p7_queue_page(bench: "Bench") -> dict[str, Any]:
    """Fifty rows by due band of everything open, against the same page over a hundredth of it: asked in turn."""
    few, many = Asker(few_cases(bench.sized(FEW), bench.sized(GRANTS)), QUEUE), Asker(many_cases(bench), QUEUE)
    for side in (few, many):  # Django keeps the ids of content types for all databases: they must be alike
        assert b"INV-" in side.ask(200).content, "a page without cases"
    for _ in range(TIMES):
        few.ask(), many.ask()
    before, after = few.found(), many.found()
    rates = {"open": bench.sized(MANY), "p95_ms": after["p95_ms"], "with_few": before["p95_ms"]}
    rates |= {"p50_ms": after["p50_ms"], "p50_with_few": before["p50_ms"]}
    return {**rates, "value": round(after["p95_ms"] / before["p95_ms"], 3), "unit": "ratio", "must": 1.2, "aim": 1.05}


def p8_queue_and_poll(bench: "Bench") -> dict[str, Any]:
    """The queue and its poll over everything open, and a hundred idle pages: the worst share of its limit."""
    many = many_cases(bench)
    queue = Asker(many, QUEUE)
    shown = queue.ask().context
    since = {"since": shown["since"], "known": shown["known"]}
    poll = Asker(many, POLL, since, HTTP_IF_NONE_MATCH=shown["etag"], HTTP_HX_REQUEST="true")
    spent = -cpu_of(bench)
    for _ in range(TIMES):
        poll.ask(304)
    idle = (spent + cpu_of(bench)) / TIMES * 100 / EVERY  # a share of one core, PostgreSQL's part with it
    for _ in range(TIMES):
        queue.ask()
    asked = {"queue": queue.found(), "poll": poll.found()}
    shares = [asked[n]["p95_ms"] / ms for n, (ms, _) in LIMITS.items()]
    shares += [asked[n]["statements"] / most for n, (_, most) in LIMITS.items()]
    shares.append(idle / 0.05)
    return {**asked, "idle_100_pages": round(idle, 4), "value": round(max(shares), 3), "unit": "of limit", "must": 1}


def p8_case(bench: "Bench") -> dict[str, Any]:
    """The fullest case beside everything open: server time, statements, weight of the HTML; the worst of the three."""
    many, reviewer = many_cases(bench), product.people()["reviewer"]
    review = case_pages.heavy_case(reviewer)
    case = Asker(many, f"/cases/{review.task_id}/", who=reviewer.username)
    weight = len(gzip.compress(case.ask(200).content))
    for _ in range(TIMES):
        case.ask(200)
    found = case.found()
    shares = [found["p95_ms"] / 250, found["statements"] / 20, weight / 12_000]
    return {**found, "html_gzip": weight, "value": round(max(shares), 3), "unit": "of limit", "must": 1, "aim": 0.5}


def cpu_of(bench: "Bench") -> float:
    """Seconds that this process and PostgreSQL have spent."""
    return time.process_time() + tree_seconds(bench.servers.pids[:1])


def many_cases(bench: "Bench") -> Any:
    """The connection to the measured database, which is filled when it is first asked for."""
    from django.db import connections

    from reviews.models import Review

    if not Review.objects.filter(workflow=OWNER).exists():
        case_pages.seed(bench.sized(MANY), bench.sized(GRANTS))
    return connections["default"]


@cache
def few_cases(reviews: int, grants: int) -> Any:
    """A connection to a fresh database on the same server, with so many open cases and grants."""
    from django.core.management import call_command
    from django.db import connection, connections

    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE few_cases")
    made = connections.create_connection("default")
    made.settings_dict = {**made.settings_dict, "NAME": "few_cases"}
    with inside(made):
        product.take_as_long_as_it_takes()
        call_command("migrate", verbosity=0)
        case_pages.seed(reviews, grants)
    return made


@contextmanager
def inside(made: Any) -> Iterator[None]:
    """What is asked of the database in the block is asked of this one."""
    from django.db import connections

    before = connections["default"]
    connections["default"] = made
    try:
        yield
    finally:
        connections["default"] = before


class Asker:
    """One address, asked by one person in one world. Times are inside the server, over a kept connection."""

    def __init__(
        self, made: Any, path: str, query: Mapping[str, Any] | None = None, *, who: str = READER, **headers: str
    ) -> None:
        self.made, self.path, self.query, self.headers = made, path, query, headers
        self.taken: list[float] = []
        with inside(made):
            self.client = signed_in(who)
        for _ in range(10):  # plans and templates are made once
            self.ask()
        self.statements = self.count()
        self.taken = []

    def ask(self, expected: int | None = None) -> Any:
        with inside(self.made):
            start = time.perf_counter()
            answer = self.client.get(self.path, self.query, **self.headers)
            self.taken.append(time.perf_counter() - start)
        if expected and answer.status_code != expected:
            raise RuntimeError(f"{self.path}: answered {answer.status_code}, not {expected}")
        return answer

    def count(self) -> int:
        seen: list[str] = []

        def counted(execute: Any, sql: str, *args: Any) -> Any:
            seen.append(sql)
            return execute(sql, *args)

        with self.made.execute_wrapper(counted):
            self.ask()
        return len(seen)

    def found(self) -> dict[str, Any]:
        p50, p95 = (round(percentile(self.taken, share) * 1000, 1) for share in (0.5, 0.95))
        return {"p50_ms": p50, "p95_ms": p95, "statements": self.statements}


def signed_in(who: str) -> Any:
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.test.utils import _TestState, setup_test_environment

    if not hasattr(_TestState, "saved_data"):
        setup_test_environment()
    client = Client(SERVER_NAME="localhost")
    client.force_login(get_user_model().objects.get(username=who))
    return client
