from django.db import migrations

from tollkeeper.kit import daily


def partition(apps, schema_editor):
    """On PostgreSQL the call log becomes a table of days; the worker makes the days."""
    daily.partition(schema_editor, apps.get_model("usage", "Call"), daily.Daily("usage_call", "called_at"))


class Migration(migrations.Migration):
    dependencies = [("usage", "0003_call_log_by_day")]
    operations = [migrations.RunPython(partition, migrations.RunPython.noop, elidable=False)]
