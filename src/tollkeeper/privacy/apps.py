from django.apps import AppConfig

from tollkeeper.privacy import checks


class PrivacyConfig(AppConfig):
    name = "tollkeeper.privacy"
    label = "privacy"
    default_auto_field = "django.db.models.BigAutoField"
    system_checks = (checks.declared, checks.stored)

    def ready(self) -> None:
        from tollkeeper.kit import egress, log_keys  # noqa: PLC0415 - models exist only now
        from tollkeeper.privacy import processors, restrictions  # noqa: PLC0415
        from tollkeeper.privacy.discovery import scope_reads  # noqa: PLC0415

        checks.BY_LOGS.update(log_keys.RULES.values())
        scope_reads()
        egress.use_register(processors.register)
        egress.add_stop(restrictions.stop)
