"""Where the stand-in keeps its objects: memory, written through to one SQLite file if given."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Store:
    """Objects by id and kind, in the order of their making. All access under :attr:`lock`."""

    def __init__(self, path: Path | None = None) -> None:
        self.lock = threading.RLock()
        self._rows: dict[str, dict[str, Row]] = {}
        self._book: sqlite3.Connection | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._book = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._book.execute("PRAGMA journal_mode=WAL")
            self._book.execute(
                "CREATE TABLE IF NOT EXISTS thing "
                "(place INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, "
                "UNIQUE (kind, id))"
            )
            for kind, name, body in self._book.execute("SELECT kind, id, body FROM thing ORDER BY place"):
                self._rows.setdefault(kind, {})[name] = json.loads(body)

    def put(self, kind: str, name: str, row: Row) -> Row:
        """Keep or replace a row."""
        with self.lock:
            self._rows.setdefault(kind, {})[name] = row
            if self._book is not None:
                self._book.execute(
                    "INSERT INTO thing (kind, id, body) VALUES (?, ?, ?) "
                    "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                    (kind, name, json.dumps(row)),
                )
        return row

    def get(self, kind: str, name: str) -> Row | None:
        """The row, or None."""
        return self._rows.get(kind, {}).get(name)

    def drop(self, kind: str, name: str) -> None:
        """Forget a row; one that is not there is fine."""
        with self.lock:
            if self._rows.get(kind, {}).pop(name, None) is not None and self._book is not None:
                self._book.execute("DELETE FROM thing WHERE kind = ? AND id = ?", (kind, name))

    def all(self, kind: str) -> Iterator[Row]:
        """Rows of a kind, oldest first."""
        with self.lock:
            return iter(list(self._rows.get(kind, {}).values()))

    def close(self) -> None:
        """Let go of the file."""
        if self._book is not None:
            self._book.close()
            self._book = None
