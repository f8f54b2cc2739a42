from importlib import import_module

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "tollkeeper.payments"
    label = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let Django know the checks."""
        import_module("tollkeeper.payments.checks")
