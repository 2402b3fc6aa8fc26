"""P7 and P8: what the queue costs the server, with few and with very many open cases."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .cpu import percentile

if TYPE_CHECKING:
    from .targets import Bench

FEW, MANY = 10_000, 1_000_000
GRANTS = 100_000
READER = "bench-00001"  # may decide in a hundred queues
TIMES = 60
QUEUE, LIMITS = "/queue/?view=mine", {"queue": (200, 12), "poll": (20, 3)}  # ms at p95, statements


def p7_queue_page(bench: "Bench") -> dict[str, Any]:
    """Fifty rows by due band of everything open, against the same page over a hundredth of it."""
    few, many = (bench.sized(number) for number in (FEW, MANY))
    seed(reviews=few, grants=GRANTS)
    before = measured(QUEUE)
    seed(reviews=many - few)
    after = measured(QUEUE)
    rates = {"open": many, "p95_ms": after["p95_ms"], "with_few": before["p95_ms"], "p50_ms": after["p50_ms"]}
    return {**rates, "value": round(after["p95_ms"] / before["p95_ms"], 3), "unit": "ratio", "must": 1.2, "aim": 1.05}


def p8_queue_and_poll(bench: "Bench") -> dict[str, Any]:
    """The queue and its poll, as the share of their limits that the worst of them takes."""
    shown = reader().get(QUEUE).context
    poll = {"since": shown["since"], "known": shown["known"]}
    asked = {"queue": measured(QUEUE), "poll": measured("/queue/news/", poll, HTTP_IF_NONE_MATCH=shown["etag"])}
    shares = [asked[n]["p95_ms"] / ms for n, (ms, _) in LIMITS.items()]
    shares += [asked[n]["statements"] / most for n, (_, most) in LIMITS.items()]
    idle = asked["poll"]["cpu_ms"] * 100 / 15_000  # a hundred open pages, each every 15 s
    return {**asked, "idle_100_pages": round(idle, 3), "value": round(max(shares), 3), "unit": "of limit", "must": 1}


def seed(**numbers: int) -> None:
    from django.core.management import call_command
    from django.db import connection

    call_command("seed_bench", verbosity=0, **numbers)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def reader() -> Any:
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.test.utils import _TestState, setup_test_environment

    if not hasattr(_TestState, "saved_data"):
        setup_test_environment()
    client = Client()
    client.force_login(get_user_model().objects.get(username=READER))
    return client


def measured(path: str, query: Mapping[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    """Times inside the server, with the connection kept open as in production; the CPU time is this process's own."""
    from django.db import connection

    client, statements = reader(), []

    def counted(execute: Any, *args: Any) -> Any:
        statements.append(args[0])
        return execute(*args)

    for _ in range(10):  # plans and templates are made once
        client.get(path, query, **headers)
    with connection.execute_wrapper(counted):
        client.get(path, query, **headers)
    taken, began = [], time.process_time()
    for _ in range(TIMES):
        start = time.perf_counter()
        client.get(path, query, **headers)
        taken.append(time.perf_counter() - start)
    cpu = (time.process_time() - began) / TIMES
    p50, p95 = (round(percentile(taken, share) * 1000, 1) for share in (0.5, 0.95))
    return {"p50_ms": p50, "p95_ms": p95, "cpu_ms": round(cpu * 1000, 1), "statements": len(statements)}
