"""``kill -9`` of the gate under load, again and again: no call is lost, none is charged twice."""

from __future__ import annotations

import asyncio
import random
import time

from tollkeeper.core import journal
from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.terms import MICRO, GateTerms, RouteTerms
from tollkeeper.drills._gates import Gate, Yard, call, request
from tollkeeper.drills._upstream import Upstream
from tollkeeper.usage import queries
from tollkeeper.usage import services as usage

SUMMARY = "The gate dies at random instants under load: every admitted call is accounted for, once."
ROUTES = GateTerms(shop="drill", routes=(RouteTerms("any", "/{rest...}"),), upstreams=())
UNITS = 10_000_000


def run(scene: Scene) -> Outcome:
    """``lost``: calls that were answered or admitted and are not in the book; ``double``: charged twice."""
    rounds, callers = (4, 8) if scene.quick else (100, 16)
    chance = random.Random(scene.seed)  # noqa: S311 - instants of a drill
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, ROUTES)
    buyer = yard.buyer(UNITS)
    yard.run_intake()
    answered: list[str] = []
    for number in range(rounds):
        gate = yard.start()
        asyncio.run(_hammer(gate, buyer.key, callers, chance.uniform(0.05, 0.6), answered))
        scene.say(number + 1, rounds, "kills")
    yard.close()
    records = _records(yard)
    admitted = {r.call_id for r in records if isinstance(r, journal.Admitted)}
    settled = [r for r in records if isinstance(r, journal.Settled)]
    booked, charged = _booked(buyer.customer_id)
    prefix = journal.request_prefix("gate-1")
    names = {f"{prefix}{call_id:016x}" for call_id in admitted}
    lost = len(set(answered) - booked) + len(names - booked)
    double = (
        len(settled)
        - len({r.call_id for r in settled})
        + abs(charged - sum(r.units for r in settled)) // MICRO
    )
    faults = usage.check_book()
    figures = {
        "kills": rounds,
        "answered": len(answered),
        "admitted": len(admitted),
        "settled": len(settled),
        "open_at_death": len(admitted) - len(settled),
        "lost": lost,
        "double": double,
        "book_faults": len(faults),
    }
    upstream.close()
    return Outcome(lost == double == len(faults) == 0 and len(answered) > rounds, figures)


def _records(yard: Yard) -> list[journal.Record]:
    found: list[journal.Record] = []
    for path in sorted((yard.home / "journal" / "gate-1").glob("*.log")):
        records, _ = journal.read_frames(path.read_bytes())
        found += records
    return found


def _booked(customer_id: int) -> tuple[set[str], int]:
    """Request ids of all calls in the book, and what the ledger charged for them."""
    names = {row.request_id for row in queries.recent_calls(customer_id, 100_000_000)}
    [balance] = queries.balances(customer_id)
    return names, UNITS * MICRO - balance.spendable - balance.held


async def _hammer(gate: Gate, key: bytes, callers: int, seconds: float, answered: list[str]) -> None:
    crowd = [asyncio.create_task(_caller(gate.port, key, answered)) for _ in range(callers)]
    await asyncio.sleep(seconds)
    gate.kill()
    await asyncio.gather(*crowd)


async def _caller(port: int, key: bytes, answered: list[str]) -> None:
    until = time.monotonic() + 10
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            status, name, _ = await call(reader, writer, request(key, "/n"))
            if status == 200:
                answered.append(name)
    except OSError:
        return
