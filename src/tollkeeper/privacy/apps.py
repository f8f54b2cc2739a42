from django.apps import AppConfig

from tollkeeper.privacy import checks


class PrivacyConfig(AppConfig):
    name = "tollkeeper.privacy"
    label = "privacy"
    default_auto_field = "django.db.models.BigAutoField"
    system_checks = (checks.declared, checks.stored)
