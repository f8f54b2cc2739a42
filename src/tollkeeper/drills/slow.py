"""Slow and greedy clients: the gate's memory stays flat and nobody else waits."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

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
DELAY_MS = 20.0


class _Siege(NamedTuple):
    p99_ms: float
    peak_mib: float
    cut: int


def run(scene: Scene) -> Outcome:
    """``rss_growth_mib`` while the slow ones are there; ``p99_ms`` of the others, without and with them."""
    dribblers, stalled, upload_mib = (50, 4, 32) if scene.quick else (500, 16, 512)
    upstream = Upstream()
    yard = Yard(scene)
    yard.publish(upstream.port, ROUTES)
    buyer = yard.buyer(10_000_000)
    gate = yard.start()
    asyncio.run(_others(gate.port, buyer.key, 1.0))
    alone = asyncio.run(_others(gate.port, buyer.key, 2.0))
    before = gate.rss_mib()
    siege = asyncio.run(_besiege(gate, buyer.key, dribblers, stalled, upload_mib))
    yard.close()
    upstream.close()
    growth = siege.peak_mib - before
    figures = {
        "slow_heads": dribblers,
        "stalled_readers": stalled,
        "upload_mib": upload_mib,
        "rss_growth_mib": round(growth, 1),
        "p99_alone_ms": round(alone, 2),
        "p99_ms": round(siege.p99_ms, 2),
        "slow_heads_cut": siege.cut,
    }
    ok = growth <= GROWTH_MIB and siege.p99_ms <= alone + DELAY_MS and siege.cut == dribblers
    return Outcome(ok, figures)


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


async def _besiege(gate: Gate, key: bytes, slow_ones: int, stalled: int, upload_mib: int) -> _Siege:
    port = gate.port
    slow = [asyncio.create_task(_dribble(port)) for _ in range(slow_ones)]
    held = [await _stall(port, key) for _ in range(stalled)]
    upload = asyncio.create_task(_upload(port, key, upload_mib))
    seen: list[float] = []
    watch = asyncio.create_task(_watch(gate, seen))
    beside = await _others(port, key, 6.0)
    await upload
    cut = sum(await asyncio.gather(*slow))
    watch.cancel()
    for writer in held:
        writer.transport.abort()
    return _Siege(beside, max(seen), cut)


async def _watch(gate: Gate, seen: list[float]) -> None:
    while True:
        seen.append(gate.rss_mib())
        await asyncio.sleep(0.2)


async def _dribble(port: int) -> bool:
    """Send a head byte by byte; True if the gate lost patience."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    until = time.monotonic() + 30
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
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(request(key, "/big"))
    return writer


async def _upload(port: int, key: bytes, mib: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = request(key, "/n", b"x").replace(b"Content-Length: 1", b"Content-Length: %d" % (mib << 20))
    writer.write(head[:-1])
    for _ in range(mib):
        writer.write(b"u" * (1 << 20))
        await writer.drain()
    await asyncio.wait_for(reader.read(1), 30)
    writer.close()
