import django.db.models.deletion
import django.db.models.functions.datetime
from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import audit.ids


def look_anew(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    """Figures ask for the column. Of one without statistics PostgreSQL believes that hardly a row has NULL in it."""
    if editor.connection.vendor == "postgresql":
        editor.execute("ANALYZE reviews_review (control)")


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0019_control_cases"),
        ("reviews", "0018_barred"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="review",
            name="control",
            field=models.BooleanField(
                help_text="A planted case with a known answer. Empty: an ordinary one.", null=True
            ),
        ),
        migrations.AlterField(
            model_name="review",
            name="barred",
            field=models.TextField(
                help_text='Keys of those who had a part in what is reversed, or know the answer: " 3 17 ".', null=True
            ),
        ),
        migrations.CreateModel(
            name="ControlCase",
            fields=[
                ("id", models.UUIDField(default=audit.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("verdicts", models.JSONField(help_text="The answers that are right: approve, reject, reroute.")),
                (
                    "corrections",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text='What a right approval corrects: {"JSON pointer into the case": value}.',
                    ),
                ),
                (
                    "why",
                    models.TextField(help_text="Why that is right: told to whoever has answered.", max_length=1000),
                ),
                ("planted_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("withdrawn_at", models.DateTimeField(editable=False, null=True)),
                ("caught", models.BooleanField(editable=False, null=True)),
                ("answered_at", models.DateTimeField(editable=False, null=True)),
                (
                    "approval",
                    models.OneToOneField(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="reviews.approval",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "planted_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "review",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="reviews.review",
                    ),
                ),
                (
                    "run",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="control_case", to="orchestrator.run"
                    ),
                ),
            ],
            options={
                "ordering": ["-planted_at"],
                "permissions": [("stand_in", "Stands as who handed in control cases")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("answered_at__isnull", True)), fields=["id"], name="control_case_waits"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answered_at", None), ("caught", None), ("person", None)),
                            models.Q(
                                ("answered_at__isnull", False), ("caught__isnull", False), ("person__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="control_case_answered_whole",
                    )
                ],
            },
        ),
        migrations.RunPython(look_anew, migrations.RunPython.noop),
    ]
