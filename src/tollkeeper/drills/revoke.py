"""A key is revoked while it is in use: how long until every gate refuses it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.terms import GateTerms, RouteTerms
from tollkeeper.delivery import services as delivery
from tollkeeper.drills._gates import Buyer, Gate, Yard, call, request
from tollkeeper.drills._upstream import Upstream

SUMMARY = "Revoked and suspended keys are refused by every gate within two seconds, under load."
ROUTES = GateTerms(shop="drill", routes=(RouteTerms("any", "/{rest...}"),), upstreams=())
PROMISED_S = 2.0
PATIENCE_S = 30.0
"""A caller gives up after this long."""


def run(scene: Scene) -> Outcome:
    """``max_s``: the longest from a commit to the begin of the last call that any gate let through.

    Keys are revoked and suspended in turn. ``never_refused`` counts gates at which a stopped key
    still passed when its caller gave up. The small profile judges that alone: it may run on a
    machine that is busy with other things, where seconds mean nothing.
    """
    rounds, gate_count = (4, 2) if scene.quick else (40, 3)
    chance = random.Random(scene.seed)  # noqa: S311 - instants of a drill
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, ROUTES)
    gates = [yard.start(f"gate-{number + 1}") for number in range(gate_count)]
    delays: list[float] = []
    never_refused = 0
    for number in range(rounds):
        buyer = yard.buyer(100_000)
        stop = _revoke if number % 2 == 0 else _suspend
        delay, refused = asyncio.run(_stop_under_load(gates, buyer, stop, chance.uniform(0.3, 0.8)))
        delays.append(delay)
        never_refused += gate_count - refused
        scene.say(number + 1, rounds, "revocations")
    yard.close()
    upstream.close()
    delays.sort()
    figures = {
        "gates": gate_count,
        "stopped_keys": rounds,
        "never_refused": never_refused,
        "max_s": round(delays[-1], 3),
        "p50_s": round(delays[len(delays) // 2], 3),
    }
    return Outcome(not never_refused and (scene.quick or delays[-1] <= PROMISED_S), figures)


def _revoke(buyer: Buyer) -> None:
    delivery.revoke_key(buyer.key_id, buyer.customer_id)


def _suspend(buyer: Buyer) -> None:
    delivery.suspend_keys(buyer.customer_id, "dispute")


async def _stop_under_load(
    gates: list[Gate], buyer: Buyer, stop: Callable[[Buyer], None], warm_s: float
) -> tuple[float, int]:
    """Stop a key that is in use at every gate: seconds until the last call was let in; gates that refused."""
    last: dict[int, float] = {}
    crowd = [asyncio.create_task(_use(gate.port, buyer.key, last)) for gate in gates]
    until = time.monotonic() + 10
    while len(last) < len(gates) and time.monotonic() < until:  # noqa: ASYNC110 - the tasks do the work
        await asyncio.sleep(0.02)
    await asyncio.sleep(warm_s)
    await asyncio.to_thread(stop, buyer)
    stopped = time.monotonic()
    refused = sum(await asyncio.gather(*crowd))
    return max(0.0, *(at - stopped for at in last.values())), refused


async def _use(port: int, key: bytes, last: dict[int, float]) -> bool:
    """Call until refused for good; note when the last call went through. False if never refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    until = time.monotonic() + PATIENCE_S
    refused = False
    while not refused and time.monotonic() < until:
        began = time.monotonic()
        status, _, _ = await call(reader, writer, request(key, "/n"))
        if status == 200:
            last[port] = began  # what was under way when the key was stopped may end
        else:
            refused = port in last
        await asyncio.sleep(0.01)
    writer.close()
    return refused
