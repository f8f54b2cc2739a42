"""A gate's side of the book and of the journal, for tests that need no whole gate."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection, transaction

from tollkeeper.core.charges import Outcome
from tollkeeper.core.journal import Admitted, LeaseClosed, Record, Settled, encode
from tollkeeper.core.records import frame
from tollkeeper.gate.ledger import Ask, Drawn, draw

UNIT = "calls"


class DjangoBook:
    """The gate's plain SQL on the connection of the test, so that a rollback undoes it."""

    def locked_rows(self, sql: str, *args: object) -> list[tuple[object, ...]]:
        return self.rows(
            sql + f" {connection.ops.for_update_sql()}" * connection.features.has_select_for_update, *args
        )

    def rows(self, sql: str, *args: object) -> list[tuple[object, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), args)
            return [tuple(row) for row in cursor.fetchall()]

    def change(self, sql: str, *args: object) -> int:
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), args)
            return cursor.rowcount

    @contextmanager
    def writing(self) -> Iterator[None]:
        with transaction.atomic():
            yield

    def close(self) -> None:
        pass


class Gate:
    """Draws real leases and makes the records that a gate would write."""

    def __init__(self, gate_id: str = "gate-1", first_call: int = 1) -> None:
        self.gate_id = gate_id
        self.book = DjangoBook()
        self._calls = itertools.count(first_call)

    def draw(self, customer_id: int, need: int, want: int, now_us: int, unit: str = UNIT) -> Drawn:
        return draw(self.book, self.gate_id, [Ask(customer_id, unit, need, want)], now_us)[0]

    def admit(
        self,
        customer_id: int,
        parts: tuple[tuple[bytes, int], ...],
        at: int,
        *,
        key_id: int = 1,
        unit: str = UNIT,
    ) -> Admitted:
        return Admitted(next(self._calls), key_id, customer_id, at, 1, parts, "posts", unit)

    @staticmethod
    def settle(admitted: Admitted, parts: tuple[tuple[bytes, int], ...], *, status: int = 200) -> Settled:
        outcome = (
            Outcome.OK if status < 400 else Outcome.CLIENT_ERROR if status < 500 else Outcome.SERVER_ERROR
        )
        return Settled(
            admitted.call_id,
            admitted.key_id,
            admitted.customer_id,
            admitted.at,
            latency_us=1500,
            status=status,
            outcome=outcome,
            flags=0,
            method=admitted.method,
            bytes_in=0,
            bytes_out=600,
            tokens_in=0,
            tokens_out=0,
            cache_read=0,
            cache_write=0,
            unpaid=0,
            parts=parts,
            route=admitted.route,
            unit=admitted.unit,
            model="",
        )

    def call(self, customer_id: int, lease: bytes, units: int, at: int) -> list[Record]:
        admitted = self.admit(customer_id, ((lease, units),), at)
        return [admitted, self.settle(admitted, ((lease, units),))]

    @staticmethod
    def close(lease: bytes, customer_id: int, at: int) -> LeaseClosed:
        return LeaseClosed(lease, customer_id, at)


def unknown_lease() -> bytes:
    """A lease that no book has."""
    return uuid.uuid4().bytes


class Journal:
    """A segment on disk, written as a gate writes it."""

    def __init__(self, folder: Path, epoch_us: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{epoch_us}.log"
        self.path.touch()
        self._seq = 0

    def write(self, *records: Record) -> bytes:
        """Append one frame; answers its bytes."""
        self._seq += 1
        data = frame([encode(record) for record in records], self._seq)
        with self.path.open("ab") as file:
            file.write(data)
        return data
