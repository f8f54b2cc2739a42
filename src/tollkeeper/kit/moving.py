"""Moves a whole book from SQLite to PostgreSQL: every row of every table, compared afterwards.

Rows are copied as the columns hold them, sealed values included, so neither keys nor purposes
are needed. All of it is one transaction of the target: it has every row, or none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.core.management.color import no_style
from django.db import connections, models, router, transaction
from django.db.models.expressions import Col

BATCH = 2_000
_MODULUS = 1 << 128
Say = Callable[[int, int, str], None]
"""Told what is done: tables so far, tables in all, the table's name."""


class CannotMove(Exception):
    """A book cannot be moved; one sentence that says what to do. The source is as it was."""


def tables(source: str = "default") -> list[type[models.Model]]:
    """Every table of the book, as its model, in a fixed order."""
    found = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and router.allow_migrate_model(source, model)
    ]
    return sorted(found, key=lambda model: model._meta.db_table)


def is_empty(alias: str) -> bool:
    """True if the database has no table at all."""
    connection = connections[alias]
    with connection.cursor() as cursor:
        return not connection.introspection.table_names(cursor)


def move(source: str, target: str, say: Say) -> int:
    """Copy every row; the tables of ``target`` exist and nothing runs on either. The number of rows.

    Raises :class:`CannotMove` if what arrived is not what was sent; then nothing arrived.
    """
    every = tables(source)
    rows = 0
    with transaction.atomic(using=target):
        _clear(target, every)
        for done, model in enumerate(every):
            say(done, len(every), model._meta.db_table)
            count, digest = _copy(model, source, target)
            if (count, digest) != _measure(_rows(model, target)):
                raise CannotMove(
                    f"the table {model._meta.db_table} did not arrive as it was sent; nothing was moved"
                )
            rows += count
        _set_counters(target, every)
    say(len(every), len(every), "")
    return rows


def _clear(target: str, every: list[type[models.Model]]) -> None:
    """What migrations themselves wrote goes: the source has it too, under its own numbers."""
    quote = connections[target].ops.quote_name
    names = ", ".join(quote(model._meta.db_table) for model in every)
    with connections[target].cursor() as cursor:
        cursor.execute(f"TRUNCATE {names} CASCADE")


def _columns(model: type[models.Model]) -> list[Any]:
    return list(model._meta.local_concrete_fields)


def _base(field: Any) -> Any:
    """The field that decides how a value is kept: a reference keeps what it refers to."""
    while field.is_relation:
        field = field.target_field
    return field


def _rows(model: type[models.Model], alias: str) -> Iterator[tuple[Any, ...]]:
    """The rows as plain Python values, alike whichever database they lie in."""
    connection = connections[alias]
    fields = _columns(model)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column) for field in fields)
    read = [_reader(field, connection) for field in fields]
    with connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(model._meta.db_table)}")  # noqa: S608 - names of ours
        while batch := cursor.fetchmany(BATCH):
            for row in batch:
                yield tuple(one(value) for one, value in zip(read, row, strict=True))


def _reader(field: Any, connection: Any) -> Callable[[Any], Any]:
    base = _base(field)
    expression = Col(field.model._meta.db_table, base)
    converters = connection.ops.get_db_converters(expression)
    is_json, is_binary = isinstance(base, models.JSONField), isinstance(base, models.BinaryField)

    def read(value: Any) -> Any:
        for convert in converters:
            value = convert(value, expression, connection)
        if value is None:
            return None
        if is_json:  # the text may be spaced and ordered differently, the value may not differ
            return json.dumps(json.loads(value), sort_keys=True)
        return bytes(value) if is_binary else value

    return read


def _copy(model: type[models.Model], source: str, target: str) -> tuple[int, int]:
    quote = connections[target].ops.quote_name
    columns = ", ".join(quote(field.column) for field in _columns(model))
    sent: list[tuple[int, int]] = []
    with connections[target].cursor() as cursor:
        statement = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"
        with cursor.cursor.copy(statement) as copy:

            def pass_on() -> Iterator[tuple[Any, ...]]:
                for row in _rows(model, source):
                    copy.write_row(row)
                    yield row

            sent.append(_measure(pass_on()))
    return sent[0]


def _measure(rows: Iterator[tuple[Any, ...]]) -> tuple[int, int]:
    """How many rows, and a sum over them that does not depend on their order."""
    count = total = 0
    for row in rows:
        count += 1
        total += int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=16).digest())
    return count, total % _MODULUS


def _set_counters(target: str, every: list[type[models.Model]]) -> None:
    """The next row gets the number after the largest that was moved."""
    with connections[target].cursor() as cursor:
        for statement in connections[target].ops.sequence_reset_sql(no_style(), every):
            cursor.execute(statement)
