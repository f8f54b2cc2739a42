from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sales", "0005_coupons_that_last")]

    operations = [
        migrations.AddField(
            model_name="planchange",
            name="off_minor",
            field=models.BigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="planchange",
            name="tax_note",
            field=models.CharField(blank=True, max_length=16),
        ),
    ]
