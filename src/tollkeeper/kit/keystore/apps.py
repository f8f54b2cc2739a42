from django.apps import AppConfig


class KeystoreConfig(AppConfig):
    name = "tollkeeper.kit.keystore"
    label = "keystore"
    default_auto_field = "django.db.models.BigAutoField"
