"""Streams that end in every way a stream can end: each is charged by the published table.

Every way has a customer of its own, so that whose call it was needs no guessing. What
must be charged is read off the table in ``core.charges`` and off what the upstream said.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass

from tollkeeper.core import charges
from tollkeeper.core.charges import Outcome as Ending
from tollkeeper.core.charges import Rule
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.core.terms import MICRO, GateTerms, ModelTerms, RouteTerms
from tollkeeper.drills._gates import Buyer, Gate, Yard, request
from tollkeeper.drills._upstream import Upstream
from tollkeeper.usage import queries
from tollkeeper.usage import services as usage

SUMMARY = "Clients and upstreams leave in the middle: every call is charged by the table, once."
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
TERMS = GateTerms(
    shop="drill",
    routes=(
        RouteTerms("chat", CHAT, methods=("POST",), meter="tokens", protocol="openai"),
        RouteTerms("messages", MESSAGES, methods=("POST",), meter="tokens", protocol="anthropic"),
        RouteTerms("any", "/{rest...}"),
    ),
    upstreams=(),
    models=(ModelTerms("small", MICRO, MICRO, max_output=100),),
)
WHOLE = 17
"""Micro-units of a whole answer of the upstream: 12 tokens in, 5 out, one micro-unit each."""
MOST = 200
"""No estimate of such an answer comes near this."""
PATIENCE_S = 25.0
"""Who leaves is read on for 10 seconds at most."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way to end. ``counted`` is what the upstream reports; None: the gate must count itself.

    ``leave_after`` are the bytes after which the client leaves; -1: it stays.
    """

    name: str
    path: str
    outcome: Ending
    counted: int | None = None
    how: str = ""
    stream: bool = True
    leave_after: int = -1

    @property
    def protocol(self) -> str:
        """Whose rules the route speaks."""
        return {CHAT: "openai", MESSAGES: "anthropic"}.get(self.path, "rest")

    def charged_right(self, outcome: str, units: int, estimated: bool) -> bool:
        """Whether the book says of a call what the table demands."""
        if outcome != self.outcome.name.lower():
            return False
        if charges.rule(self.outcome, self.protocol) is Rule.NOTHING:
            return units == 0
        if self.counted is None:
            return estimated and 0 < units < MOST
        return units == self.counted and not estimated


CASES = (
    Case("whole stream", CHAT, Ending.OK, WHOLE),
    Case("whole answer", CHAT, Ending.OK, WHOLE, stream=False),
    Case("stream without usage", CHAT, Ending.OK, how="silent"),
    Case("empty answer", CHAT, Ending.EMPTY, how="empty", stream=False),
    Case("client leaves, usage comes late", CHAT, Ending.CLIENT_LEFT_DURING, WHOLE, "slow", leave_after=300),
    Case("client leaves at once", CHAT, Ending.CLIENT_LEFT_BEFORE, WHOLE, "begin_late", leave_after=0),
    Case("upstream dies", CHAT, Ending.UPSTREAM_CUT, how="dies"),
    Case("stream fails", CHAT, Ending.FAILED_STREAM, how="error"),
    Case("whole message", MESSAGES, Ending.OK, WHOLE),
    Case("message, client leaves", MESSAGES, Ending.CLIENT_LEFT_DURING, WHOLE, "slow", leave_after=300),
    Case("message, upstream dies", MESSAGES, Ending.UPSTREAM_CUT, how="dies"),
    Case("server error", "/fail", Ending.SERVER_ERROR),
    Case("answer breaks off", "/half", Ending.UPSTREAM_CUT),
    Case("plain call", "/n", Ending.OK, MICRO),
)


def run(scene: Scene) -> Outcome:
    """``wrong``: calls charged or named otherwise than the table says, missing or too many."""
    rounds = 2 if scene.quick else 50
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, TERMS)
    buyers = {case: yard.buyer(10_000) for case in CASES}
    gate = yard.start()
    yard.run_intake()
    asyncio.run(_play(gate, buyers, rounds, scene))
    _wait_booked(buyers, rounds)
    yard.close()
    upstream.close()
    figures: dict[str, Figure] = {"ways": len(CASES), "calls": rounds * len(CASES)}
    wrong = 0
    for case, buyer in buyers.items():
        rows = queries.recent_calls(buyer.customer_id, 10_000)
        bad = abs(len(rows) - rounds)
        bad += sum(not case.charged_right(row.outcome, row.units, row.estimated) for row in rows)
        wrong += bad
        if bad:
            figures[f"wrong: {case.name}"] = bad
    figures |= {"wrong": wrong, "book_faults": len(usage.check_book())}
    return Outcome(not wrong and not figures["book_faults"], figures)


def _wait_booked(buyers: dict[Case, Buyer], rounds: int) -> None:
    """Until every call stands in the book, or there is no hope."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if all(len(queries.recent_calls(b.customer_id, rounds)) >= rounds for b in buyers.values()):
            return
        time.sleep(0.2)


async def _play(gate: Gate, buyers: dict[Case, Buyer], rounds: int, scene: Scene) -> None:
    for number in range(rounds):
        await asyncio.gather(*(_one(gate.port, buyer.key, case) for case, buyer in buyers.items()))
        scene.say(number + 1, rounds, "rounds")


async def _one(port: int, key: bytes, case: Case) -> None:
    body = b""
    if case.protocol != "rest":
        asked = {"model": "small", "messages": [], "user": case.how, "stream": case.stream, "max_tokens": 50}
        body = json.dumps(asked).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(key, case.path, body).replace(b"Host: gate", b"Host: gate\r\nConnection: close"))
    await writer.drain()
    if case.leave_after == 0:
        await asyncio.sleep(1.0)
        writer.transport.abort()
        return
    got = 0
    while data := await _read(reader):
        got += len(data)
        if 0 < case.leave_after <= got:
            writer.transport.abort()
            return
    writer.close()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(65536), 20)
    except OSError:
        return b""
