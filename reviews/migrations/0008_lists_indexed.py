import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from orchestrator.guards import guard_moves, lift_approval_guard, no_approval_by_the_requester
from reviews.transitions import REVIEW


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0006_connector_checks"),
        ("reviews", "0007_lists"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        lift_approval_guard(),
        migrations.AlterField(
            model_name="review",
            name="requester",
            field=models.ForeignKey(
                help_text="Who started the run.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="review",
            name="workflow",
            field=models.CharField(help_text="The name of the run's workflow.", max_length=60),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("band__isnull", False)),
                fields=["band", "rank", "due_at", "id"],
                name="review_urgency",
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("band__isnull", False)),
                fields=["queue", "band", "rank", "due_at", "id"],
                name="review_queue",
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("band__isnull", False)),
                fields=["workflow", "band", "rank", "due_at", "id"],
                name="review_workflow",
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("band__isnull", False)), fields=["rank", "id"], name="review_exposure"
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("band__isnull", False)), fields=["opened_at", "id"], name="review_age"
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("band__isnull", False), ("overdue_at__isnull", True)),
                fields=["due_at"],
                name="review_late",
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("claimed_until__isnull", False)), fields=["claimed_until"], name="review_claims"
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("snoozed_until__isnull", False)), fields=["snoozed_until"], name="review_snoozes"
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("band__isnull", False)), fields=["band", "due_at"], name="review_due"
            ),
        ),
        migrations.AddConstraint(
            model_name="review",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("band__isnull", True), ("status__in", ("open", "claimed", "escalated")), _connector="XOR"
                ),
                name="live_review_has_a_band",
            ),
        ),
        guard_moves("reviews_review", "status", REVIEW),
        no_approval_by_the_requester(),
    ]
