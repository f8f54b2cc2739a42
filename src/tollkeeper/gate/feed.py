"""What changes outside: key entries, the shop's snapshot and the keys of logs, polled from the book."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from tollkeeper.core.addresses import DAY_US, day_of
from tollkeeper.gate.book import Book, BookUnreachable
from tollkeeper.gate.callers import LOG
from tollkeeper.gate.directory import EntryRow

log = logging.getLogger("tollkeeper.gate")
INTERVAL_S = 0.25
BATCH = 20_000
GATES_S = 1.0
LOG_KEYS_S = 15.0
"""How often the keys of logs are read: they are made days ahead."""


class Feed(threading.Thread):
    """Reads in a thread of its own; hands over by callbacks, which must be safe to call from it.

    Versions are given out under a lock, so their order is the order of commits:
    whoever has seen version v has seen all before it.
    """

    def __init__(
        self,
        connect: Callable[[], Book],
        on_entries: Callable[[list[EntryRow]], None],
        on_snapshot: Callable[[int, str], None],
        on_log_keys: Callable[[list[tuple[int, bytes]]], None],
        on_round: Callable[[str], None],
    ) -> None:
        """``on_round`` is called after each poll with an empty text, or with why it failed."""
        super().__init__(name="feed", daemon=True)
        self._connect = connect
        self._on_entries = on_entries
        self._on_snapshot = on_snapshot
        self._on_log_keys = on_log_keys
        self._on_round = on_round
        self._stopped = threading.Event()
        self._book: Book | None = None
        self._version = 0
        self._key_id = 0
        self._snapshot = -1
        self._mistake = ""
        """The kind of our own mistake that spoilt the last round; it is logged once."""
        self._gate_id = ""
        self._on_gates: Callable[[int], None] | None = None
        self._gates_at = 0.0
        self._log_keys: list[tuple[int, bytes]] = []
        self._log_keys_at = -LOG_KEYS_S

    def watch_gates(self, gate_id: str, on_gates: Callable[[int], None]) -> None:
        """Also tell, about once a second, how many other gates hold leases. Before :meth:`start`."""
        self._gate_id, self._on_gates = gate_id, on_gates

    def stop(self) -> None:
        """End after the present poll."""
        self._stopped.set()

    def run(self) -> None:
        """Poll until stopped; a book that is away is tried again for ever."""
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                self.poll()
            except BookUnreachable as error:
                self._drop()
                self._on_round(str(error) or "unreachable")
            except Exception as error:  # whatever it is: a gate that follows nothing would serve revoked keys
                if type(error).__name__ != self._mistake:
                    log.exception("the book cannot be followed")
                self._mistake = type(error).__name__
                self._drop()
                self._on_round(self._mistake)
            else:
                self._mistake = ""
                self._on_round("")
            self._stopped.wait(max(0.01, INTERVAL_S - (time.monotonic() - began)))
        self._drop()

    def poll(self) -> None:
        """One round. Raises ``BookUnreachable``."""
        if self._book is None:
            self._book = self._connect()
        newest = self._book.rows("SELECT max(version) FROM catalog_gatesnapshot")[0][0]
        if newest is not None and newest != self._snapshot:
            [(body,)] = self._book.rows("SELECT body FROM catalog_gatesnapshot WHERE version = ?", newest)
            self._on_snapshot(int(newest), body)
            self._snapshot = newest
        self._poll_log_keys(self._book)
        self._poll_gates(self._book)
        while True:
            rows: list[EntryRow] = self._book.rows(
                "SELECT key_id, digest, customer_id, tenant, state, reason, terms, expires_at, version"
                " FROM delivery_keyentry WHERE version > ? OR (version = ? AND key_id > ?)"
                " ORDER BY version, key_id LIMIT ?",
                self._version,
                self._version,
                self._key_id,
                BATCH,
            )
            if rows:
                self._on_entries(rows)
                self._version, self._key_id = rows[-1][8], rows[-1][0]
            if len(rows) < BATCH or self._stopped.is_set():
                return

    def _poll_log_keys(self, book: Book) -> None:
        if time.monotonic() - self._log_keys_at < LOG_KEYS_S:
            return
        yesterday = day_of(time.time_ns() // 1000 - DAY_US)
        found = book.rows("SELECT day, public FROM kit_logkey WHERE log = ? AND day >= ?", LOG, yesterday)
        keys = sorted((day, bytes(public)) for day, public in found)
        if keys != self._log_keys:
            self._on_log_keys(keys)
            self._log_keys = keys
        self._log_keys_at = time.monotonic()

    def _poll_gates(self, book: Book) -> None:
        if self._on_gates is None or time.monotonic() - self._gates_at < GATES_S:
            return
        [(count,)] = book.rows(
            "SELECT count(DISTINCT gate_id) FROM usage_lease"
            " WHERE state = 'open' AND expires_at > ? AND gate_id <> ?",
            time.time_ns() // 1000,
            self._gate_id,
        )
        self._on_gates(int(count))
        self._gates_at = time.monotonic()

    def _drop(self) -> None:
        if self._book is not None:
            self._book.close()
            self._book = None
