"""Streams that end in every way a stream can end: each is charged by the published table."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from tollkeeper.core.charges import Outcome as Ending
from tollkeeper.core.journal import Record, Settled, read_frames
from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.terms import MICRO, GateTerms, ModelTerms, RouteTerms
from tollkeeper.drills._gates import Buyer, Gate, Yard, request
from tollkeeper.drills._upstream import Upstream
from tollkeeper.usage import services as usage

SUMMARY = "Clients and upstreams leave in the middle: every call is charged by the table, once."
CHAT = "/v1/chat/completions"
TERMS = GateTerms(
    shop="drill",
    routes=(
        RouteTerms("chat", CHAT, methods=("POST",), meter="tokens", protocol="openai"),
        RouteTerms("any", "/{rest...}"),
    ),
    upstreams=(),
    models=(ModelTerms("small", MICRO, MICRO, max_output=100),),
)
WHOLE = 17
"""Micro-units of a whole answer of the upstream: 12 tokens in, 5 out, one micro-unit each."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way to end, and what must be charged for it."""

    name: str
    path: str
    how: str
    stream: bool
    leave_after: int
    """Bytes after which the client leaves; -1: it stays."""
    outcomes: tuple[Ending, ...]
    charged: Callable[[int], bool]


_LEFT = (Ending.CLIENT_LEFT_BEFORE, Ending.CLIENT_LEFT_DURING)
CASES = (
    Case("whole stream", CHAT, "", True, -1, (Ending.OK,), lambda units: units == WHOLE),
    Case("whole answer", CHAT, "", False, -1, (Ending.OK,), lambda units: units == WHOLE),
    Case("empty answer", CHAT, "empty", False, -1, (Ending.EMPTY,), lambda units: units == 0),
    Case(
        "client leaves", CHAT, "slow", True, 300, (Ending.CLIENT_LEFT_DURING,), lambda units: units == WHOLE
    ),
    Case(
        "client leaves at once",
        CHAT,
        "slow",
        True,
        0,
        _LEFT,
        lambda units: units == WHOLE,
    ),
    Case("upstream dies", CHAT, "dies", True, -1, (Ending.UPSTREAM_CUT,), lambda units: 3 <= units <= 200),
    Case("stream fails", CHAT, "error", True, -1, (Ending.FAILED_STREAM,), lambda units: 5 <= units <= 200),
    Case("server error", "/fail", "", False, -1, (Ending.SERVER_ERROR,), lambda units: units == 0),
    Case("answer breaks off", "/half", "", False, -1, (Ending.UPSTREAM_CUT,), lambda units: units == 0),
    Case("plain call", "/n", "", False, -1, (Ending.OK,), lambda units: units == MICRO),
)


def run(scene: Scene) -> Outcome:
    """``wrong``: calls charged or named otherwise than the table says."""
    rounds = 2 if scene.quick else 50
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, TERMS)
    buyers = {case.name: yard.buyer(10_000) for case in CASES}
    gate = yard.start()
    yard.run_intake()
    asyncio.run(_play(gate, buyers, rounds))
    _wait_settled(yard, rounds * len(CASES))
    yard.close()
    upstream.close()
    settled = [r for r in _records(yard) if isinstance(r, Settled)]
    figures: dict[str, int | float | str | None] = {"calls": len(settled)}
    wrong = abs(len(settled) - rounds * len(CASES))
    for case in CASES:
        mine = [r for r in settled if r.customer_id == buyers[case.name].customer_id]
        bad = sum(not (r.outcome in case.outcomes and case.charged(r.units)) for r in mine)
        wrong += bad + abs(len(mine) - rounds)
        if bad:
            figures[f"wrong_{case.name.replace(' ', '_')}"] = bad
    faults = len(usage.check_book())
    figures.update(cases=len(CASES), wrong=wrong, book_faults=faults)
    return Outcome(wrong == 0 and faults == 0, figures)


def _records(yard: Yard) -> list[Record]:
    found: list[Record] = []
    for path in (yard.home / "journal" / "gate-1").glob("*.log"):
        found += read_frames(path.read_bytes())[0]
    return found


def _wait_settled(yard: Yard, count: int) -> None:
    until = time.monotonic() + 15
    while time.monotonic() < until and sum(isinstance(r, Settled) for r in _records(yard)) < count:
        time.sleep(0.2)


async def _play(gate: Gate, buyers: dict[str, Buyer], rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.gather(*(_one(gate.port, buyers[case.name].key, case) for case in CASES))


async def _one(port: int, key: bytes, case: Case) -> None:
    body = b""
    if case.path == CHAT:
        asked = {"model": "small", "messages": [], "user": case.how, "stream": case.stream}
        body = json.dumps(asked).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(key, case.path, body).replace(b"Host: gate", b"Host: gate\r\nConnection: close"))
    await writer.drain()
    if case.leave_after == 0:
        await asyncio.sleep(0.02)
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
