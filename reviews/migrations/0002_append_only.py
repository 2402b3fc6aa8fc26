from django.db import migrations

from audit.triggers import append_only


class Migration(migrations.Migration):
    dependencies = [("reviews", "0001_initial"), ("audit", "0002_append_only")]
    operations = [append_only("reviews_approval")]
