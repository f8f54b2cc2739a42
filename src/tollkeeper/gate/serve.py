"""Puts a gate together, runs it, and ends it without losing a call."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import ssl
import time

import msgspec

from tollkeeper.core.terms import decode_gate_terms
from tollkeeper.gate.allowance import Peers
from tollkeeper.gate.book import Book, open_book
from tollkeeper.gate.call import Call
from tollkeeper.gate.callers import Callers
from tollkeeper.gate.directory import EntryRow
from tollkeeper.gate.feed import Feed
from tollkeeper.gate.health import Checker
from tollkeeper.gate.internal import Page, serve_internal
from tollkeeper.gate.journal import JournalTaken, JournalWriter
from tollkeeper.gate.lender import TICK_S, Lender
from tollkeeper.gate.metrics import exposition
from tollkeeper.gate.options import BadOptions, Options
from tollkeeper.gate.routes import BadRoute
from tollkeeper.gate.wire.behind import Behind
from tollkeeper.gate.wire.client import Client
from tollkeeper.gate.wire.engine import NO_TERMS, Engine
from tollkeeper.gate.wire.pool import BadUpstream
from tollkeeper.gate.wire.sockets import BACKLOG, Listener, Sockets, find_leaf

log = logging.getLogger("tollkeeper.gate")
STALE_FEED_S = 10.0
"""A gate that has not seen the book for so long is not ready."""


class Gate:
    """One running gate."""

    def __init__(self, options: Options, loop: asyncio.AbstractEventLoop, build: str) -> None:
        """Raises :class:`BadOptions` if the journal cannot be written."""
        self.options = options
        self.loop = loop
        self.build = build
        try:
            journal = JournalWriter(
                options.journal,
                sync_ms=options.sync_ms,
                segment_bytes=options.segment_bytes,
                now_us=time.time_ns() // 1000,
            )
        except JournalTaken as error:
            raise BadOptions(f"{error}; give this one another TOLLKEEPER_GATE_ID") from None
        except OSError as error:
            raise BadOptions(f"the journal {options.journal} cannot be written: {error.strerror}") from None
        self.engine = Engine(loop, journal, options.gate_id, options.pepper, options.max_connections)
        leaf = find_leaf()
        if leaf is not None:
            self.engine.sockets = Sockets(loop, self.engine, leaf)
        self.engine.lender = self.lender = Lender(self.engine, options.gate_id, self._connect)
        self.callers = Callers()
        if options.redis_url:  # loaded only where it is used: it doubles the memory of a small gate
            shared = importlib.import_module("tollkeeper.gate.shared")
            name = f"{options.gate_id}:{journal.epoch_us}"
            self.engine.shared = shared.SharedSpeed(self.engine, options.redis_url, name, options.pepper)
        self.feed = Feed(self._connect, self._entries, self._snapshot, self._log_keys, self._round)
        self.peers = Peers()
        if not options.redis_url:
            self.feed.watch_gates(options.gate_id, self._gates)
        self.health = Checker(self.engine)
        self.feed_seen_at = 0.0
        self.feed_trouble = "not read yet"
        self.terms_trouble = ""
        self.snapshot_version = 0
        self.stopping = asyncio.Event()
        self._servers: list[asyncio.Server | Listener] = []

    async def start(self) -> None:
        """Open the ports and begin to follow the book. Raises :class:`BadOptions`."""
        options = self.options
        tls = self._tls()
        try:
            if tls is None and self.engine.sockets is not None:
                listen = self.engine.sockets.listen
                self._servers.append(await listen(options.host, options.port, self._client))
            else:
                server = await self.loop.create_server(
                    self._client,  # type: ignore[arg-type]  # duck-typed, see Link
                    options.host,
                    options.port,
                    backlog=BACKLOG,
                    ssl=tls,
                )
                self._servers.append(server)
        except OSError as error:
            raise BadOptions(_busy(options.host, options.port, error)) from None
        try:
            self._servers.append(await serve_internal("127.0.0.1", options.internal_port, self.page))
        except OSError as error:
            raise BadOptions(_busy("127.0.0.1", options.internal_port, error)) from None
        self.feed.start()
        self.health.tick()
        if self.engine.shared is not None:
            self.engine.shared.start()
        self.loop.call_later(1.0, self._each_second)
        self.loop.call_later(TICK_S, self._each_tick)
        log.info("listening on %s:%d, build %s", options.host, options.port, self.build)

    def _client(self) -> Client:
        trusted = self.options.trusted
        return Behind(self.engine, trusted) if trusted else Client(self.engine)

    def _tls(self) -> ssl.SSLContext | None:
        options = self.options
        if not options.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(options.certificate, options.private_key)
        except (OSError, ssl.SSLError) as error:
            raise BadOptions(f"the TLS certificate {options.certificate} cannot be used: {error}") from None
        return context

    def _connect(self) -> Book:
        return open_book(self.options.database_url, self.options.book)

    def _entries(self, rows: list[EntryRow]) -> None:
        self.loop.call_soon_threadsafe(self._use_entries, rows)

    def _use_entries(self, rows: list[EntryRow]) -> None:
        self.engine.directory.apply(rows)
        stopped = {row[0] for row in rows if row[4] != "active"}
        if stopped:
            self.engine.end_tunnels(stopped)

    def _snapshot(self, version: int, body: str) -> None:
        self.loop.call_soon_threadsafe(self._use_snapshot, version, body)

    def _use_snapshot(self, version: int, body: str) -> None:
        before = self.engine.groups
        try:
            self.engine.use_terms(decode_gate_terms(body), os.environ)
        except (msgspec.MsgspecError, BadRoute, BadUpstream) as error:
            self.terms_trouble = f"snapshot {version}: {error}"
            log.error("snapshot %d cannot be used: %s", version, error)
            return
        self.health.follow(before)
        if self.engine.terms.suspended:
            self.engine.end_tunnels(None)
        self.terms_trouble = ""
        self.snapshot_version = version
        for group in self.engine.groups.values():
            for target in group.targets:
                if target.lacks:
                    self.terms_trouble = (
                        f"upstream {target.name!r} needs the environment variable {target.lacks}"
                    )
                    log.error("%s", self.terms_trouble)
        log.info("shop snapshot %d in use, %d routes", version, len(self.engine.table.routes))

    def _log_keys(self, keys: list[tuple[int, bytes]]) -> None:
        self.loop.call_soon_threadsafe(self._use_log_keys, keys)

    def _use_log_keys(self, keys: list[tuple[int, bytes]]) -> None:
        self.callers.use_keys(keys)
        self._renew_agreement()

    def _renew_agreement(self) -> None:
        self.callers.renew(time.time_ns() // 1000)
        self.engine.agreement = self.callers.agreement

    def _gates(self, others: int) -> None:
        self.loop.call_soon_threadsafe(self._note_gates, others)

    def _note_gates(self, others: int) -> None:
        """Other gates lend from this book, and limits cannot be shared with them."""
        if self.peers.seen(others, self.engine.clock()):
            if self.engine.stale:
                self.engine.begin_tick()
            gates = self.peers.gates
            log.warning("%d gates, and no REDIS_URL: this one applies 1/%d of every limit", gates, gates)
            self.engine.directory.share_out(gates, self.engine.mono_us)

    def _round(self, trouble: str) -> None:
        self.loop.call_soon_threadsafe(self._note_round, trouble)

    def _note_round(self, trouble: str) -> None:
        if trouble != self.feed_trouble:
            if trouble:
                log.warning("the book does not answer, trying on: %s", trouble)
            else:
                log.info("the book answers, %d keys", len(self.engine.directory))
        self.feed_trouble = trouble
        if trouble:
            self.engine.metrics.feed_failures += 1
        else:
            self.feed_seen_at = self.engine.clock()
            self.engine.ready = self.engine.terms is not NO_TERMS  # and all keys came before this

    def _each_second(self) -> None:
        self.engine.sweep()
        self.engine.journal.rotate_if_old(self.engine.wall_us)
        self.engine.directory.forget_idle_customers()
        self._renew_agreement()
        self.loop.call_later(1.0, self._each_second)

    def _each_tick(self) -> None:
        self.lender.tick()
        self.loop.call_later(TICK_S, self._each_tick)

    def not_ready(self) -> str:
        """Why no calls should be sent here; empty if all is well."""
        engine = self.engine
        if engine.draining:
            return "draining"
        if self.terms_trouble:
            return self.terms_trouble
        if engine.terms is NO_TERMS:
            return f"no snapshot of a shop yet ({self.feed_trouble or 'none published'})"
        if not engine.ready:
            trouble = f": {self.feed_trouble}" if self.feed_trouble else ""
            return f"the keys are being read, {len(engine.directory)} so far{trouble}"
        if engine.journal.failed:
            return f"the journal cannot be written: {engine.journal.failed}"
        if engine.clock() - self.feed_seen_at > STALE_FEED_S:
            return f"the book has not answered for long: {self.feed_trouble}"
        if engine.shared is not None and not engine.shared.gates:
            return f"limits are to be shared, but Valkey has not answered yet: {engine.shared.trouble}"
        if engine.directory.broken_terms:
            return f"{engine.directory.broken_terms} sets of key terms cannot be read"
        return ""

    def page(self, path: str) -> Page:
        """The pages of the internal port."""
        if path == "/healthz":
            return 200, "text/plain", "ok\n"
        if path == "/readyz":
            why = self.not_ready()
            return (503, "text/plain", why + "\n") if why else (200, "text/plain", self._how_ready() + "\n")
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4", self._metrics()
        return 404, "text/plain", "no such page\n"

    def _metrics(self) -> str:
        now = self.engine.clock()
        targets = [target for group in self.engine.groups.values() for target in group.targets]
        well = [(t.name, t.address, not t.sick and t.down_until <= now) for t in targets]
        return exposition(self.engine.metrics, self._gauges(), well)

    def _how_ready(self) -> str:
        shared, gates = self.engine.shared, self.peers.gates
        if shared is None and gates > 1:
            return f"ready; {gates} gates and no REDIS_URL, so 1/{gates} of every limit is applied here"
        if shared is None or not shared.lost:
            return "ready"
        return f"ready; Valkey is lost ({shared.trouble}), so 1/{shared.gates} of every limit is applied here"

    def _calls_in_flight(self) -> int:
        return sum(customer.in_flight for customer in self.engine.directory.customers.values())

    def _gauges(self) -> dict[str, tuple[str, float]]:
        engine = self.engine
        flying = self._calls_in_flight()
        shared = engine.shared
        targets = [target for group in engine.groups.values() for target in group.targets]
        return {
            "ready": ("1 if calls should be sent here.", int(not self.not_ready())),
            "keys": ("Key entries known.", len(engine.directory)),
            "connections": ("Open client connections.", len(engine.clients)),
            "calls_in_flight": ("Admitted and not settled.", flying),
            "upstream_connections": ("Open connections to upstreams.", sum(t.open for t in targets)),
            "meter_failures": ("Calls whose meter could not count.", Call.meter_failures),
            "journal_bytes": ("Bytes appended to the journal.", engine.journal.bytes),
            "journal_frames": ("Frames appended to the journal.", engine.journal.frames),
            "snapshot_version": ("Version of the shop's snapshot.", self.snapshot_version),
            "directory_version": ("Version of the newest key entry.", engine.directory.version),
            "limits_shared": (
                "1 if limits hold over all gates, 0 if each applies its share, -1 if this gate is alone.",
                (-1 if self.peers.gates == 1 else 0) if shared is None else int(not shared.lost),
            ),
            "gates": (
                "Gates that share limits, at the last look.",
                self.peers.gates if shared is None else shared.gates,
            ),
            "shared_questions": ("Questions to Valkey.", 0 if shared is None else shared.asked),
            "shared_failures": ("Times Valkey did not answer.", 0 if shared is None else shared.failures),
            "compiled": (
                "2 if all is compiled, 1 if only the parser is.",
                ("pure", "parser", "compiled").index(self.build),
            ),
        }

    async def run(self) -> None:
        """Serve until told to stop, then drain."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, self.stopping.set)
        await self.stopping.wait()
        await self.drain()

    async def drain(self) -> None:
        """Take no new calls, let running ones end, give leases back, close the journal."""
        engine = self.engine
        engine.draining = True
        for server in self._servers[:1]:
            server.close()
        if engine.stale:
            engine.begin_tick()
        for client in list(engine.clients):
            client.end_if_idle()
        until = engine.clock() + self.options.drain_s
        while engine.clock() < until and self._calls_in_flight():  # noqa: ASYNC110
            await asyncio.sleep(0.05)  # calls end in many places, and none needs to know of this
        for client in list(engine.clients):
            client.cut()
            client.lost()
        for link in list(engine.upstreams):
            link.cut()
        self.feed.stop()
        self.lender.close_all()
        if engine.shared is not None:
            await engine.shared.close()
        await asyncio.sleep(0.05)
        engine.journal.close()
        for server in self._servers:
            server.close()
        log.info("ended")


def _busy(host: str, port: int, error: OSError) -> str:
    return f"the gate cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}"
