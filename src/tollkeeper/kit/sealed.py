"""Sealing: values that only a subject's own key can open.

A token is ``s1.<subject>.<base 64>``: AES-256-GCM under the subject's key with a fresh
nonce; column and subject are bound in as associated data, so that a token moved to another
column or person does not open. Destroying the key makes every token of the subject
unreadable, in backups too.
"""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

from cryptography.exceptions import InvalidTag
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.lookups import Exact, Lookup

from tollkeeper.kit.keystore.ring import decode64, encode64
from tollkeeper.kit.keystore.vault import (
    Erased,
    destroy,
    destroyed,
    ensure_cipher,
    forget_keys,
    get_cipher,
    has_key,
    on_trial,
    preload,
    recheck,
)
from tollkeeper.kit.purposes import Closed, UndeclaredRead, allowed

__all__ = [
    "Closed",
    "Damaged",
    "Erased",
    "ErasedText",
    "SealedJSONField",
    "SealedTextField",
    "UndeclaredRead",
    "destroy",
    "destroyed",
    "forget_keys",
    "has_key",
    "on_trial",
    "open_bytes",
    "open_sealed",
    "preload",
    "recheck",
    "seal",
]

PREFIX = "s1"
_NONCE = 12


class Damaged(Exception):
    """A sealed value is not what its key wrote there: moved, cut or changed."""


class Packed(str):
    """A sealed token on its way into a column."""

    __slots__ = ()


class ErasedText(str):
    """What a sealed column reads as once its key is destroyed; remembers the stored token."""

    token: str

    def __new__(cls, text: str, token: str) -> ErasedText:
        made = super().__new__(cls, text)
        made.token = token
        return made


class ErasedDict(dict[str, Any]):
    """The empty value of a sealed JSON column whose key is destroyed."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token


def _data(subject: uuid.UUID, context: str) -> bytes:
    return f"{context}|{subject.hex}".encode()


def seal(subject: uuid.UUID | None, value: str | bytes, context: str) -> str:
    """Seal a value for a subject; ``context`` says where it is kept (``delivery.secret``).

    Makes the subject's key if there is none yet; raises :class:`Erased` after destruction
    (and for None: a customer whose person is gone).
    """
    if subject is None:
        raise Erased(None)
    raw = value.encode() if isinstance(value, str) else value
    nonce = os.urandom(_NONCE)
    body = ensure_cipher(subject).encrypt(nonce, raw, _data(subject, context))
    return f"{PREFIX}.{subject.hex}.{encode64(nonce + body)}"


def subject_of(token: str) -> uuid.UUID:
    """Whose token it is; raises :class:`Damaged` for anything that is no token."""
    try:
        prefix, subject, _ = token.split(".")
        if prefix != PREFIX:
            raise ValueError(prefix)
        return uuid.UUID(subject)
    except ValueError:
        raise Damaged("not a sealed value") from None


def open_bytes(subject: uuid.UUID | None, token: str, context: str) -> bytes:
    """The bytes that were sealed; raises :class:`Erased` or :class:`Damaged`."""
    if subject is None:
        raise Erased(None)
    if subject_of(token) != subject:
        raise Damaged("sealed for another subject")
    cipher = get_cipher(subject)
    try:
        raw = decode64(token.rsplit(".", 1)[1])
        return cipher.decrypt(raw[:_NONCE], raw[_NONCE:], _data(subject, context))
    except (InvalidTag, ValueError):
        raise Damaged(f"a sealed value in {context} does not open") from None


def open_sealed(subject: uuid.UUID | None, token: str, context: str) -> str:
    """The text that was sealed; raises :class:`Erased` or :class:`Damaged`."""
    return open_bytes(subject, token, context).decode()


def subject_at(instance: models.Model, path: str) -> uuid.UUID:
    """The subject's id at the end of ``path`` (``user_id``, ``customer.owner_id``)."""
    value: Any = instance
    for step in path.split("."):
        value = getattr(value, step)
    if isinstance(value, models.Model):
        value = value.pk
    if value is None:
        raise FieldError(f"{instance._meta.label}: no subject at {path!r}; save the person first")
    return value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))


def refuse_expression(value: Any) -> None:
    """Sealed columns are written by saving an instance, never by SQL."""
    if hasattr(value, "as_sql") or hasattr(value, "resolve_expression"):
        raise FieldError("a sealed column takes no SQL expression; save() the instance")


class NoLookup(Exact):
    """Says at once that a sealed column cannot be searched in this way."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        raise FieldError(f"{lhs.output_field} is sealed: this lookup is impossible on it")


class SealedTextField(models.TextField):
    """Text sealed under the key of the subject at ``subject`` (an attribute path of the row).

    Python sees clear text, SQL a token. After destruction it reads as :class:`ErasedText`.
    Cannot be searched, ordered by, or written with ``update()``; only ``isnull`` works.
    """

    subject = "user_id"
    is_sealed = True
    purposes: frozenset[str] | None = None
    """What the inventory lets it be read for; filled in when the inventories are loaded."""

    def __init__(self, *args: Any, subject: str = "user_id", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.subject = subject

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "subject": self.subject}

    @property
    def context(self) -> str:
        """The column's name: bound into every token of it."""
        return f"{self.model._meta.label_lower}.{self.attname}"

    def db_type(self, connection: Any) -> str:
        return "text"

    def pack(self, value: Any) -> str:
        """Clear value to text."""
        return str(value)

    def unpack(self, text: str) -> Any:
        """Text to clear value."""
        return text

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = getattr(model_instance, self.attname)
        if isinstance(value, ErasedText | ErasedDict | Closed):
            return Packed(value.token)
        if value is None:
            return None
        return Packed(seal(subject_at(model_instance, self.subject), self.pack(value), self.context))

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        refuse_expression(value)
        return super().get_db_prep_save(value, connection)

    def get_prep_value(self, value: Any) -> Any:
        if value is None or isinstance(value, Packed):
            return value
        raise FieldError(f"{self.model._meta.label}.{self.name} is sealed: save() the instance")

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return self.get_prep_value(value)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        if value is None:
            return None
        if not allowed(self.purposes):
            return Closed(self.context, value)
        subject = subject_of(value)
        try:
            return self.unpack(open_sealed(subject, value, self.context))
        except Erased:
            return self.erased(subject, value)

    def erased(self, subject: uuid.UUID, token: str) -> Any:
        """What the column reads as after destruction."""
        return ErasedText(f"erased-{subject.hex[:12]}", token)

    def get_lookup(self, lookup_name: str) -> type[Lookup[Any]] | None:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else NoLookup

    def get_transform(self, lookup_name: str) -> Any:
        raise FieldError(f"{self.model._meta.label}.{self.name} is sealed: no transform works on it")

    def value_to_string(self, obj: models.Model) -> str:
        raise FieldError(f"{self.model._meta.label}.{self.name} is sealed: it is in no dump")


class SealedJSONField(SealedTextField):
    """A JSON value sealed as a whole; reads as ``{}`` after destruction."""

    def pack(self, value: Any) -> str:
        return json.dumps(value, separators=(",", ":"))

    def unpack(self, text: str) -> Any:
        return json.loads(text)

    def erased(self, subject: uuid.UUID, token: str) -> Any:
        return ErasedDict(token)
