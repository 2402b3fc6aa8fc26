from datetime import timedelta

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from orchestrator.guards import guard_moves, lift_approval_guard, no_approval_by_the_requester
from reviews.transitions import REVIEW

BANDS = ((2, 24), (1, 2), (0, 0))  # band, due at most so many hours ahead


def fill(apps, editor):
    """What was copied from the run since, and the due band of what is live."""
    review, run = apps.get_model("reviews", "Review"), apps.get_model("orchestrator", "Run")
    runs = run.objects.filter(pk=OuterRef("run_id"))
    review.objects.update(
        requester=Subquery(runs.values("started_by")[:1]), workflow=Subquery(runs.values("version__workflow__name")[:1])
    )
    live = review.objects.filter(status__in=("open", "claimed", "escalated"))
    live.update(band=3)
    for band, hours in BANDS:
        live.filter(due_at__lte=timezone.now() + timedelta(hours=hours)).update(band=band)


class Migration(migrations.Migration):
    dependencies = [
        ("reviews", "0006_preferences"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        lift_approval_guard(),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60)),
                ("query", models.CharField(max_length=500)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.RemoveIndex(
            model_name="review",
            name="review_inbox",
        ),
        migrations.RemoveIndex(
            model_name="review",
            name="review_by_run",
        ),
        migrations.AddField(
            model_name="review",
            name="band",
            field=models.PositiveSmallIntegerField(
                help_text="Index into BANDS; set exactly while live. The sweeper keeps up with the clock.", null=True
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="requester",
            field=models.ForeignKey(
                help_text="Who started the run.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="snoozed_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="snooze_moved_due",
            field=models.BooleanField(default=False, help_text="The snooze has put the due time off."),
        ),
        migrations.AddField(
            model_name="review",
            name="snoozed_until",
            field=models.DateTimeField(help_text="Until then it is in nobody's list of what to do.", null=True),
        ),
        migrations.AddField(
            model_name="review",
            name="workflow",
            field=models.CharField(default="", help_text="The name of the run's workflow.", max_length=60),
        ),
        migrations.AddField(
            model_name="reviewpolicy",
            name="bulk_approve",
            field=models.BooleanField(
                default=False, help_text="Cases in which nothing differs may be approved several at a time."
            ),
        ),
        migrations.AddField(
            model_name="reviewpolicy",
            name="snooze_stops_clock",
            field=models.BooleanField(
                default=False,
                help_text="A snoozed case is due so much later; otherwise it comes back at the latest when due.",
            ),
        ),
        migrations.AddField(
            model_name="savedview",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="saved_views", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="rank",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.comparison.Coalesce(
                    django.db.models.expressions.CombinedExpression(models.F("amount_base"), "*", models.Value(-1)),
                    4611686018427387904,
                ),
                help_text="What stands first within a band: the larger exposure.",
                output_field=models.BigIntegerField(),
            ),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(fields=("user", "name"), name="one_saved_view_of_a_name"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        guard_moves("reviews_review", "status", REVIEW),
        no_approval_by_the_requester(),
    ]
