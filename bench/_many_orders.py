"""Fills a book with finished orders by copying one real one, row by row, table by table."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db import connection, models, transaction

STRIDE = 1_000_000_000
"""Ids of copies are this far apart per table's row, and far above those that are still to come."""
TABLES = (
    "accounts.User",
    "accounts.Customer",
    "sales.Order",
    "sales.OrderLine",
    "payments.Attempt",
    "payments.InboxEvent",
    "payments.Document",
    "delivery.Key",
    "delivery.KeyEntry",
    "delivery.Delivery",
    "usage.Grant",
    "usage.Balance",
    "kit.Job",
)
LONG = 200
"""Texts longer than this (frozen terms, snapshots) are not copied: nobody reads them here."""
_SHIFTED = ("customer_id", "line_id", "key_id", "order_id", "attempt_id", "number")
BATCH = 2_000
_first: dict[str, list[tuple[Any, ...]]] = {}
"""The rows of the one order that the book held at first; what is bought later is not copied."""


def fill(already: int, goal: int) -> None:
    """Copy the only order of the book until there are ``goal``; ``already`` copies exist."""
    for label in TABLES:
        model = apps.get_model(label)
        fields = list(model._meta.concrete_fields)
        columns = ", ".join(f'"{field.column}"' for field in fields)
        if not already:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT {columns} FROM {model._meta.db_table}")
                _first[label] = cursor.fetchall()
        originals = _first[label]
        insert = f"INSERT INTO {model._meta.db_table} ({columns}) VALUES ({', '.join(['%s'] * len(fields))})"
        rows = (
            _copy(fields, row, n, at) for n in range(already + 1, goal) for at, row in enumerate(originals)
        )
        for batch in _batches(rows):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.executemany(insert, batch)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _copy(fields: list[Any], row: tuple[Any, ...], number: int, at: int) -> tuple[Any, ...]:
    return tuple(_value(field, value, number, at) for field, value in zip(fields, row, strict=True))


def _value(field: Any, value: Any, number: int, at: int) -> Any:
    target = field.target_field if field.is_relation else field
    if value is None:
        return None
    if (field.model._meta.db_table, field.column) == ("kit_job", "state"):
        return "done"  # what is over has no work left
    if isinstance(target, models.UUIDField):
        copied = uuid.UUID(int=(uuid.UUID(str(value)).int + number) % (1 << 128))
        return copied.hex if isinstance(value, str) else copied
    if isinstance(value, int) and (field.primary_key or field.column in _SHIFTED):
        return value + number * STRIDE
    if isinstance(target, models.BinaryField):
        return uuid.UUID(int=number * 1000 + at).bytes
    if isinstance(value, str) and _tells_apart(field):
        return f"{value[: (field.max_length or 100) - 12]}~{number:x}"[: field.max_length or 100]
    if isinstance(value, str) and len(value) > LONG:
        return "{}"
    return value


def _tells_apart(field: Any) -> bool:
    return bool(field.unique) or field.column in ("reference", "payment", "event_id", "object_id")


def _batches(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
