from django.db import migrations, models

import audit.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Pending",
            fields=[
                ("event_id", models.UUIDField(primary_key=True, serialize=False)),
            ],
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=audit.ids.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("at", models.DateTimeField()),
                ("kind", models.CharField(max_length=40)),
                ("subject_type", models.CharField(max_length=40)),
                ("subject_id", models.CharField(max_length=200)),
                ("run", models.CharField(blank=True, max_length=36)),
                ("workflow", models.CharField(blank=True, max_length=80)),
                ("queue", models.CharField(blank=True, max_length=80)),
                ("actor_kind", models.CharField(max_length=10)),
                ("actor_id", models.CharField(blank=True, max_length=150)),
                ("actor_label", models.CharField(blank=True, max_length=200)),
                ("body", models.BinaryField()),
            ],
            options={
                "ordering": ["-at", "-id"],
                "indexes": [
                    models.Index(fields=["at", "id"], name="audit_event_at"),
                    models.Index(fields=["run", "at"], name="audit_event_run"),
                    models.Index(fields=["kind", "at"], name="audit_event_kind"),
                    models.Index(fields=["subject_id"], name="audit_event_subject"),
                    models.Index(fields=["workflow", "at"], name="audit_event_workflow"),
                    models.Index(fields=["queue", "at"], name="audit_event_queue"),
                    models.Index(fields=["actor_id", "at"], name="audit_event_actor"),
                ],
            },
        ),
    ]
