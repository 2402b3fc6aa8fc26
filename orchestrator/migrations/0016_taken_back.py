import django.db.models.deletion
from django.db import migrations, models

from orchestrator.guards import guard_growth, guard_moves, nothing_is_called_taken_back
from orchestrator.transitions import EFFECT


def taken_before(apps, schema_editor):
    """What was taken back so far: in its own run by `pay-undo`, in a run of its own by `take_back:pay`."""
    Effect, Decision = (apps.get_model("orchestrator", name) for name in ("Effect", "Decision"))
    rows = Effect.objects.filter(models.Q(step__endswith="-undo") | models.Q(step__startswith="take_back:"))
    for row in rows.exclude(state__in=("void", "failed")).select_related("run").order_by("authorised_at"):
        run, step = row.run_id, row.step.removesuffix("-undo")
        if row.step.startswith("take_back:"):
            decision = Decision.objects.filter(pk=row.run.input.get("decision")).first()
            run, step = decision and decision.run_id, row.step.removeprefix("take_back:")
        taken = Effect.objects.filter(run=run, step=step, state="confirmed", takings=None).first()
        if taken is not None:
            Effect.objects.filter(pk=row.pk).update(takes_back=taken)
            if row.state == "confirmed":
                Effect.objects.filter(pk=taken.pk).update(taken_back_at=row.ended_at)


class Migration(migrations.Migration):
    dependencies = [
        ("orchestrator", "0015_connector_rights"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="effect",
            name="one_live_effect_per_business_key",
        ),
        migrations.AddField(
            model_name="effect",
            name="taken_back_at",
            field=models.DateTimeField(help_text="When what takes it back was confirmed.", null=True),
        ),
        migrations.AddField(
            model_name="effect",
            name="takes_back",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="takings",
                to="orchestrator.effect",
            ),
        ),
        migrations.AddIndex(
            model_name="effect",
            index=models.Index(
                condition=models.Q(("takes_back__isnull", False)), fields=["takes_back"], name="effect_taking"
            ),
        ),
        migrations.AddConstraint(
            model_name="effect",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("state__in", ("void", "failed")), _negated=True),
                    models.Q(("business_key", ""), _negated=True),
                    ("taken_back_at", None),
                    ("takes_back", None),
                ),
                fields=("kind", "business_key"),
                name="one_live_effect_per_business_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="effect",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("void", "failed")), _negated=True),
                fields=("takes_back",),
                name="taken_back_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="effect",
            constraint=models.CheckConstraint(
                condition=models.Q(("taken_back_at", None), ("state", "confirmed"), _connector="OR"),
                name="only_what_was_done_is_taken_back",
            ),
        ),
        guard_moves("orchestrator_effect", "state", EFFECT),
        guard_growth("orchestrator_effect", "fence"),
        nothing_is_called_taken_back(),
        migrations.RunPython(taken_before, migrations.RunPython.noop),
    ]
