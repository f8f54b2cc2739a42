"""Units are drawn whatever went wrong with a draw before."""

from __future__ import annotations

import asyncio
import threading
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tollkeeper.gate import ledger
from tollkeeper.gate.book import BookUnreachable
from tollkeeper.gate.lease_book import Purse
from tollkeeper.gate.lender import Lender
from tollkeeper.gate.metrics import Metrics


def test_a_mistake_in_one_draw_ends_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def draw(book: object, gate_id: str, asks: list[ledger.Ask], now_us: int) -> list[ledger.Drawn]:
        if any(ask.need > 1 << 63 for ask in asks):
            raise OverflowError("too large")
        return [ledger.Drawn(b"l" * 16, ask.want, now_us, 0) for ask in asks]

    monkeypatch.setattr(ledger, "draw", draw)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        engine = SimpleNamespace(
            loop=loop, clock=time.monotonic, metrics=Metrics(), start_task=lambda work: loop.create_task(work)
        )
        lender = Lender(
            cast("Any", engine), "gate-1", cast("Any", lambda: SimpleNamespace(close=lambda: None))
        )
        with pytest.raises(BookUnreachable):
            await lender._ask(ledger.Ask(1, "calls", 1 << 70, 1 << 70))
        assert (await lender._ask(ledger.Ask(1, "calls", 1, 8))).amount == 8
        lender.stop()

    asyncio.run(run())
    assert "units could not be drawn" in caplog.text


def test_who_asks_again_and_again_asks_the_book_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    go = threading.Event()

    def standing(book: object, customer_id: int, unit: str, now_us: int) -> ledger.Standing:
        asked.append(customer_id)
        assert go.wait(20)
        return ledger.Standing(customer_id, 0, ())

    monkeypatch.setattr(ledger, "standing", standing)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        engine = SimpleNamespace(loop=loop, clock=time.monotonic)
        lender = Lender(
            cast("Any", engine), "gate-1", cast("Any", lambda: SimpleNamespace(close=lambda: None))
        )
        purses = [Purse(1, "calls"), Purse(2, "calls")]
        waiting = [lender._standing(purse) for _ in range(50) for purse in purses]
        go.set()
        told = [one.spendable for one in await asyncio.gather(*waiting)]
        assert told == [1, 2] * 50
        assert asked == [1, 2]
        await asyncio.sleep(0)
        assert (await lender._standing(purses[0])).spendable == 1
        assert asked == [1, 2, 1], "later it is asked anew"
        lender.stop()

    asyncio.run(run())
