"""Each delivery names its plan; plans that are stopped have a row."""

from __future__ import annotations

import json
from typing import Any

from django.db import migrations, models

import tollkeeper.kit.fields


def name_plans(apps: Any, schema_editor: Any) -> None:
    """Take the plan out of the terms; of what was written before, a batch at a time."""
    deliveries = apps.get_model("delivery", "Delivery").objects
    rows = []
    for row in deliveries.filter(plan="").only("pk", "terms").iterator(chunk_size=2000):
        row.plan = json.loads(row.terms).get("plan", "")[:40]
        rows.append(row)
        if len(rows) == 2000:
            deliveries.bulk_update(rows, ["plan"], batch_size=200)
            rows = []
    deliveries.bulk_update(rows, ["plan"], batch_size=200)


class Migration(migrations.Migration):
    dependencies = [
        ("delivery", "0009_what_probes_found"),
    ]

    operations = [
        migrations.CreateModel(
            name="StoppedPlan",
            fields=[
                ("plan", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("reason", models.CharField(max_length=200)),
                ("since", tollkeeper.kit.fields.EpochField()),
            ],
        ),
        migrations.AddField(
            model_name="delivery",
            name="plan",
            field=models.CharField(db_default="", default="", max_length=40),
        ),
        migrations.RunPython(name_plans, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["plan", "customer"], name="delivery_plan"),
        ),
    ]
