from django.db import migrations

from audit.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("orchestrator", "0001_initial"), ("audit", "0002_append_only")]
    operations = [
        append_only("orchestrator_decision"),
        append_only("orchestrator_workflowversion"),
        append_only("orchestrator_policyversion"),
    ]
