from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("privacy", "0006_request_clocks")]

    operations = [
        migrations.AddField(
            model_name="authoritycase", name="year", field=models.PositiveSmallIntegerField(null=True)
        ),
        migrations.AddField(
            model_name="hold", name="year", field=models.PositiveSmallIntegerField(null=True)
        ),
    ]
