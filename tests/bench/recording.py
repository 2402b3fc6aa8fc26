"""P8: what recording a person's answer costs the server, through the whole stack of the desk's page and of the API."""

import re
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .cpu import percentile
from .flows import waiting_reviews
from .pages import many_cases
from .product import Starter, people

if TYPE_CHECKING:
    from .targets import Bench

ANSWERS = 200
WARM = 10  # plans and templates are made once
LIMIT_MS, LIMIT_SQL = 150, 15
HIDDEN = re.compile(r'<input type="hidden" name="(review|digest|nonce|opened)" value="([^"]*)"')


def p8_record(bench: "Bench") -> dict[str, Any]:
    """p95 of an answer with the next case claimed, as its page sends it, beside 1,000,000 reviews; and statements: of
    the record alone, with the next case, and over the API."""
    from django.conf import settings

    from reviews.models import ReviewPolicy

    many_cases(bench)
    settings.DECISIONS_PER_MINUTE = 100_000  # asked as ever, and never reached
    ReviewPolicy.objects.filter(name="bench").update(undo_seconds=3_600)  # the worker leaves them alone meanwhile
    try:
        return measured(list(waiting_reviews(Starter("w3", asked=True), bench.sized(ANSWERS) + WARM + 2)))
    finally:
        ReviewPolicy.objects.filter(name="bench").update(undo_seconds=0)


def measured(reviews: list[Any]) -> dict[str, Any]:
    from reviews.models import Preference

    reviewer = people()["reviewer"]
    *timed, alone, called = reviews
    taken = [answered(review, reviewer) for review in timed][WARM:]
    Preference.objects.update_or_create(user=reviewer, defaults={"auto_next": False})
    record = answered(alone, reviewer)[1]
    Preference.objects.filter(user=reviewer).delete()
    p50, p95 = (round(percentile([ms for ms, _ in taken], share), 1) for share in (0.5, 0.95))
    found = {"p50_ms": p50, "p95_ms": p95, "answers": len(taken), "sql": record, "sql_with_next": taken[-1][1]}
    found["sql_api"] = called_with_token(called, reviewer)
    share = max(p95 / LIMIT_MS, record / LIMIT_SQL, found["sql_api"] / LIMIT_SQL)
    return {**found, "value": round(share, 3), "unit": "share of the limit", "must": 1, "aim": 0.5}


def answered(review: Any, reviewer: Any) -> tuple[float, int]:
    """Opens the case, then sends its form: milliseconds and statements of the answer alone."""
    from django.test import Client

    client, address = Client(SERVER_NAME="localhost"), f"/cases/{review.task_id}/"
    client.force_login(reviewer)
    hidden = HIDDEN.findall(client.get(address).content.decode())
    form = dict(hidden) | {"verdict": "approve", "reason:approve": "other"}
    began: list[float] = []

    def send() -> None:
        start = time.perf_counter()
        response = client.post(f"{address}decide/", form)
        began.append((time.perf_counter() - start) * 1000)
        assert response.status_code == 302, response.status_code

    number = statements_of(send)
    return began[0], number


def called_with_token(review: Any, reviewer: Any) -> int:
    """Statements of an answer over the API."""
    from django.test import Client

    from audit.log import SYSTEM
    from orchestrator.tokens import issue_token

    bearer = {"Authorization": f"Bearer {issue_token(user=reviewer, actor=SYSTEM)[0]}"}
    body = {"verdict": "approve", "digest": review.packet_digest, "nonce": uuid.uuid4().hex, "reason": "other"}
    client, address = Client(SERVER_NAME="localhost"), f"/api/v1/reviews/{review.pk}/decide"

    def send() -> None:
        response = client.post(address, body, content_type="application/json", headers=bearer)
        assert response.status_code == 200, response.content

    return statements_of(send)


def statements_of(act: Callable[[], Any]) -> int:
    from django.db import connection

    number = 0

    def count(execute: Any, *args: Any) -> Any:
        nonlocal number
        number += 1
        return execute(*args)

    with connection.execute_wrapper(count):
        act()
    return number
