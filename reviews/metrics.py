"""Reviews in the metrics (settings.METRICS)."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Min, Q

from orchestrator.metrics import Gauge, age, counted

from .models import Review


def gauges(now: datetime) -> Iterator[Gauge]:
    yield Gauge("reviews", "Reviews by status.", counted(Review.objects.all(), "status"))
    live = Review.objects.live().order_by("queue__name").values("queue__name")
    rows = list(live.annotate(oldest=Min("opened_at"), late=Count("pk", filter=Q(due_at__lt=now))))
    waited = [({"queue": row["queue__name"]}, age(row["oldest"], now)) for row in rows]
    yield Gauge("review_age_seconds", "How long the oldest open review has waited, by queue.", waited)
    overdue = [({"queue": row["queue__name"]}, row["late"]) for row in rows]
    yield Gauge("reviews_overdue", "Open reviews past their time, by queue.", overdue)
