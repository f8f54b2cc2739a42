from django.apps import AppConfig

from tollkeeper.web import messages


class WebConfig(AppConfig):
    name = "tollkeeper.web"
    label = "web"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Translations are text in the repository; what the program reads is made from it here."""
        messages.compile_catalogs()
