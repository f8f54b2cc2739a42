"""``kill -9`` of the gate under load, again and again: no call is lost, none is charged twice."""

from __future__ import annotations

import asyncio
import random
import time

from tollkeeper.core import journal
from tollkeeper.core.charges import Outcome as Ending
from tollkeeper.core.charges import charge
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
    """``lost``: calls that somebody saw and the book does not have; ``double``: counted twice."""
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
    upstream.close()
    records = _records(yard)
    prefix = journal.request_prefix("gate-1")
    found = judge(
        answered,
        upstream.served.get("/n", 0),
        [f"{prefix}{r.call_id:016x}" for r in records if isinstance(r, journal.Admitted)],
        [f"{prefix}{r.call_id:016x}" for r in records if isinstance(r, journal.Settled)],
        [
            (r.request_id, Ending[r.outcome.upper()], r.units)
            for r in queries.recent_calls(buyer.customer_id, 10**8)
        ],
        _used(buyer.customer_id),
    )
    found["book_faults"] = len(usage.check_book())
    bad = sum(found[name] for name in ("lost", "double", "wrongly_charged", "book_faults"))
    return Outcome(not bad and len(answered) > rounds, {"kills": rounds, **found})


def judge(
    answered: list[str],
    reached: int,
    admitted: list[str],
    settled: list[str],
    booked: list[tuple[str, int, int]],
    used: int,
) -> dict[str, int]:
    """What the witnesses say of each other.

    ``answered``: ids of calls whose whole answer a client has; ``reached``: calls that the upstream
    saw; ``admitted`` and ``settled``: ids in the journal, with repetitions; ``booked``: id, outcome
    and micro-units of every call in the book; ``used``: micro-units that the ledger took.
    """
    charged = {name: units for name, outcome, units in booked if outcome == Ending.OK}
    by_rule = {
        name: charge(Ending(outcome), "rest", MICRO, MICRO, estimated=False).units
        for name, outcome, _ in booked
    }
    lost = len(set(answered) - set(charged)) + len(set(admitted) - set(by_rule))
    repeated = len(settled) - len(set(settled)) + len(admitted) - len(set(admitted))
    return {
        "answered": len(answered),
        "reached_upstream": reached,
        "admitted": len(admitted),
        "settled": len(settled),
        "open_at_death": len(set(admitted) - set(settled)),
        "lost": lost + max(0, reached - len(set(admitted))),
        "double": repeated + len(booked) - len(by_rule) + len(set(by_rule) - set(admitted)),
        "wrongly_charged": sum(units != by_rule[name] for name, _, units in booked)
        + (used != sum(units for _, _, units in booked)),
    }


def _records(yard: Yard) -> list[journal.Record]:
    found: list[journal.Record] = []
    for path in sorted((yard.home / "journal" / "gate-1").glob("*.log")):
        records, _ = journal.read_frames(path.read_bytes())
        found += records
    return found


def _used(customer_id: int) -> int:
    """Micro-units that are gone from the customer's balance."""
    [balance] = queries.balances(customer_id)
    return UNITS * MICRO - balance.spendable - balance.held


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
