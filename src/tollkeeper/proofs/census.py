"""Raw looks at tables, for probes: counts, oldest rows, stored forms; never a value as evidence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import connections, models, router

from tollkeeper.core.addresses import SEALED_BYTES
from tollkeeper.core.personal import Model
from tollkeeper.privacy.discovery import follow, installed_models

SAMPLE = 5_000
"""How many of the newest rows a probe reads of a large table."""


def model_of(label: str) -> type[models.Model]:
    """The model of a label of the inventory."""
    return installed_models()[label]


def count(label: str, **which: Any) -> int:
    """How many rows a table has, or how many of some kind."""
    return model_of(label)._base_manager.filter(**which).count()


def raw_values(label: str, column: str, limit: int = SAMPLE) -> Iterator[Any]:
    """Stored forms of one column, newest rows first, as the driver gives them; no nulls."""
    model = model_of(label)
    connection = connections[router.db_for_read(model) or "default"]
    quote = connection.ops.quote_name
    field: Any = model._meta.get_field(column)
    name, key = quote(field.column), quote(str(model._meta.pk.column))
    table = quote(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL ORDER BY {key} DESC LIMIT %s",  # noqa: S608
            [limit],
        )
        for row in cursor.fetchall():
            yield row[0]


def is_sealed(value: Any) -> bool:
    """Whether a stored value is a token of a subject's key, or an address sealed to a day's key."""
    if isinstance(value, bytes | memoryview):
        return len(value) == SEALED_BYTES
    return str(value).startswith(("s1.", "bX."))


def oldest(label: str, since: str) -> dt.datetime | dt.date | None:
    """The earliest instant in a column, or at the end of a path over foreign keys."""
    rows = model_of(label)._base_manager.all()
    first: dt.datetime | dt.date | None = rows.aggregate(first=models.Min(since.replace(".", "__")))["first"]
    return first


def overdue(label: str, since: str, limit: dt.datetime) -> int:
    """How many rows stand that began before ``limit``."""
    last = follow(model_of(label), since)
    bound: Any = limit if isinstance(last, models.DateTimeField | models.BigIntegerField) else limit.date()
    return model_of(label)._base_manager.filter(**{f"{since.replace('.', '__')}__lt": bound}).count()


def text_columns(entries: Iterable[tuple[str, Model]]) -> Iterator[tuple[str, str]]:
    """(label, column) of every text column that is not sealed."""
    for label, entry in entries:
        for name in entry.columns:
            field = model_of(label)._meta.get_field(name)
            if isinstance(field, models.CharField | models.TextField) and not getattr(
                field, "is_sealed", False
            ):
                yield label, name


def age(moment: dt.datetime | dt.date | None, now: dt.datetime) -> int | None:
    """Whole days since ``moment``."""
    if moment is None:
        return None
    if isinstance(moment, dt.datetime):
        return (now - moment).days
    return (now.date() - moment).days
