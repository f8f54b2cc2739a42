import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("privacy", "0009_copies")]

    operations = [
        migrations.AddField(
            model_name="restriction",
            name="stopped",
            field=models.CharField(default="", max_length=400),
        ),
        migrations.CreateModel(
            name="ErasureReceipt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.CharField(max_length=16, unique=True)),
                ("begun_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("erased_at", models.DateTimeField(null=True)),
                ("gone", models.JSONField(default=dict)),
                ("kept", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="Forgetting",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("receipt", models.CharField(db_index=True, max_length=16)),
                ("mark", models.CharField(max_length=24, unique=True)),
                ("kind", models.CharField(max_length=10)),
                ("processor", models.CharField(max_length=64)),
                ("reference", models.CharField(default="", max_length=255)),
                ("state", models.CharField(default="waiting", max_length=10)),
                ("tries", models.PositiveSmallIntegerField(default=0)),
                ("code", models.CharField(default="", max_length=40)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("due_on", models.DateField()),
                ("told_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["state", "due_on"], name="privacy_forgetting_due")],
            },
        ),
    ]
