from django.db import migrations

from orchestrator.guards import guard_growth, guard_moves
from orchestrator.transitions import EFFECT, RUN, TASK


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0004_webhooks")]
    operations = [
        guard_moves("orchestrator_run", "status", RUN),
        guard_moves("orchestrator_task", "status", TASK),
        guard_moves("orchestrator_effect", "state", EFFECT),
        guard_growth("orchestrator_task", "fence"),
        guard_growth("orchestrator_effect", "fence"),
    ]
