from django.db import migrations

from orchestrator.guards import guard_moves, no_approval_by_the_requester
from reviews.transitions import REVIEW


class Migration(migrations.Migration):
    dependencies = [("reviews", "0002_append_only"), ("orchestrator", "0005_guards")]
    operations = [guard_moves("reviews_review", "status", REVIEW), no_approval_by_the_requester()]
