"""Tables that are thrown away by the day: native partitions on PostgreSQL, ranges on SQLite.

``by_day("usage_call", "called_at")`` declares a table beside its model. On PostgreSQL it is
partitioned by ranges of that column (microseconds): a worker makes the days ahead, and dropping
a day takes as long with ten rows as with ten million. What belongs to no day that was made,
such as a call that arrives late from a journal, lies in a default partition. SQLite has no
partitions: there a day goes in batches of rows, whose pages ``secure_delete`` overwrites
(docs/decisions/0021).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connections, models, transaction

from tollkeeper.core.addresses import DAY_US

AHEAD_DAYS = 8
BATCH = 5_000
LOCK_TIMEOUT = "2s"
"""A day is made or dropped behind readers and writers, never in front of a queue of them."""
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Daily:
    """A table and the column, in microseconds since the epoch, whose day decides."""

    table: str
    column: str


_DAILY: dict[str, Daily] = {}


def by_day(table: str, column: str) -> None:
    """Declare a table; called where its model is defined."""
    _DAILY[table] = Daily(table, column)


def find(table: str) -> Daily | None:
    """What was declared for a table."""
    return _DAILY.get(table)


def is_partitioned(alias: str = "default") -> bool:
    """Whether this book has real partitions."""
    return connections[alias].vendor == "postgresql"


def _part(one: Daily, day: int) -> str:
    return f"{one.table}_d{_EPOCH + dt.timedelta(days=day):%Y%m%d}"


def _rest(one: Daily) -> str:
    return f"{one.table}_rest"


def partition(schema_editor: Any, model: type[models.Model], one: Daily) -> None:
    """For a migration: rebuild a table as a partitioned one, with its rows. Only PostgreSQL can.

    The ids go on where they were, from a sequence of the new table.
    """
    if schema_editor.connection.vendor != "postgresql":
        return
    old, key = f"{one.table}_old", f'"id", "{one.column}"'
    columns = ", ".join(f'"{field.column}"' for field in model._meta.concrete_fields)
    for statement in (
        f'ALTER TABLE "{one.table}" RENAME TO "{old}"',
        f'CREATE TABLE "{one.table}" (LIKE "{old}" INCLUDING DEFAULTS) PARTITION BY RANGE ("{one.column}")',
        f'CREATE SEQUENCE "{one.table}_ids" OWNED BY "{one.table}"."id"',
        f"SELECT setval('{one.table}_ids', coalesce(max(id), 0) + 1, false) FROM \"{old}\"",  # noqa: S608
        f"ALTER TABLE \"{one.table}\" ALTER COLUMN id SET DEFAULT nextval('{one.table}_ids')",
        f'CREATE TABLE "{_rest(one)}" PARTITION OF "{one.table}" DEFAULT',
        f'INSERT INTO "{one.table}" ({columns}) SELECT {columns} FROM "{old}"',  # noqa: S608
        f'DROP TABLE "{old}"',
        f'ALTER TABLE "{one.table}" ADD PRIMARY KEY ({key})',
    ):
        schema_editor.execute(statement)
    for index in model._meta.indexes:
        schema_editor.add_index(model, index)
    for constraint in model._meta.constraints:
        schema_editor.add_constraint(model, constraint)


@contextmanager
def _impatient(alias: str) -> Iterator[Any]:
    with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        yield cursor


def parts(one: Daily, alias: str = "default") -> list[int]:
    """The days that have a partition, in order; none on SQLite."""
    if not is_partitioned(alias):
        return []
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass(%s)",
            [f'"{one.table}"'],
        )
        names = [row[0] for row in cursor.fetchall()]
    found = [re.fullmatch(r".*_d(\d{8})", name) for name in names]
    return sorted((_date(hit[1]) - _EPOCH).days for hit in found if hit)


def _date(digits: str) -> dt.date:
    return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))


def make_ahead(today: dt.date, days: int = AHEAD_DAYS, alias: str = "default") -> int:
    """Make the partitions of today and the next days that are missing; how many were made.

    Rows of such a day that came before its partition move into it.
    """
    if not is_partitioned(alias):
        return 0
    first = (today - _EPOCH).days
    made = 0
    for one in _DAILY.values():
        known = set(parts(one, alias))
        for day in range(first, first + days):
            if day not in known:
                _make(one, day, alias)
                made += 1
    return made


def _make(one: Daily, day: int, alias: str) -> None:
    name, start, end = _part(one, day), day * DAY_US, (day + 1) * DAY_US
    with _impatient(alias) as cursor:
        cursor.execute(f'CREATE TABLE "{name}" (LIKE "{one.table}" INCLUDING ALL)')
        cursor.execute(
            f'WITH moved AS (DELETE FROM "{_rest(one)}" WHERE "{one.column}" >= {start}'  # noqa: S608
            f' AND "{one.column}" < {end} RETURNING *) INSERT INTO "{name}" SELECT * FROM moved'
        )
        cursor.execute(
            f'ALTER TABLE "{one.table}" ATTACH PARTITION "{name}" FOR VALUES FROM ({start}) TO ({end})'
        )


Free = Callable[[models.QuerySet[Any]], models.QuerySet[Any]]


def drop_before(
    model: type[models.Model], day: int, free: Free | None = None, batch: int = BATCH
) -> tuple[int, int]:
    """Throw away all days of a table before ``day``: (rows deleted one by one, partitions dropped).

    ``free`` narrows rows to those that may go; a day with others keeps its partition. Batches
    commit one by one and a partition goes whole, so a run that was killed has done less and no
    harm. The rows of a partition that somebody reads for long go one by one.
    """
    one = _DAILY[model._meta.db_table]
    dropped = 0
    for old in [part for part in parts(one) if part < day]:
        bounds = {f"{one.column}__gte": old * DAY_US, f"{one.column}__lt": (old + 1) * DAY_US}
        rows = model._base_manager.filter(**bounds)
        if free is None or not rows.exclude(pk__in=free(rows).values("pk")).exists():
            dropped += _drop(one, old)
    rows = model._base_manager.filter(**{f"{one.column}__lt": day * DAY_US})
    return delete_rows(free(rows) if free else rows, batch), dropped


def _drop(one: Daily, day: int) -> int:
    try:
        with _impatient("default") as cursor:
            cursor.execute(f'DROP TABLE "{_part(one, day)}"')
    except OperationalError:  # the lock was not to be had in time
        return 0
    return 1


def delete_rows(rows: models.QuerySet[Any], batch: int = BATCH) -> int:
    """Delete rows to which nothing refers, in batches that each commit; how many."""
    gone = 0
    while True:
        with transaction.atomic(using=rows.db):
            some = rows.model._base_manager.filter(pk__in=rows.order_by().values("pk")[:batch])
            count = some._raw_delete(rows.db)
        gone += count
        if not count:
            return gone
