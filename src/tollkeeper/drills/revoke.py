"""A key is revoked while it is in use: how long until every gate refuses it."""

from __future__ import annotations

import asyncio
import random
import time

from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.terms import GateTerms, RouteTerms
from tollkeeper.delivery import services as delivery
from tollkeeper.drills._gates import Buyer, Gate, Yard, call, request
from tollkeeper.drills._upstream import Upstream

SUMMARY = "Revoked keys are refused by every gate within two seconds, with warm caches and under load."
ROUTES = GateTerms(shop="drill", routes=(RouteTerms("any", "/{rest...}"),), upstreams=())
PROMISED_S = 2.0


def run(scene: Scene) -> Outcome:
    """``max_s``: the longest from the commit of a revocation to the last call that any gate let through."""
    rounds, gate_count = (4, 2) if scene.quick else (40, 3)
    chance = random.Random(scene.seed)  # noqa: S311 - instants of a drill
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, ROUTES)
    gates = [yard.start(f"gate-{number + 1}") for number in range(gate_count)]
    delays: list[float] = []
    for number in range(rounds):
        buyer = yard.buyer(100_000)
        delays.append(_one(gates, buyer, chance.uniform(0.3, 0.8)))
        scene.say(number + 1, rounds, "revocations")
    yard.close()
    upstream.close()
    delays.sort()
    figures = {
        "gates": gate_count,
        "revocations": rounds,
        "max_s": round(delays[-1], 3),
        "p50_s": round(delays[len(delays) // 2], 3),
    }
    return Outcome(delays[-1] <= PROMISED_S, figures)


def _one(gates: list[Gate], buyer: Buyer, warm_s: float) -> float:
    return asyncio.run(_revoke_under_load(gates, buyer, warm_s))


async def _revoke_under_load(gates: list[Gate], buyer: Buyer, warm_s: float) -> float:
    last: dict[int, float] = {}
    crowd = [asyncio.create_task(_use(gate.port, buyer.key, last)) for gate in gates]
    until = time.monotonic() + 10
    while len(last) < len(gates) and time.monotonic() < until:  # noqa: ASYNC110 - the tasks do the work
        await asyncio.sleep(0.02)
    await asyncio.sleep(warm_s)
    await asyncio.to_thread(delivery.revoke_key, buyer.key_id, buyer.customer_id)
    revoked = time.monotonic()
    await asyncio.gather(*crowd)
    return max(0.0, *(at - revoked for at in last.values()))


async def _use(port: int, key: bytes, last: dict[int, float]) -> None:
    """Call until refused for good; note when the last call went through."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    until = time.monotonic() + 15
    while time.monotonic() < until:
        status, _, _ = await call(reader, writer, request(key, "/n"))
        if status == 200:
            last[port] = time.monotonic()
        elif port in last:
            break
        await asyncio.sleep(0.01)
    writer.close()
