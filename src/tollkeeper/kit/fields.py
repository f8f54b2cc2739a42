"""Columns that no business noun owns."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from django.db import models

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def to_micros(value: dt.datetime) -> int:
    """Microseconds since the Unix epoch of an aware datetime, exactly."""
    return (value - _EPOCH) // dt.timedelta(microseconds=1)


def from_micros(value: int) -> dt.datetime:
    """The aware UTC datetime of microseconds since the Unix epoch."""
    return _EPOCH + dt.timedelta(microseconds=value)


class EpochField(models.BigIntegerField):
    """An instant: an aware datetime in Python, microseconds since the epoch in SQL.

    For tables that the gate reads and writes without Django: the same number on
    SQLite and PostgreSQL.
    """

    if TYPE_CHECKING:  # what may be assigned and what is read, for django-stubs
        _pyi_private_set_type: dt.datetime | models.expressions.Combinable  # type: ignore[assignment]
        _pyi_private_get_type: dt.datetime  # type: ignore[assignment]

    def get_prep_value(self, value: Any) -> int | None:
        if isinstance(value, dt.datetime):
            return to_micros(value)
        return super().get_prep_value(value)

    def from_db_value(self, value: int | None, expression: Any, connection: Any) -> dt.datetime | None:
        return None if value is None else from_micros(value)

    def to_python(self, value: Any) -> dt.datetime | None:
        if value is None or isinstance(value, dt.datetime):
            return value
        return from_micros(int(value))
