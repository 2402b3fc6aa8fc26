from django.conf import settings
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def fill(apps, editor):
    """What is live and somebody has signed: of all that is live, those few are touched."""
    votes = apps.get_model("reviews", "Approval").objects.filter(verdict__in=("approve", "reject", "reroute"))
    last = votes.filter(review=OuterRef("pk")).order_by("-at").values("at")[:1]
    live = apps.get_model("reviews", "Review").objects.filter(band__isnull=False, pk__in=votes.values("review"))
    live.update(signed_at=Subquery(last))


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0012_oldest_first"),
        ("reviews", "0013_queue_rights"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="review",
            name="signed_at",
            field=models.DateTimeField(
                help_text="When one of several people signed last; empty: nobody yet.", null=True
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
        migrations.AddIndex(
            model_name="approval",
            index=models.Index(fields=["reviewer", "at"], name="approval_reviewer"),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(fields=["rank", "id"], name="review_rank"),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=models.Q(("band__isnull", False), ("signed_at__isnull", False)),
                fields=["signed_at"],
                name="review_signed",
            ),
        ),
    ]
