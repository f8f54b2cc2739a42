"""Many callers on one small balance, through one gate and through three, one of which is killed.

Callers go on until nothing is left: units that were lent to a gate that does not need
them come back when it has been idle for a moment, those of a dead gate when its leases
lapse. In the end every unit must have been sold once.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from django.db import connection

from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.terms import MICRO, GateTerms, RouteTerms
from tollkeeper.drills._gates import Gate, Yard, call, request
from tollkeeper.drills._second_book import play_there
from tollkeeper.drills._upstream import Upstream
from tollkeeper.usage import queries
from tollkeeper.usage import services as usage
from tollkeeper.usage.models import Lease

SUMMARY = "Parallel callers on one small balance through several gates: not one unit too many, none lost."
ROUTES = GateTerms(shop="drill", routes=(RouteTerms("any", "/{rest...}"),), upstreams=())
GATES = 3
ROUNDS = 12
FORGET_S = 1.5
"""A gate remembers for a second that there was nothing: who asks again sooner gets the same answer."""
RETURN_S = 15.0
"""Idle leases are back long before this."""


@dataclass
class Market:
    """One balance and all who want of it."""

    units: int
    callers: int
    path: str
    answers: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    """Calls that got no answer, because their gate died."""


def run(scene: Scene) -> Outcome:
    """``undersold``: units that are left although callers wanted them; ``unpaid``: sold and not charged."""
    found, books = play(scene), connection.vendor
    if there := play_there(__name__, scene):
        books = f"{books}, postgresql"
        found = {name: number + there[name] for name, number in found.items()}
    bad = sum(found[name] for name in ("oversold", "undersold", "unpaid", "book_faults"))
    return Outcome(not bad, {"books": books, "callers": _size(scene)[1], **found})


def _size(scene: Scene) -> tuple[int, int]:
    """Units of a balance, and callers who want them."""
    return (200, 40) if scene.quick else (1000, 200)


def play(scene: Scene) -> dict[str, int]:
    """Hold both markets on the book of this process."""
    units, callers = _size(scene)
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, ROUTES)
    yard.run_intake()
    sums: Counter[str] = Counter(units=2 * units)
    for count in (1, GATES):
        scene.say(int(count > 1), 2, "markets")
        market = Market(units, callers, f"/market-{count}")
        sums.update(_hold(yard, upstream, market, count))
    scene.say(2, 2, "markets")
    yard.close()
    upstream.close()
    return {**sums, "leases": Lease.objects.count(), "book_faults": len(usage.check_book())}


def _hold(yard: Yard, upstream: Upstream, market: Market, count: int) -> dict[str, int]:
    """Sell all units of one balance through ``count`` gates."""
    buyer = yard.buyer(market.units)
    gates = [yard.start(f"market-{count}-{number + 1}") for number in range(count)]
    for _ in range(ROUNDS):
        doomed = gates[0] if len(gates) > 1 and gates[0].process.poll() is None else None
        asyncio.run(_round(gates, buyer.key, market, doomed))
        gates = [gate for gate in gates if gate.process.poll() is None]
        left = _settled_balance(yard, buyer.customer_id)
        if not left:
            break
        time.sleep(FORGET_S)
    for gate in gates:
        gate.stop()
    left = _settled_balance(yard, buyer.customer_id)
    calls = queries.recent_calls(buyer.customer_id, 10**6)
    return judge(
        market.units,
        sold=market.answers[200],
        reached=upstream.served.get(market.path, 0),
        open_at_death=sum(row.outcome == "killed" for row in calls),
        charged=sum(row.units for row in calls) // MICRO,
        left=left,
    ) | {"refused": market.answers[402], "unanswered": market.broken}


def judge(
    units: int, *, sold: int, reached: int, open_at_death: int, charged: int, left: int
) -> dict[str, int]:
    """Compare what was given with what clients got, the upstream served, and the book took.

    What a dying gate had let in and not settled costs nothing, so the upstream may have
    served it on top.
    """
    return {
        "sold": sold,
        "charged": charged,
        "open_at_death": open_at_death,
        "oversold": max(0, sold - units, charged - units, reached - open_at_death - units),
        "undersold": left,
        "unpaid": max(0, sold - charged),
    }


def _settled_balance(yard: Yard, customer_id: int) -> int:
    """Units left when nothing is lent any more; what is lent in the end counts as left."""
    until = time.monotonic() + RETURN_S
    while True:
        yard.lapse()
        [balance] = queries.balances(customer_id)
        if not balance.held or time.monotonic() > until:
            return -(-balance.left // MICRO)
        time.sleep(0.2)


async def _round(gates: list[Gate], key: bytes, market: Market, doomed: Gate | None) -> None:
    """Everybody calls until refused; the doomed gate dies in the midst of it."""
    crowd = [asyncio.create_task(_caller(gates, number, key, market)) for number in range(market.callers)]
    if doomed is not None:
        third = market.units // 3
        while market.answers[200] < third and not all(task.done() for task in crowd):  # noqa: ASYNC110
            await asyncio.sleep(0.005)  # answers come in many tasks, and none needs to know of this
        doomed.kill()
    await asyncio.gather(*crowd)


async def _caller(gates: list[Gate], number: int, key: bytes, market: Market) -> None:
    """Call at one gate until refused; if it dies, at the next one."""
    for turn in range(len(gates)):
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", gates[(number + turn) % len(gates)].port
            )
            while True:
                status, _, _ = await call(reader, writer, request(key, market.path))
                market.answers[status] += 1
                if status != 200:
                    writer.close()
                    return
        except OSError:
            market.broken += 1
