"""A gate under mixed load for minutes: its memory and its open files stay where they were.

Plain calls, JSON and streams of tokens, chunked bodies, clients that leave early, bodies
that break the rules, refusals of every kind, connections kept and connections made anew.
What counts as the beginning is measured after a warm-up, in which caches and pools fill.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.terms import MICRO, GateTerms, ModelTerms, RouteTerms
from tollkeeper.drills._gates import Gate, Yard, call, request
from tollkeeper.drills._upstream import Upstream
from tollkeeper.usage import services as usage

SUMMARY = "Minutes of mixed load: memory, open files and calls in flight come back to where they were."
CHAT = "/v1/chat/completions"
TERMS = GateTerms(
    shop="drill",
    routes=(
        RouteTerms("chat", CHAT, methods=("POST",), meter="tokens", protocol="openai"),
        RouteTerms("any", "/{rest...}", methods=("GET", "POST")),
    ),
    upstreams=(),
    models=(ModelTerms("small", MICRO, MICRO, max_output=100),),
)
UNITS = 100_000_000
GROWTH_MIB = 6.0
"""What the gate's own memory may grow by after the warm-up, however long it runs."""
PAUSE_S = 0.02
"""Between two calls of one caller: the load is moderate, the mixture is the point."""
QUIET_S = 15.0
"""Calls that were left alone are over before this."""


@dataclass(frozen=True, slots=True)
class State:
    """What a gate holds at one moment."""

    rss_mib: float
    files: int
    in_flight: int
    journal_bytes: int


@dataclass
class Found:
    """What the load showed: answers by kind and status, and those that should not have been."""

    answers: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)

    def note(self, kind: str, status: int, *wanted: int) -> None:
        """Count an answer."""
        self.answers[kind] += 1
        if status not in wanted:
            self.unexpected[f"{kind} {status}"] += 1


def run(scene: Scene) -> Outcome:
    """``rss_growth_mib`` and ``files_growth`` from the end of the warm-up to the end of the load."""
    warm_s, load_s, callers = (2.0, 4.0, 12) if scene.quick else (60.0, 540.0, 24)
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, TERMS)
    buyer = yard.buyer(UNITS)
    yard.run_intake()
    gate = yard.start()
    found = Found()
    asyncio.run(_load(gate, buyer.key, callers, warm_s, scene.seed, found))
    before = _settled_state(gate)
    parts = 9
    for part in range(parts):
        scene.say(part, parts, "parts")
        asyncio.run(_load(gate, buyer.key, callers, load_s / parts, scene.seed + part + 1, found))
    after = _settled_state(gate)
    scene.say(parts, parts, "parts")
    yard.close()
    upstream.close()
    faults = len(usage.check_book())
    calls = sum(found.answers.values())
    return Outcome(
        holds(before, after, found) and not faults,
        {
            "calls": calls,
            "seconds": round(warm_s + load_s),
            "kinds": len(found.answers),
            "unexpected": sum(found.unexpected.values()),
            "rss_start_mib": round(before.rss_mib, 1),
            "rss_end_mib": round(after.rss_mib, 1),
            "rss_growth_mib": round(after.rss_mib - before.rss_mib, 2),
            "files_start": before.files,
            "files_end": after.files,
            "in_flight_end": after.in_flight,
            "journal_mib": round(after.journal_bytes / 1024 / 1024, 1),
            "journal_bytes_per_call": round(after.journal_bytes / max(1, calls)),
            "book_faults": faults,
        },
    )


def holds(before: State, after: State, found: Found) -> bool:
    """Whether the gate came back to where it was."""
    flat = after.rss_mib - before.rss_mib <= GROWTH_MIB
    return flat and after.files <= before.files and not after.in_flight and not found.unexpected


def _settled_state(gate: Gate) -> State:
    """The gate's state when nothing is under way any more, or after some patience."""
    until = time.monotonic() + QUIET_S
    while True:
        text = asyncio.run(_page(gate.internal_port, "/metrics"))
        numbers = {
            name: int(found[1])
            for name in ("calls_in_flight", "connections", "upstream_connections", "journal_bytes")
            if (found := re.search(rf"^tollkeeper_gate_{name} (\d+)$", text, re.MULTILINE))
        }
        busy = numbers["calls_in_flight"] or numbers["connections"] or numbers["upstream_connections"]
        if not busy or time.monotonic() > until:
            files = len(list(Path(f"/proc/{gate.process.pid}/fd").iterdir()))
            return State(gate.rss_mib(), files, numbers["calls_in_flight"], numbers["journal_bytes"])
        time.sleep(0.2)


async def _page(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    text = (await reader.read()).decode()
    writer.close()
    return text


async def _load(gate: Gate, key: bytes, callers: int, seconds: float, seed: int, found: Found) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(
        *[
            _caller(gate.port, key, until, random.Random(seed * 1000 + number), found)  # noqa: S311
            for number in range(callers)
        ]
    )


async def _caller(port: int, key: bytes, until: float, chance: random.Random, found: Found) -> None:
    """One after another of all kinds, in an order of its own."""
    kinds = [_plain, _tokens, _stream, _chunked, _refused, _leaves, _breaks_rules, _upstream_breaks]
    while time.monotonic() < until:
        chance.shuffle(kinds)
        for kind in kinds:
            if time.monotonic() < until:
                await kind(port, key, chance, found)
                await asyncio.sleep(PAUSE_S)


async def _kept(port: int, data: list[bytes], kind: str, wanted: int, found: Found) -> None:
    """Some calls on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for one in data:
        status, _, _ = await call(reader, writer, one)
        found.note(kind, status, wanted)
    writer.close()


async def _plain(port: int, key: bytes, chance: random.Random, found: Found) -> None:
    path = f"/n/{chance.randrange(10**6)}"  # never the same: what is remembered of paths is bounded
    await _kept(port, [request(key, path)] * chance.randint(1, 5), "plain", 200, found)


def _ask(how: str = "", *, stream: bool = False) -> bytes:
    return json.dumps({"model": "small", "messages": [], "user": how, "stream": stream}).encode()


async def _tokens(port: int, key: bytes, chance: random.Random, found: Found) -> None:
    await _kept(port, [request(key, CHAT, _ask())] * chance.randint(1, 3), "tokens", 200, found)


async def _chunked(port: int, key: bytes, chance: random.Random, found: Found) -> None:
    size = chance.choice((1, 1000, 70_000))
    head = request(key, CHAT).replace(b"GET", b"POST", 1)[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
    body = _ask()[:-1] + b" " * size + b"}"
    pieces = [body[at : at + 9000] for at in range(0, len(body), 9000)]
    data = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    await _kept(port, [head + data], "chunked", 200, found)


async def _refused(port: int, key: bytes, chance: random.Random, found: Found) -> None:
    wrong = request(key[:-3] + b"%03d" % chance.randrange(1000), "/n")
    await _kept(port, [wrong], "key refused", 401, found)
    unknown = _ask().replace(b"small", b"other")
    await _kept(port, [request(key, CHAT, unknown)], "model refused", 404, found)
    await _kept(port, [request(key, "/a/../b")], "path refused", 400, found)


async def _stream(port: int, key: bytes, chance: random.Random, found: Found) -> None:
    how = chance.choice(("", "silent", "error"))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(key, CHAT, _ask(how, stream=True)))
    try:
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 30)
    except (asyncio.IncompleteReadError, TimeoutError):
        answer = b"HTTP/1.1 000"
    found.note("stream", int(answer[9:12]), 200)
    writer.close()


async def _leaves(port: int, key: bytes, chance: random.Random, found: Found) -> None:
    """A client that goes away: before the head is whole, before the answer, in the middle of it."""
    data = request(key, CHAT, _ask("slow", stream=True))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stage = chance.randrange(3)
    writer.write(data[: chance.randrange(1, len(data))] if stage == 0 else data)
    if stage == 2:
        await reader.read(100)
    await asyncio.sleep(0)
    writer.transport.abort()
    found.note("leaves", 0, 0)


async def _breaks_rules(port: int, key: bytes, chance: random.Random, found: Found) -> None:
    """A body whose framing breaks after the call was admitted, and a head that says two things."""
    head = request(key, "/n").replace(b"GET", b"POST", 1)[:-2]
    both = b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
    bad = b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX\r\n"
    await _kept(port, [head + chance.choice((both, bad))], "malformed", 400, found)


async def _upstream_breaks(port: int, key: bytes, chance: random.Random, found: Found) -> None:
    """An upstream that fails, or ends in the middle of its answer."""
    if chance.randrange(2):
        await _kept(port, [request(key, "/fail")], "upstream fails", 500, found)
        return
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(key, "/half"))
    head = await _head_or_nothing(reader.readuntil)
    found.note("upstream cut", int(head[9:12] or b"0"), 200, 0)
    writer.close()


async def _head_or_nothing(read: Callable[[bytes], Awaitable[bytes]]) -> bytes:
    try:
        return await asyncio.wait_for(read(b"\r\n\r\n"), 30)
    except (asyncio.IncompleteReadError, OSError, TimeoutError):
        return b""
