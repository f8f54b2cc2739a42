"""Seals columns of allauth's own models while their classes are being prepared.

allauth's models cannot be swapped and offer no hook for storage. Its lookups, however, are
exact ones on lower-case text, so a column whose field class is replaced before first use
serves them unchanged. What changes is written down in our own migrations for these apps
(``accounts/foreign``); tests compare them with the names allauth ships, and pin its version.

The app ``accounts`` stands before allauth in ``INSTALLED_APPS`` for this to take effect.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Field, Q
from django.db.models.signals import class_prepared

from tollkeeper.kit.bound import BoundEmailField, BoundTextField, blind_unique, marker_check
from tollkeeper.kit.sealed import SealedJSONField, SealedTextField


def _reclass(model: type[models.Model], name: str, field_class: type[Field[Any, Any]]) -> None:
    field: Any = model._meta.get_field(name)
    field.__class__ = field_class
    for key, value in vars(field_class()).items():
        field.__dict__.setdefault(key, value)  # what only the new class knows
    # an index on a sealed form serves nothing; the blind token has its own
    field.db_index = False
    field._unique = False


def _email_address(model: type[models.Model]) -> None:
    _reclass(model, "email", BoundEmailField)
    meta = model._meta
    meta.unique_together = ()
    meta.original_attrs.pop("unique_together", None)  # what migrations are compared with
    meta.constraints = [
        *(one for one in meta.constraints if one.name != "unique_verified_email"),
        blind_unique("email", "account_email_verified", condition=Q(verified=True)),
        blind_unique("email", "account_email_of_user", "user"),
        marker_check("email", "account_email_sealed"),
    ]


def _user_session(model: type[models.Model]) -> None:
    _reclass(model, "ip", SealedTextField)
    _reclass(model, "user_agent", SealedTextField)
    _reclass(model, "session_key", BoundTextField)
    model._meta.constraints = [
        *model._meta.constraints,
        blind_unique("session_key", "usersessions_key"),
        marker_check("session_key", "usersessions_key_sealed"),
    ]
    model._meta.original_attrs["constraints"] = model._meta.constraints


def _authenticator(model: type[models.Model]) -> None:
    _reclass(model, "data", SealedJSONField)


_RESEAL = {
    "account.EmailAddress": _email_address,
    "usersessions.UserSession": _user_session,
    "mfa.Authenticator": _authenticator,
}
_NAMES = {
    "account.EmailAddress": "address of",
    "account.EmailConfirmation": "confirmation of",
    "usersessions.UserSession": "session of",
    "mfa.Authenticator": "factor of",
}


def _pseudonym(words: str) -> Any:
    def text(self: Any) -> str:
        owner = getattr(self, "user_id", None)
        return f"{words} subject-{owner.hex[:12]}" if owner else f"{words} row {self.pk}"

    return text


def reseal(sender: type[models.Model], **_: Any) -> None:
    """Receiver of ``class_prepared``; leaves the models of migration states alone."""
    if sender.__module__ == "__fake__":
        return
    label = sender._meta.label
    if label in _RESEAL:
        _RESEAL[label](sender)
    if label in _NAMES:
        sender.__str__ = _pseudonym(_NAMES[label])  # type: ignore[method-assign]


def connect() -> None:
    """Listen from now on; called before any model of allauth is imported."""
    class_prepared.connect(reseal, dispatch_uid="tollkeeper-reseal")
