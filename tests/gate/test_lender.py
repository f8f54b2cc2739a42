"""Units are drawn whatever went wrong with a draw before."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tollkeeper.gate import ledger
from tollkeeper.gate.book import BookUnreachable
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
