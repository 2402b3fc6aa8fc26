from django.db import migrations, models

from orchestrator.guards import guard_growth, guard_moves
from orchestrator.transitions import TASK


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0006_connector_checks")]
    operations = [
        migrations.AddField(
            model_name="task",
            name="deaths",
            field=models.PositiveSmallIntegerField(
                default=0, help_text="Workers lost over it; if any, it is claimed alone."
            ),
        ),
        guard_moves("orchestrator_task", "status", TASK),
        guard_growth("orchestrator_task", "fence"),
    ]
