"""The tick: everything that happened in one turn of the event loop leaves together.

Within a tick, admissions and settlements are only noted. At its end they go to
the journal in one write; then requests go on to upstreams and last bytes of
answers to clients. So no upstream sees a call, and no client a whole answer,
that the journal does not know.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Coroutine, Mapping
from email.utils import formatdate
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tollkeeper.core import keys
from tollkeeper.core import limits as speed
from tollkeeper.core.journal import first_call_id, request_prefix
from tollkeeper.core.terms import GateTerms, ModelTerms
from tollkeeper.gate import admission
from tollkeeper.gate.answers import Answer, refuse
from tollkeeper.gate.directory import Directory, Key
from tollkeeper.gate.journal import JournalWriter
from tollkeeper.gate.metrics import Metrics
from tollkeeper.gate.routes import BadRoute, RouteTable
from tollkeeper.gate.wire.cors import allowed_origin, preflight_answer
from tollkeeper.gate.wire.link import Link
from tollkeeper.gate.wire.own import answer_own, own_paths, owns
from tollkeeper.gate.wire.pool import Group, Target

if TYPE_CHECKING:
    from tollkeeper.core.addresses import Agreement
    from tollkeeper.gate.call import Call
    from tollkeeper.gate.lease_book import Purse
    from tollkeeper.gate.lender import Lender
    from tollkeeper.gate.routes import Route
    from tollkeeper.gate.shared import SharedSpeed
    from tollkeeper.gate.wire.client import Client
    from tollkeeper.gate.wire.reader import Reader
    from tollkeeper.gate.wire.sockets import Sockets
    from tollkeeper.gate.wire.upstream import Upstream

NO_TERMS = GateTerms(shop="", routes=(), upstreams=())
JOURNAL_RETRY_S: Final = 0.25
_TWO_DIGITS: Final = [b"%02x" % number for number in range(256)]


class Engine:
    """What all connections of a gate share."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        journal: JournalWriter,
        gate_id: str,
        pepper: bytes,
        max_connections: int,
    ) -> None:
        self.loop = loop
        self.journal = journal
        self.metrics = Metrics()
        self.table = RouteTable(NO_TERMS)
        self.directory = Directory(self.table)
        self.lender: Lender | None = None
        self.shared: SharedSpeed | None = None
        """Limits that hold over several gates; None where this one is alone."""
        self.terms = NO_TERMS
        self.groups: dict[str, Group] = {}
        self.route_groups: list[Group] = []
        self.sick_groups = 0
        """Upstreams of which no address is well, as far as their health is looked after."""
        self.ready = False
        """There are a shop and its keys: without all of them a good key would be called unknown."""
        self.draining = False
        self.max_connections = max_connections
        self.max_head = NO_TERMS.max_head_bytes
        self.max_body = NO_TERMS.max_body_bytes
        self.clients: dict[Reader, None] = {}
        self.upstreams: dict[Link, None] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.own_paths = own_paths(())
        self.models: dict[str, ModelTerms] = {}
        self.request_prefix: bytes = request_prefix(gate_id).encode()
        self._id_block = -1
        self._id_start: bytes = b""
        self._dated = -1
        self._date_field: bytes = b""
        self.answer_fields: bytes = b"\r\nVia: 1.1 tollkeeper\r\nX-Request-Id: "
        self.reason = ""
        """Why the key just looked at is not active."""
        self.agreement: Agreement | None = None
        """Under what callers' addresses are sealed now; None: they are not written."""
        self.closed_as = "not_ready"
        """Why nobody is let in during this tick; empty if all is well."""
        self.admitted = 0
        self.stale = True
        self.turning = False
        """A turn of :attr:`sockets` runs, which ends the tick itself."""
        self.sockets: Sockets | None = None
        """Plain connections; None where they are asyncio's own."""
        self._began_ns = time.monotonic_ns()
        self.now = self.clock()
        self.mono_us = 0
        self.wall_us = 0
        self.forwards: list[Upstream] = []
        self.finals: list[Client] = []
        self.refusals: list[tuple[Client, str]] = []
        self.cuts: list[Client] = []
        self.again: list[Reader] = []
        self._hasher = hashlib.blake2b(digest_size=keys.DIGEST_BYTES, key=pepper)
        self.last_call_id = first_call_id(journal.epoch_us)

    def clock(self) -> float:
        """Monotonic seconds now; inside a tick ``now`` is good enough and cheaper."""
        return time.monotonic()

    def begin_tick(self) -> None:
        """The first event of a tick: read the clocks, and see that the tick ends."""
        nanoseconds = time.monotonic_ns()
        self.now = nanoseconds / 1e9
        self.mono_us = (nanoseconds - self._began_ns) // 1000
        self.wall_us = time.time_ns() // 1000
        self.stale = False
        if self.journal.failed or not self.ready:
            self.closed_as = "not_ready"
        else:
            self.closed_as = "shop_suspended" if self.terms.suspended else ""
        if not self.turning:
            self.loop.call_soon(self.end_tick)

    def end_tick(self) -> None:
        """Journal first; then everything that waited for it."""
        self.stale = True
        if self.journal.buffer and not self.journal.write():
            self.loop.call_later(JOURNAL_RETRY_S, self.end_tick)
            return
        self._let_out()
        if self.again:
            if self.stale:
                self.begin_tick()
            again, self.again = self.again, []
            for client in again:
                client.go_on()

    def _let_out(self) -> None:
        if self.forwards:
            forwards, self.forwards = self.forwards, []
            for upstream in forwards:
                upstream.release()
        if self.finals:
            finals, self.finals = self.finals, []
            for client in finals:
                client.finished()
        if self.refusals:
            refusals, self.refusals = self.refusals, []
            for client, code in refusals:
                client.refuse(code)
        if self.cuts:
            cuts, self.cuts = self.cuts, []
            for client in cuts:
                client.cut()

    def next_call_id(self) -> int:
        """A number that no request of this gate ever had."""
        self.last_call_id += 1
        return self.last_call_id

    def request_id(self, call_id: int) -> bytes:
        """The public id of a request: of 256 in a row only the last two digits differ."""
        if call_id >> 8 != self._id_block:
            self._id_block = call_id >> 8
            self._id_start = b"%b%014x" % (self.request_prefix, self._id_block)
        return self._id_start + _TWO_DIGITS[call_id & 255]

    def date_field(self) -> bytes:
        """``Date`` as a head line (RFC 9110, 6.6.1), for what the gate itself says."""
        second = self.wall_us // 1_000_000
        if second != self._dated:
            self._dated = second
            self._date_field = b"\r\nDate: " + formatdate(second, usegmt=True).encode()
        return self._date_field

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the tick, and keep hold of it."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def arrived(self, client: Reader) -> None:
        """A client connected."""
        self.clients[client] = None
        if len(self.clients) > self.max_connections:
            if self.stale:
                self.begin_tick()
            client.call_id = self.next_call_id()
            client.refuse("overloaded")

    def left(self, client: Reader) -> None:
        """A client's connection is over."""
        self.clients.pop(client, None)

    def use_terms(self, terms: GateTerms, environment: Mapping[str, str]) -> None:
        """Follow a snapshot of the shop. Raises ``BadRoute`` or ``BadUpstream`` and changes nothing then."""
        own = own_paths(terms.models)
        table = RouteTable(terms, partial(owns, own))
        groups: dict[str, list[Target]] = {}
        for upstream in terms.upstreams:
            groups.setdefault(upstream.name, []).append(Target(self, upstream, environment))
        for route in terms.routes:
            if route.upstream not in groups:
                raise BadRoute(f"route {route.name!r}: there is no upstream {route.upstream!r}")
        for group in self.groups.values():
            for target in group.targets:
                target.close()
        self.groups = {name: Group(targets) for name, targets in groups.items()}
        self.route_groups = [self.groups[route.terms.upstream] for route in table.routes]
        self.table = table
        self.terms = terms
        self.directory.use_table(table)
        self.max_head = terms.max_head_bytes
        self.max_body = terms.max_body_bytes
        self.models = {model.name: model for model in terms.models}
        self.own_paths = own

    def group(self, route: Route) -> Group:
        """The upstream of a route."""
        return self.route_groups[route.index]

    def identify(self, credential: bytes | None, client: Reader) -> Key | str:
        """Who calls; or the code of the refusal."""
        self.reason = ""
        if self.closed_as:
            return self.closed_as
        if not credential:
            return "key_missing"
        hasher = self._hasher.copy()  # as core.keys.digest, with the pepper already taken in
        hasher.update(credential)
        digest = hasher.digest()
        key = self.directory.hot.get(digest) or self.directory.find(digest)
        if key is None:
            return "key_unknown" if keys.well_formed(credential) else "key_malformed"
        if key.refused_as:
            self.reason = key.reason
            return key.refused_as
        if key.expires_at and key.expires_at <= self.wall_us:
            return "key_expired"
        if key.grant.networks and not key.grant.admits_address(client.address()):
            return "address_not_allowed"
        return key

    def refusal(
        self,
        client: Reader,
        code: str,
        *,
        fields: bytes = b"",
        reason: str = "",
        detail: str = "",
        retry_after_s: int = -1,
    ) -> Answer:
        """The answer for a code, in the form the client's route speaks."""
        self.metrics.refused(code)
        if code in ("not_ready", "book_unreachable", "overloaded") and retry_after_s < 0:
            retry_after_s = 1
        return refuse(
            code,
            self.request_id(client.call_id).decode(),
            protocol=client.protocol,
            docs_url=self.terms.docs_url,
            retry_after_s=retry_after_s,
            fields=fields,
            reason=reason,
            detail=detail,
        )

    def limit_refusal(self, client: Client, key: Key, costs: tuple[int, int, int], verdict: int) -> Answer:
        """The answer when a limit or the concurrency forbids a call, with an honest ``Retry-After``."""
        fields = admission.limit_fields(key, self.mono_us)
        if verdict == admission.BUSY:
            return self.refusal(client, "too_many_in_flight", fields=fields, retry_after_s=1)
        limit = speed.refusing(key.limits, self.mono_us, costs)
        wait = limit.wait_us(self.mono_us, costs[limit.measure]) if limit is not None else 0
        seconds = -(-wait // 1_000_000) if wait >= 0 else -1
        return self.refusal(
            client, "rate_limited", fields=fields, retry_after_s=max(1, seconds) if seconds >= 0 else -1
        )

    def answer_own(self, client: Client, method: bytes, path: bytes, credential: bytes | None) -> bool:
        """Answer a request that is meant for the gate itself."""
        return answer_own(self, client, method, path, credential)

    def preflight(self, client: Reader, method: bytes, head: bytes) -> bool:
        """See to a browser's origin; True if the request was a preflight, which is then answered."""
        client.cors = allowed_origin(head, self.terms.cors_origins)
        if method != b"OPTIONS":
            return False
        target = head.split(b" ", 2)[1].partition(b"?")[0]
        methods = (b"GET",) if target in self.own_paths else self.table.allowed(target)
        answer = preflight_answer(head, methods)
        if answer is None:
            return False
        client.answer(answer)
        return True

    def why_short(self, purse: Purse, need: int) -> str:
        """Why units are missing: a code, or empty if a draw may help."""
        if self.lender is None or self.draining:
            return "book_unreachable"
        return self.lender.why_short(purse, need)

    def park(self, client: Client, purse: Purse, need: int) -> None:
        """Let a client wait until a draw is done."""
        if self.lender is not None:
            self.lender.park(client, purse, need)

    def draw_ahead(self, purse: Purse, need: int) -> None:
        """Draw before the last unit is spent."""
        if self.lender is not None and purse.runs_low(need) and not purse.is_empty(need, self.wall_us):
            self.lender.start_draw(purse, need)

    def finish(self, call: Call, outcome: int, status: int) -> None:
        """Settle a call and note its record."""
        latency_us = self.mono_us - call.began_us
        self.journal.buffer.append(call.settle(outcome, status, latency_us))
        self.metrics.call_ended(outcome, latency_us, call.bytes_in, call.bytes_out)

    def end_tunnels(self, key_ids: set[int] | None) -> None:
        """Cut what flows under these keys, or under any, and has no end of its own."""
        if self.stale:
            self.begin_tick()
        for client in list(self.clients):
            client.end_tunnel(key_ids)

    def sweep(self) -> None:
        """Once a second: deadlines of connections, idle ones of the pool."""
        if self.stale:
            self.begin_tick()
        now = self.now
        for link in [*self.clients, *self.upstreams]:
            if link.deadline and now > link.deadline and not link.dead:
                link.deadline = 0.0
                link.expired()
        for group in self.groups.values():
            for target in group.targets:
                target.sweep(now)
