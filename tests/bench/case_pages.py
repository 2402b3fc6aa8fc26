"""The fullest case there is, and decided ones beside it, in a database that seed_bench has filled."""

from datetime import timedelta
from typing import Any

PAGES = 60  # of the document beside the case that is measured


def seed(reviews: int, grants: int) -> None:
    """Open reviews, a tenth of them decided, so that a case has others like it to show, and people with permissions."""
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from reviews.models import Review

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # loading in bulk is nothing a person waits for
    call_command("seed_bench", reviews=reviews, grants=grants, verbosity=0)
    past = timezone.now() - timedelta(days=3)
    decided = {"status": "approved", "settled_at": past, "ended_at": past, "undo_until": past, "measured_at": past}
    rows = Review.objects.filter(number__endswith="7")
    rows.update(**decided, band=None, answer={"verdict": "approve", "comment": "Agreed"})
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def heavy_case(reviewer: Any) -> Any:
    """One of the seeded reviews, made as full as cases come: forty differences in a document of many pages."""
    from django.db.models import Q

    from orchestrator.models import DocumentPage
    from reviews.models import Review

    from .product import let_decide

    review = Review.objects.listed().select_related("queue").filter(~Q(vendor="")).order_by("rank", "id").first()
    assert review is not None, "seed first"
    let_decide(reviewer, review.queue)
    digest = "b" * 64
    lines = [f"Clause {n} of the agreement is not limited in any way whatsoever" for n in range(40)]
    rows = [
        DocumentPage(sha256=digest, number=n, width=595, height=842, text="\n".join(lines)) for n in range(1, PAGES + 1)
    ]
    DocumentPage.objects.bulk_create(rows, ignore_conflicts=True)
    review.packet |= packet_parts(digest, lines)
    review.save(update_fields=["packet"])
    return review


def packet_parts(digest: str, lines: list[str]) -> dict[str, Any]:
    document = {"id": "01a21c3d-d903-7547-8e31-2981fc2feb3b", "sha256": digest, "name": "agreement.pdf", "size": 1}
    document |= {"media_type": "application/pdf", "role": "document", "pages": PAGES, "state": "stored", "refusal": ""}
    spots = [
        {"page": n % 12 + 1, "line": None, "box": [0.1, n / 45, 0.5, n / 45 + 0.01], "quote": lines[n]}
        for n in range(40)
    ]
    about = {"severity": "stop", "kind": "clause", "line": None, "step": "look", "document": None, "exposure": ""}
    options = [{"value": "12.00", "source": "agreement"}, {"value": "24.00", "source": "order"}]
    differences = [
        {
            "id": f"d{n}",
            **about,
            "title": f"Clause {n}",
            "message": lines[n],
            "pointer": f"/look/f{n}",
            "options": options,
        }
        | {"passages": [spots[n]]}
        for n in range(40)
    ]
    read = {"step": "look", "document": None, "readings": {"page": "12.00"}, "confidence": "0.97"}
    values = [
        {
            "name": f"f{n}",
            "label": f"Field {n}",
            "value": "12.00",
            "pointer": f"/look/f{n}",
            "passages": [spots[n]],
            **read,
        }
        for n in range(33)
    ]
    at = "2026-11-27T09:02:28.682000Z"
    judged = {"step": "look", "verdict": "continue", "confidence": "0.97", "at": at, "cost": "0"}
    decisions = [
        {"id": f"{n}", "actor_kind": "agent", "actor": "bench.seed", "rationale": lines[n], **judged} for n in range(20)
    ]
    source = {
        "source": "orders",
        "query": "number = 4711",
        "rows": 1,
        "digest": digest,
        "agent": "bench.seed",
        "at": at,
    }
    return {
        "documents": [document],
        "differences": differences,
        "values": values,
        "decisions": decisions,
        "sources": [{**source, "step": "look"} for _ in range(10)],
    }
