"""The book as the gate sees it: nine tables, plain SQL, on SQLite or PostgreSQL.

The gate must not know who anybody is. On SQLite an authorizer refuses every other
table; on PostgreSQL the gate's role has rights on these alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psycopg

TABLES = frozenset(
    {
        "delivery_keyentry",
        "delivery_stoppedplan",
        "catalog_gatesnapshot",
        "usage_grant",
        "usage_balance",
        "usage_txn",
        "usage_entry",
        "usage_lease",
        "kit_logkey",
    }
)
Row = tuple[Any, ...]


class BookUnreachable(Exception):
    """The book does not answer, or not yet: its tables are missing. Worth trying again."""


class Book(Protocol):
    """One connection, used by one thread."""

    def rows(self, sql: str, *args: object) -> list[Row]:
        """All rows of a query; ``?`` marks arguments. Raises :class:`BookUnreachable`."""

    def locked_rows(self, sql: str, *args: object) -> list[Row]:
        """As :meth:`rows`, locking them until the transaction ends."""

    def change(self, sql: str, *args: object) -> int:
        """Run a statement; how many rows it changed. Raises :class:`BookUnreachable`."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that may write: commits at the end, rolls back on any error."""

    def close(self) -> None:
        """Let the connection go."""


def open_book(database_url: str, path: Path) -> Book:
    """Connect. Raises :class:`BookUnreachable`."""
    if database_url.startswith(("postgres://", "postgresql://")):
        return PostgresBook(database_url)
    if database_url.startswith("sqlite:///"):
        path = Path(database_url.removeprefix("sqlite:///"))
    return SqliteBook(path)


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    touching = (sqlite3.SQLITE_READ, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE)
    if action in touching and first not in TABLES:
        return sqlite3.SQLITE_DENY
    allowed = (*touching, sqlite3.SQLITE_SELECT, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_FUNCTION)
    if action in allowed:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


class SqliteBook:
    """The embedded book."""

    def __init__(self, path: Path) -> None:
        try:
            self._connection = sqlite3.connect(
                f"file:{path}?mode=rw", uri=True, timeout=5.0, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous=FULL")
        except sqlite3.Error as error:
            raise BookUnreachable(f"{path}: {error}") from None
        self._connection.set_authorizer(_authorize)

    def rows(self, sql: str, *args: object) -> list[Row]:
        """See :class:`Book`."""
        try:
            return self._connection.execute(sql, args).fetchall()
        except sqlite3.Error as error:
            raise BookUnreachable(str(error)) from None

    def locked_rows(self, sql: str, *args: object) -> list[Row]:
        """See :class:`Book`; a writing transaction here locks the whole book."""
        return self.rows(sql, *args)

    def change(self, sql: str, *args: object) -> int:
        """See :class:`Book`."""
        try:
            return self._connection.execute(sql, args).rowcount
        except sqlite3.Error as error:
            raise BookUnreachable(str(error)) from None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See :class:`Book`."""
        self.change("BEGIN IMMEDIATE")
        try:
            yield
            self.change("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """See :class:`Book`."""
        self._connection.close()


class PostgresBook:
    """The grown-up book."""

    def __init__(self, url: str) -> None:
        try:
            self._connection = psycopg.connect(url, autocommit=True, connect_timeout=3)
            self._connection.execute("SET statement_timeout = '3s'")
            self._connection.execute("SET lock_timeout = '2s'")
        except psycopg.Error as error:
            raise BookUnreachable(type(error).__name__) from None

    def _run(self, sql: str, args: Sequence[object]) -> psycopg.Cursor[Row]:
        try:
            return self._connection.execute(sql.replace("?", "%s").encode(), args)
        except psycopg.Error as error:
            raise BookUnreachable(type(error).__name__) from None

    def rows(self, sql: str, *args: object) -> list[Row]:
        """See :class:`Book`."""
        return self._run(sql, args).fetchall()

    def locked_rows(self, sql: str, *args: object) -> list[Row]:
        """See :class:`Book`."""
        return self.rows(sql + " FOR UPDATE", *args)

    def change(self, sql: str, *args: object) -> int:
        """See :class:`Book`."""
        return self._run(sql, args).rowcount

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See :class:`Book`."""
        try:
            with self._connection.transaction():
                yield
        except psycopg.Error as error:
            raise BookUnreachable(type(error).__name__) from None

    def close(self) -> None:
        """See :class:`Book`."""
        self._connection.close()
