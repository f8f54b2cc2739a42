from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sales", "0006_tax_of_changes")]

    operations = [
        migrations.AddField(
            model_name="orderline",
            name="anchor_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="planchange",
            name="anchor_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="planchange",
            name="period",
            field=models.CharField(blank=True, max_length=8),
        ),
        migrations.AddField(
            model_name="subscription",
            name="first_number",
            field=models.IntegerField(default=0),
        ),
    ]
