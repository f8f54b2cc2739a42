"""Sealed columns that can still be looked up, exactly, by a blind token.

The stored form is ``bX.<24 characters>.<subject>.<base 64>``: the keyed hash of the value
(the blind index), whose it is, and the value sealed under that subject's key. ``exact``,
``iexact`` and ``in`` compare the first 27 characters, which a unique index covers.

The marker mixes cases on purpose: a CHECK on it makes the database itself refuse SQL that
would rewrite the column, such as ``update(email=Lower("email"))``.
"""

from __future__ import annotations

import unicodedata
import uuid
from typing import Any

from django.core.exceptions import EmptyResultSet, FieldError
from django.db import models
from django.db.models import CheckConstraint, F, Q, UniqueConstraint, Value
from django.db.models.functions import Substr
from django.db.models.lookups import Exact, In, Lookup

from tollkeeper.kit.keystore import ring
from tollkeeper.kit.keystore.ring import TOKEN_CHARS
from tollkeeper.kit.purposes import Closed, allowed
from tollkeeper.kit.sealed import (
    Damaged,
    Erased,
    ErasedText,
    NoLookup,
    Packed,
    open_bytes,
    refuse_expression,
    seal,
    subject_at,
)

MARKER = "bX."
HEAD_CHARS = len(MARKER) + TOKEN_CHARS


def normalise_email(text: str) -> str:
    """The form in which an address is stored and looked up: NFC, trimmed, lower case."""
    return unicodedata.normalize("NFC", text.strip()).lower()


class BlindUnique(UniqueConstraint):
    """Uniqueness of the blind token; checked by the database, not by model validation.

    Validation would compare the clear value with the stored form. Forms ask before they save.
    """

    def validate(self, *args: Any, **kwargs: Any) -> None:
        return None


class MarkerCheck(CheckConstraint):
    """The database refuses any row whose bound column does not begin with the marker."""

    def validate(self, *args: Any, **kwargs: Any) -> None:
        return None


def blind_unique(column: str, name: str, *others: str, condition: Q | None = None) -> BlindUnique:
    """A unique index on the blind token of ``column``, together with plain columns ``others``."""
    return BlindUnique(*others, Substr(column, 1, HEAD_CHARS), name=name, condition=condition)


def marker_check(column: str, name: str) -> MarkerCheck:
    """The CHECK that keeps SQL from rewriting a bound column."""
    return MarkerCheck(condition=Q(Exact(Substr(F(column), 1, len(MARKER)), Value(MARKER))), name=name)


class BoundTextField(models.CharField):
    """A short text sealed under the key of the subject at ``subject`` and found by blind token.

    ``max_length`` limits the clear value. Lookups other than ``exact``, ``iexact``, ``in`` and
    ``isnull``, ordering, ``update()`` and expressions are refused.
    """

    subject = "user_id"
    is_sealed = True
    purposes: frozenset[str] | None = None
    """What the inventory lets it be read for; filled in when the inventories are loaded."""

    @property
    def context(self) -> str:
        """The column's name: bound into every token of it."""
        return f"{self.model._meta.label_lower}.{self.attname}"

    def db_type(self, connection: Any) -> str:
        return "text"

    def normalise(self, value: str) -> str:
        """The one form of a value in which it is stored and looked up."""
        return value

    def to_python(self, value: Any) -> Any:
        return self.normalise(value) if isinstance(value, str) and value else value

    def heads(self, value: str) -> list[str]:
        """The stored beginnings under which a value may be found, newest index key first."""
        return [MARKER + token for token in ring.current().blind(self.normalise(value), self.context)]

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        value = getattr(model_instance, self.attname)
        if isinstance(value, ErasedText | Closed):
            return Packed(value.token)
        if value in (None, ""):
            return value
        clear = self.normalise(str(value))
        if self.max_length is not None and len(clear) > self.max_length:
            raise FieldError(
                f"{self.model._meta.label}.{self.name}: longer than {self.max_length} characters"
            )
        subject = subject_at(model_instance, self.subject)
        _, owner, body = seal(subject, clear, self.context).split(".")
        return Packed(f"{self.heads(clear)[0]}.{owner}.{body}")

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        refuse_expression(value)
        return super().get_db_prep_save(value, connection)

    def get_prep_value(self, value: Any) -> Any:
        if value in (None, "") or isinstance(value, Packed):
            return value
        raise FieldError(f"{self.model._meta.label}.{self.name} is sealed: save() the instance")

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return self.get_prep_value(value)

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        if value in (None, ""):
            return value
        if not allowed(self.purposes):
            return Closed(self.context, str(value))
        try:
            _, _, owner, body = str(value).split(".")
            subject = uuid.UUID(owner)
        except ValueError:
            raise Damaged(f"{self.context} holds something that is not sealed") from None
        try:
            return open_bytes(subject, f"s1.{owner}.{body}", self.context).decode()
        except Erased:
            return ErasedText(self.erased(subject), str(value))

    def erased(self, subject: uuid.UUID) -> str:
        """What the column reads as after destruction."""
        return f"erased-{subject.hex[:12]}"

    def get_lookup(self, lookup_name: str) -> type[Lookup[Any]] | None:
        if lookup_name in ("exact", "iexact"):
            return BoundExact
        if lookup_name == "in":
            return BoundIn
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else NoLookup

    def get_transform(self, lookup_name: str) -> Any:
        raise FieldError(f"{self.model._meta.label}.{self.name} is sealed: no transform works on it")

    def value_to_string(self, obj: models.Model) -> str:
        raise FieldError(f"{self.model._meta.label}.{self.name} is sealed: it is in no dump")


class BoundEmailField(BoundTextField, models.EmailField):
    """An e-mail address: bound text, compared without regard to case."""

    def normalise(self, value: str) -> str:
        return normalise_email(value)

    def erased(self, subject: uuid.UUID) -> str:
        return f"erased-{subject.hex[:12]}@erased.invalid"


class _ByHead(Lookup):
    """Compares the blind heads of clear values with the beginning of the column."""

    prepare_rhs = False

    def get_prep_lookup(self) -> Any:
        if hasattr(self.rhs, "as_sql") or hasattr(self.rhs, "resolve_expression"):
            raise FieldError("a sealed column compares with values only, not with SQL")
        return self.rhs

    def values(self) -> list[Any]:
        """The clear values looked for."""
        raise NotImplementedError

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        field = self.lhs.output_field
        wanted = [head for value in self.values() if value for head in field.heads(str(value))]
        if not wanted:
            raise EmptyResultSet
        lhs, params = self.process_lhs(compiler, connection)
        # the very function that the unique index is built with
        function = "SUBSTRING" if connection.vendor == "postgresql" else "SUBSTR"
        marks = ", ".join(["%s"] * len(wanted))
        return f"{function}({lhs}, 1, {HEAD_CHARS}) IN ({marks})", [*params, *wanted]


class BoundExact(_ByHead, Exact):
    """``exact`` and ``iexact``."""

    def values(self) -> list[Any]:
        return [self.rhs]


class BoundIn(_ByHead, In):
    """``in``."""

    def values(self) -> list[Any]:
        return list(self.rhs)
