"""Slow and greedy clients: the gate's memory stays flat and nobody else waits.

Heads that come byte by byte, readers that stall, one that reads a huge answer slowly,
and a huge upload, all at once, beside somebody who calls as always.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass

from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.terms import GateTerms, RouteTerms
from tollkeeper.drills._gates import Gate, Yard, call, request
from tollkeeper.drills._upstream import Upstream

SUMMARY = "Slow heads, stalled readers and huge bodies cost a few MiB and delay nobody."
ROUTES = GateTerms(
    shop="drill",
    routes=(RouteTerms("any", "/{rest...}", methods=("GET", "POST")),),
    upstreams=(),
    max_body_bytes=1 << 30,
)
GROWTH_MIB = 32.0
DELAY_TIMES, DELAY_MS = 4.0, 25.0
"""What others may wait beside the slow ones: so many times what they wait alone, and some."""
SLOW_HEAD_S = 30.0
"""The gate must lose patience with a head before this."""


@dataclass(frozen=True, slots=True)
class Siege:
    """How many of each, and how big."""

    dribblers: int
    stalled: int
    huge_mib: int
    upload_mib: int


@dataclass
class Found:
    """What the siege showed."""

    p99_ms: float = 0.0
    peak_mib: float = 0.0
    cut: int = 0
    short_bytes: int = 0
    """Bytes of the huge answer that the slow reader did not get."""


def run(scene: Scene) -> Outcome:
    """``rss_growth_mib`` while the slow ones are there; ``p99_ms`` of the others, without and with them.

    The small profile tells the delay and does not judge it: it is too short for that.
    """
    siege = Siege(50, 4, 64, 32) if scene.quick else Siege(500, 16, 1024, 512)
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, ROUTES)
    buyer = yard.buyer(10_000_000)
    gate = yard.start()
    asyncio.run(_others(gate.port, buyer.key, 1.0))
    alone = asyncio.run(_others(gate.port, buyer.key, 2.0))
    before = gate.rss_mib()
    scene.say(1, 2, "sieges")
    found = asyncio.run(_besiege(gate, buyer.key, siege))
    scene.say(2, 2, "sieges")
    yard.close()
    upstream.close()
    growth = found.peak_mib - before
    return Outcome(
        holds(siege, found, growth, None if scene.quick else alone),
        {
            "slow_heads": siege.dribblers,
            "slow_heads_cut": found.cut,
            "stalled_readers": siege.stalled,
            "huge_mib": siege.huge_mib,
            "huge_bytes_missing": found.short_bytes,
            "upload_mib": siege.upload_mib,
            "rss_growth_mib": round(growth, 1),
            "p99_alone_ms": round(alone, 2),
            "p99_ms": round(found.p99_ms, 2),
        },
    )


def holds(siege: Siege, found: Found, growth_mib: float, alone_ms: float | None) -> bool:
    """Whether the gate stood it; ``alone_ms`` None leaves delays out."""
    in_time = alone_ms is None or found.p99_ms <= DELAY_TIMES * alone_ms + DELAY_MS
    return growth_mib <= GROWTH_MIB and in_time and found.cut == siege.dribblers and not found.short_bytes


async def _others(port: int, key: bytes, seconds: float) -> float:
    """p99 of ordinary calls, in milliseconds, at a gentle pace."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        await call(reader, writer, request(key, "/n"))
        times.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(0.005)
    writer.close()
    times.sort()
    return times[int(len(times) * 0.99)]


async def _besiege(gate: Gate, key: bytes, siege: Siege) -> Found:
    port, found = gate.port, Found()
    slow = [asyncio.create_task(_dribble(port)) for _ in range(siege.dribblers)]
    held = [await _stall(port, key) for _ in range(siege.stalled)]
    work = [
        asyncio.create_task(_upload(port, key, siege.upload_mib)),
        asyncio.create_task(_read_slowly(port, key, siege.huge_mib, found)),
    ]
    watch = asyncio.create_task(_watch(gate, found))
    found.p99_ms = await _others(port, key, 6.0)
    await asyncio.gather(*work)
    found.cut = sum(await asyncio.gather(*slow))
    watch.cancel()
    for writer in held:
        writer.transport.abort()
    return found


async def _watch(gate: Gate, found: Found) -> None:
    while True:
        found.peak_mib = max(found.peak_mib, gate.rss_mib())
        await asyncio.sleep(0.2)


async def _dribble(port: int) -> bool:
    """Send a head byte by byte; True if the gate lost patience."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    until = time.monotonic() + SLOW_HEAD_S
    try:
        for byte in b"GET /n HTTP/1.1\r\nX-Slow: " + b"x" * 1000:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0.5)
            if reader.at_eof() or time.monotonic() > until:
                break
    except OSError:
        return True
    return reader.at_eof()


async def _stall(port: int, key: bytes) -> asyncio.StreamWriter:
    """Ask for a large answer and never read it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # every transport that reads has it
    writer.write(request(key, "/big/256"))
    return writer


async def _read_slowly(port: int, key: bytes, mib: int, found: Found) -> None:
    """Read a huge answer to its end, with a pause before each piece."""
    found.short_bytes = mib << 20
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65536)
    writer.write(request(key, f"/big/{mib}"))
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    left = int(length[1]) if length else 0
    while left and (piece := await reader.read(262_144)):
        left -= len(piece)
        found.short_bytes -= len(piece)
        await asyncio.sleep(0.002)
    writer.close()


async def _upload(port: int, key: bytes, mib: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = request(key, "/n", b"x").replace(b"Content-Length: 1", b"Content-Length: %d" % (mib << 20))
    writer.write(head[:-1])
    for _ in range(mib):
        writer.write(b"u" * (1 << 20))
        await writer.drain()
    await asyncio.wait_for(reader.read(1), 30)
    writer.close()
