"""One engine between a client and an upstream, without a network and without time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.gate.models import MODELS
from tests.gate.models import ROUTES as MODEL_ROUTES
from tests.gate.stage import PEPPER
from tollkeeper.core import journal, keys
from tollkeeper.core.charges import Outcome
from tollkeeper.core.terms import MICRO, GateTerms, KeyTerms, RouteTerms, UpstreamTerms, encode
from tollkeeper.gate.journal import JournalWriter
from tollkeeper.gate.lease_book import Lease
from tollkeeper.gate.wire import link
from tollkeeper.gate.wire.client import Client
from tollkeeper.gate.wire.engine import Engine
from tollkeeper.gate.wire.upstream import Upstream

KEY = keys.mint(b"q" * 24).text.encode()
READ_S = 20.0


class Wire:
    """A transport without a network."""

    def __init__(self) -> None:
        self.sent = b""
        self.ended = ""
        self.paused = False
        self.unsent = 0

    def write(self, data: bytes) -> None:
        assert not self.ended
        self.sent += data

    def write_eof(self) -> None:
        self.ended = self.ended or "eof"

    def close(self) -> None:
        self.ended = "closed"

    def abort(self) -> None:
        self.ended = "cut"

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == link.HIGH_WATER

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return "127.0.0.1", 1


class Clocked(Engine):
    """An engine whose time is told to it, and which does nothing beside its ticks."""

    time = 1000.0

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    def clock(self) -> float:
        return self.time

    def begin_tick(self) -> None:
        super().begin_tick()
        self.now = self.time


class Room:
    """An engine, one connection to the upstream, and clients."""

    def __init__(self, folder: Path, sync_ms: int = 60_000) -> None:
        loop = asyncio.get_running_loop()
        self.folder = folder
        self.journal = JournalWriter(folder, sync_ms=sync_ms, segment_bytes=1 << 30, now_us=1)
        self.engine = Clocked(loop, self.journal, "gate-1", PEPPER, max_connections=3)
        upstreams = (UpstreamTerms("main", "http://127.0.0.1:1", read_timeout_s=READ_S),)
        routes = (*MODEL_ROUTES, RouteTerms("any", "/{rest...}", methods=("GET", "POST")))
        self.engine.use_terms(GateTerms(shop="s", routes=routes, upstreams=upstreams, models=MODELS), {})
        self.engine.ready = True
        digest = keys.digest(KEY, PEPPER)
        self.engine.directory.apply([(1, digest, 1, "t", "active", "", encode(KeyTerms(plan="p")), None, 1)])
        key = self.engine.directory.find(digest)
        assert key is not None
        self.customer = key.customer
        key.purse.add(Lease(b"l" * 16, 1000 * MICRO, 1 << 62))
        self.target = self.engine.groups["main"].targets[0]
        self.far = Wire()
        self.upstream = Upstream(self.engine, self.target)
        self.upstream.connection_made(self.far)
        self.engine.upstreams[self.upstream] = None
        self.target.idle.append(self.upstream)
        self.target.open = 1

    def client(self) -> tuple[Client, Wire]:
        wire = Wire()
        client = Client(self.engine)
        client.connection_made(wire)
        return client, wire

    def sent(self, data: bytes) -> tuple[Client, Wire]:
        """A client that has sent something."""
        client, wire = self.client()
        self.tell(client, data)
        return client, wire

    def tell(self, link: Client | Upstream, data: bytes) -> None:
        link.data_received(data)
        self.engine.end_tick()

    def wait(self, seconds: float) -> None:
        self.engine.time += seconds
        self.engine.sweep()
        self.engine.end_tick()

    def records(self) -> list[journal.Record]:
        """All that is in the journal."""
        [path] = self.folder.glob("*.log")
        return journal.read_frames(path.read_bytes())[0]

    def settled(self) -> tuple[Outcome, int, int]:
        """Outcome, status and units of the one call there was, and nothing is held any more."""
        [one] = [record for record in self.records() if isinstance(record, journal.Settled)]
        assert self.customer.in_flight == 0
        [lease] = [lease for purse in self.customer.purses.values() for lease in purse.leases]
        assert lease.open_calls == 0
        assert lease.left == lease.drawn - one.units
        return Outcome(one.outcome), one.status, one.units

    def nothing_admitted(self) -> bool:
        return self.journal.bytes == 0


def play(folder: Path, scene: Callable[[Room], None]) -> None:
    async def run() -> None:
        room = Room(folder)
        try:
            scene(room)
        finally:
            room.journal.close()

    asyncio.run(run())
