"""Two hundred callers at once on a balance of a thousand calls, through several gates."""

from __future__ import annotations

import asyncio
import time

from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.terms import MICRO, GateTerms, RouteTerms
from tollkeeper.drills._gates import Gate, Yard, call, request
from tollkeeper.drills._upstream import Upstream
from tollkeeper.usage import queries
from tollkeeper.usage import services as usage

SUMMARY = "Parallel callers on one small balance through several gates: not one unit too many, none lost."
ROUTES = GateTerms(shop="drill", routes=(RouteTerms("any", "/{rest...}"),), upstreams=())
PATIENCE_S = 12.0
"""Callers go on for so long after the first refusal: what was lent to other gates comes back."""


def run(scene: Scene) -> Outcome:
    """Every unit is sold once. ``undersold`` counts units that nobody could buy although they were there."""
    units, callers, gate_count = (200, 40, 2) if scene.quick else (1000, 200, 4)
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, ROUTES)
    buyer = yard.buyer(units)
    gates = [yard.start(f"gate-{number + 1}") for number in range(gate_count)]
    yard.run_intake()
    began = time.monotonic()
    answers = asyncio.run(_all(gates, buyer.key, callers, units))
    took = time.monotonic() - began
    yard.close()
    [balance] = queries.balances(buyer.customer_id)
    served = upstream.served.get("/n", 0)
    sold = answers.get(200, 0)
    figures = {
        "callers": callers,
        "gates": gate_count,
        "sold": sold,
        "refused": answers.get(402, 0),
        "oversold": max(0, max(sold, served) - units),
        "undersold": units - sold,
        "left_in_book": balance.spendable // MICRO,
        "held_in_book": balance.held // MICRO,
        "book_faults": len(usage.check_book()),
        "seconds": round(took, 2),
    }
    upstream.close()
    ok = figures["oversold"] == figures["undersold"] == figures["book_faults"] == figures["held_in_book"] == 0
    return Outcome(ok, figures)


async def _all(gates: list[Gate], key: bytes, callers: int, units: int) -> dict[int, int]:
    answers: dict[int, int] = {}
    crowd = [_caller(gates[n % len(gates)].port, key, units, answers) for n in range(callers)]
    await asyncio.gather(*crowd)
    return answers


async def _caller(port: int, key: bytes, units: int, answers: dict[int, int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    until = time.monotonic() + 60
    while time.monotonic() < until and answers.get(200, 0) < units + 5:
        status, _, _ = await call(reader, writer, request(key, "/n"))
        answers[status] = answers.get(status, 0) + 1
        if status != 200:
            until = min(until, time.monotonic() + PATIENCE_S) if answers.get(200, 0) < units else 0
            await asyncio.sleep(0.5)
    writer.close()
