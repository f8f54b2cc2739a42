"""Keeps purses filled: draws, renews and closes leases beside the tick, in a thread for the book."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from tollkeeper.core.records import pack_lease_closed
from tollkeeper.gate import ledger
from tollkeeper.gate.book import Book, BookUnreachable
from tollkeeper.gate.lease_book import Lease, Purse
from tollkeeper.gate.ledger import Ask
from tollkeeper.gate.wire.own import standing_answer

if TYPE_CHECKING:
    from tollkeeper.gate.directory import Key
    from tollkeeper.gate.wire.client import Client
    from tollkeeper.gate.wire.engine import Engine

log = logging.getLogger("tollkeeper.gate")
WAIT_S = 2.0
"""A call waits no longer than this for its units."""
RETRY_S = 0.2
"""Between two tries while other leases of the same balance may still come back."""
TICK_S = 0.5
BATCH = 64
"""Draws in one transaction."""
DOWN_S = 1.0
"""After a draw that the book did not answer, calls without units are refused for this long."""

R = TypeVar("R")


class Lender:
    """One per gate; all book work goes through its one thread, so draws never race each other."""

    def __init__(self, engine: Engine, gate_id: str, connect: Callable[[], Book]) -> None:
        self.engine = engine
        self._gate_id = gate_id
        self._connect = connect
        self._book: Book | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="lender")
        self._down_until = 0.0
        self._ticked = engine.clock()
        self._active: dict[Purse, None] = {}
        self._renewing = False
        self._asked: list[tuple[Ask, asyncio.Future[ledger.Drawn]]] = []
        self._asking = False
        self._standings: dict[Purse, asyncio.Task[ledger.Standing]] = {}
        """Questions about balances that are under way: who asks meanwhile gets the same answer."""

    def why_short(self, purse: Purse, need: int) -> str:
        """A code if asking the book again makes no sense now, else empty."""
        if purse.is_empty(need, self.engine.wall_us):
            return "quota_spent"
        if self.engine.now < self._down_until and not purse.drawing:
            return "book_unreachable"
        return ""

    def park(self, client: Client, purse: Purse, need: int) -> None:
        """The client's call is tried again when a draw is done."""
        client.deadline = self.engine.now + WAIT_S
        purse.waiting.append(client)
        self.start_draw(purse, need)

    def start_draw(self, purse: Purse, need: int) -> None:
        """Ask the book for units; one draw per purse at a time."""
        if not purse.drawing:
            purse.drawing = True
            self.engine.start_task(self._draw(purse, need))

    def tell_standing(self, client: Client, key: Key, path: bytes) -> None:
        """Answer a question about a balance when the book has answered."""
        client.wait(WAIT_S)
        self.engine.start_task(self._tell_standing(client, client.call_id, key, path))

    async def _draw(self, purse: Purse, need: int) -> None:
        engine = self.engine
        began = engine.clock()
        failed = False
        try:
            while not await self._drawn(purse, need):
                # Nothing is free; but what is lent elsewhere or on its way back may still come.
                if not purse.waiting or engine.clock() - began > WAIT_S - 2 * RETRY_S:
                    engine.metrics.draws_empty += 1
                    purse.found_empty(need, time.time_ns() // 1000)
                    break
                await asyncio.sleep(RETRY_S)
        except BookUnreachable:
            engine.metrics.draws_failed += 1
            self._down_until = engine.clock() + DOWN_S
            failed = True
        finally:
            purse.drawing = False
        self._wake(purse, failed)

    async def _drawn(self, purse: Purse, need: int) -> bool:
        """True if a lease was drawn, or if it is certain that none can be."""
        missing = max(1, need - purse.left)
        drawn = await self._ask(Ask(purse.customer_id, purse.unit, missing, purse.wanted(need)))
        if drawn.amount:
            self.engine.metrics.draws += 1
            purse.add(Lease(drawn.lease_id, drawn.amount, drawn.expires_at))
            self._active[purse] = None
            return True
        if drawn.elsewhere > sum([lease.left for lease in purse.leases]):
            return False
        self.engine.metrics.draws_empty += 1
        purse.found_empty(need, time.time_ns() // 1000)
        return True

    async def _ask(self, ask: Ask) -> ledger.Drawn:
        """Draw together with whatever else is asked for while the book is busy."""
        answer: asyncio.Future[ledger.Drawn] = self.engine.loop.create_future()
        self._asked.append((ask, answer))
        if not self._asking:
            self._asking = True
            self.engine.start_task(self._answer_asked())
        return await answer

    async def _answer_asked(self) -> None:
        while self._asked:
            batch, self._asked = self._asked[:BATCH], self._asked[BATCH:]
            try:
                drawn = await self._in_thread(self._draw_once, [ask for ask, _ in batch])
            except Exception as error:
                if not isinstance(error, BookUnreachable):
                    log.exception("units could not be drawn")
                for _, answer in batch:
                    answer.set_exception(BookUnreachable(str(error)))
            else:
                for (_, answer), one in zip(batch, drawn, strict=True):
                    answer.set_result(one)
        self._asking = False

    def _wake(self, purse: Purse, failed: bool) -> None:
        engine = self.engine
        if engine.stale:
            engine.begin_tick()
        waiting, purse.waiting = purse.waiting, []
        for client in waiting:
            client.unpark("book_unreachable" if failed else "")

    async def _tell_standing(self, client: Client, call_id: int, key: Key, path: bytes) -> None:
        purse = key.purse
        standing: ledger.Standing | None
        try:
            standing = await asyncio.shield(self._standing(purse))
        except BookUnreachable:
            standing = None
        if self.engine.stale:
            self.engine.begin_tick()
        if not client.waits_for(call_id):
            return
        if standing is None:
            client.refuse("book_unreachable")
        else:
            client.answer(standing_answer(key, path, standing))

    def _standing(self, purse: Purse) -> asyncio.Task[ledger.Standing]:
        task = self._standings.get(purse)
        if task is None:
            work = self._in_thread(self._standing_once, purse.customer_id, purse.unit)
            task = self._standings[purse] = self.engine.loop.create_task(work)
            task.add_done_callback(lambda _: self._standings.pop(purse, None))
        return task

    def tick(self) -> None:
        """About twice a second: rates, renewals, and leases that go back."""
        engine = self.engine
        if engine.stale:
            engine.begin_tick()
        elapsed = max(0.001, engine.now - self._ticked)
        self._ticked = engine.now
        renew: list[tuple[Purse, Lease]] = []
        for purse in list(self._active):
            purse.tick(elapsed)
            due, over = purse.sweep(engine.wall_us)
            renew += [(purse, lease) for lease in due]
            self._close(purse, over)
            if not purse.leases:
                del self._active[purse]
        if renew and not self._renewing:
            self._renewing = True
            engine.start_task(self._renew(renew))

    def _close(self, purse: Purse, over: list[Lease]) -> None:
        for lease in over:
            self.engine.journal.buffer.append(
                pack_lease_closed(lease.id, purse.customer_id, self.engine.wall_us)
            )

    async def _renew(self, due: list[tuple[Purse, Lease]]) -> None:
        try:
            ids = [lease.id for _, lease in due]
            renewed, expires_at = await self._in_thread(self._renew_once, ids)
        except BookUnreachable:
            return
        finally:
            self._renewing = False
        for _, lease in due:
            if lease.id in renewed:
                lease.expires_at = expires_at
            else:
                lease.closing = True  # it lapsed: nothing more is admitted on it

    def close_all(self) -> None:
        """The gate ends: every lease without an open call goes back."""
        if self.engine.stale:
            self.engine.begin_tick()
        for purse in self._active:
            self._close(purse, purse.close_all())

    def stop(self) -> None:
        """Wait for the book's thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _in_thread(self, work: Callable[..., R], *args: object) -> R:
        return await self.engine.loop.run_in_executor(self._thread, partial(work, *args))

    def _draw_once(self, asks: list[Ask]) -> list[ledger.Drawn]:
        now_us = time.time_ns() // 1000
        return self._with_book(lambda book: ledger.draw(book, self._gate_id, asks, now_us))

    def _renew_once(self, lease_ids: list[bytes]) -> tuple[set[bytes], int]:
        now_us = time.time_ns() // 1000
        return self._with_book(lambda book: ledger.renew(book, lease_ids, now_us))

    def _standing_once(self, customer_id: int, unit: str) -> ledger.Standing:
        now_us = time.time_ns() // 1000
        return self._with_book(lambda book: ledger.standing(book, customer_id, unit, now_us))

    def _with_book(self, work: Callable[[Book], R]) -> R:
        if self._book is None:
            self._book = self._connect()
        try:
            return work(self._book)
        except BookUnreachable:
            self._book.close()
            self._book = None
            raise
