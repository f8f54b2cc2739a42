"""Triggers that let a table only grow, on SQLite and PostgreSQL.

``guard("trail_entry")`` forbids every change and deletion; ``columns`` narrows the
forbidding of changes to those columns. Retention and erasure go through :func:`cleared`,
which opens the one table for the running transaction and nobody else.

Installed by ``tollkeeper migrate`` each time, because SQLite drops triggers whenever a
migration rebuilds a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connections, transaction

from tollkeeper.kit.trail.models import Clearance


@dataclass(frozen=True, slots=True)
class Guarded:
    """A table; ``columns`` empty means every column; ``deletes`` says whether rows may go."""

    table: str
    columns: tuple[str, ...] = ()
    deletes: bool = False


_GUARDED: dict[str, Guarded] = {}


def guard(table: str, *, columns: tuple[str, ...] = (), deletes: bool = False) -> None:
    """Declare a table as append-only; called where its model is defined, effective once installed."""
    _GUARDED[table] = Guarded(table, columns, deletes)


def guarded() -> tuple[Guarded, ...]:
    """All declared tables, by name."""
    return tuple(_GUARDED[name] for name in sorted(_GUARDED))


def install(alias: str = "default") -> int:
    """Make the triggers that are missing or out of date; the number of tables guarded."""
    connection = connections[alias]
    with transaction.atomic(using=alias), connection.cursor() as cursor:
        for one in guarded():
            for statement in _drop(connection.vendor, one) + _create(connection.vendor, one):
                cursor.execute(statement)
    return len(_GUARDED)


def missing(alias: str = "default") -> tuple[str, ...]:
    """Names of the triggers that should be there and are not."""
    connection = connections[alias]
    wanted = {name for one in guarded() for name in _names(connection.vendor, one)}
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if connection.vendor == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'"
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        present = {row[0] for row in cursor.fetchall()}
    return tuple(sorted(wanted - present))


@contextmanager
def cleared(table: str, reason: str, alias: str = "default") -> Iterator[None]:
    """Open a guarded table for the running transaction. ``reason`` is a code of ours.

    Must be inside ``transaction.atomic()``; the opening is never committed.
    """
    if not connections[alias].in_atomic_block:
        raise transaction.TransactionManagementError("a clearance lives inside a transaction only")
    Clearance.objects.using(alias).create(table=table, reason=reason)
    try:
        yield
    finally:
        Clearance.objects.using(alias).filter(table=table).delete()


def _names(vendor: str, one: Guarded) -> tuple[str, ...]:
    names = [f"guard_{one.table}_update"]
    if not one.deletes:
        names.append(f"guard_{one.table}_delete")
        if vendor == "postgresql":
            names.append(f"guard_{one.table}_truncate")
    return tuple(names)


def _drop(vendor: str, one: Guarded) -> list[str]:
    names = [f"guard_{one.table}_{verb}" for verb in ("update", "delete", "truncate")]
    where = "" if vendor == "sqlite" else f' ON "{one.table}"'
    return [f'DROP TRIGGER IF EXISTS "{name}"{where}' for name in names]


def _create(vendor: str, one: Guarded) -> list[str]:
    closed = f"NOT EXISTS (SELECT 1 FROM trail_clearance WHERE \"table\" = '{one.table}')"  # noqa: S608
    columns = " OF " + ", ".join(f'"{name}"' for name in one.columns) if one.columns else ""
    verbs = [("update", f"UPDATE{columns}")] + ([] if one.deletes else [("delete", "DELETE")])
    if vendor == "sqlite":
        return [
            f'CREATE TRIGGER "guard_{one.table}_{name}" BEFORE {verb} ON "{one.table}" WHEN {closed} '
            f"BEGIN SELECT RAISE(ABORT, '{one.table} only grows'); END"
            for name, verb in verbs
        ]
    made = [
        "CREATE OR REPLACE FUNCTION guard_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        'IF NOT EXISTS (SELECT 1 FROM trail_clearance WHERE "table" = TG_TABLE_NAME) THEN '
        "RAISE EXCEPTION '% only grows', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; "
        "END IF; IF TG_OP = 'DELETE' THEN RETURN OLD; ELSIF TG_OP = 'TRUNCATE' THEN RETURN NULL; END IF; "
        "RETURN NEW; END $$"
    ]
    for name, verb in verbs:
        made.append(
            f'CREATE TRIGGER "guard_{one.table}_{name}" BEFORE {verb} ON "{one.table}" '
            "FOR EACH ROW EXECUTE FUNCTION guard_only_grows()"
        )
    if not one.deletes:
        made.append(
            f'CREATE TRIGGER "guard_{one.table}_truncate" BEFORE TRUNCATE ON "{one.table}" '
            "FOR EACH STATEMENT EXECUTE FUNCTION guard_only_grows()"
        )
    return made
