"""Sends the keystore's one table to its own database, and everything else to the book."""

from __future__ import annotations

from typing import Any

KEYSTORE = "keystore"


class KeystoreRouter:
    """The keystore app lives in the database of the same name, alone."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return KEYSTORE if model._meta.app_label == KEYSTORE else None

    db_for_write = db_for_read

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return (one._meta.app_label == KEYSTORE) == (other._meta.app_label == KEYSTORE)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return (db == KEYSTORE) == (app_label == KEYSTORE)
