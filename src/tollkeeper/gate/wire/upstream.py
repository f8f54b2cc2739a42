"""The upstream's side of a call: the request goes out, the answer is awaited, the call settled once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tollkeeper.core.charges import Outcome
from tollkeeper.gate import heads
from tollkeeper.gate.wire.link import HIGH_WATER
from tollkeeper.gate.wire.response import DRAIN_S, Response, outcome_of

if TYPE_CHECKING:
    from tollkeeper.gate.call import Call
    from tollkeeper.gate.wire.client import Client
    from tollkeeper.gate.wire.engine import Engine
    from tollkeeper.gate.wire.pool import Group, Target

ATTEMPTS: Final = 2
_OK: Final = int(Outcome.OK)


class Upstream(Response):
    """One connection to an upstream; serves one call at a time."""

    def __init__(self, engine: Engine, target: Target) -> None:
        super().__init__(engine, target.read_timeout_s)
        self.target = target
        self.group: Group | None = None
        self.pending: list[bytes] = []
        self.pending_bytes = 0
        self.waits = True
        """What is written waits: for the connection, or for the admission to be in the journal."""
        self.gated = False
        self.attempt = 1
        self.reused = False
        self.idle_since = 0.0

    def begin(self, client: Client, call: Call, group: Group, request: bytes, again: bool) -> None:
        """Send a request, once its admission is in the journal."""
        self.client = client
        self.call = call
        self.group = group
        self.pending = [request]
        self.pending_bytes = len(request)
        self.waits = self.gated = True
        self.sent = request if again else None
        self.was_head = bool(client.flags & heads.HEAD)
        self.bare = bool(client.flags & heads.HTTP10)
        self.engine.forwards.append(self)

    def release(self) -> None:
        """The admission is in the journal."""
        self.gated = False
        if self.transport is not None and not self.dead:
            self._flush()

    def opened(self) -> None:
        self.deadline = 0.0
        self.target.reached()
        if not self.gated:
            self._flush()

    def _flush(self) -> None:
        self.waits = False
        pending = self.pending
        if pending:
            self.transport.write(pending[0] if len(pending) == 1 else b"".join(pending))
            self.pending = []
        client = self.client
        if client is not None:
            self.deadline = self.engine.now + self.read_timeout_s
            if client.paused and not self.blocked:
                client.take_more()

    def write(self, data: bytes) -> None:
        if self.dead:
            return
        if self.waits:
            self.pending.append(data)
            self.pending_bytes += len(data)
            if self.pending_bytes > HIGH_WATER and self.client is not None:
                self.client.pause()
        else:
            if not self.blocked:
                self.deadline = self.engine.now + self.read_timeout_s  # it cannot answer what it has not read
            self.transport.write(data)

    def finish(self, data: bytes) -> None:
        """The answer is whole: settle, then let its last bytes out when that is in the journal."""
        client, call = self.client, self.call
        if call is None:
            return
        engine = self.engine
        outcome = outcome_of(self.status, self.flags) if self.left_as < 0 else self.left_as
        engine.finish(call, outcome, self.status if self.left_as < 0 else 499)
        self.client = self.call = self.reading = None
        body_open = client.finish_with(data) if client is not None else False
        self.in_head = True
        self.chunks = None
        self.deadline = 0.0
        self.left_as = -1
        self.drained_bytes = 0
        if self.flags & heads.KEEP and not body_open and not engine.draining:
            self.reused = True
            self.idle_since = engine.now
            if self.paused:
                self.resume()
            self.target.idle.append(self)
        else:
            self.close()

    def spoiled(self) -> None:
        self.sent = None
        self.cut()
        self.lost()

    def unreachable(self) -> None:
        """The connection could not be made."""
        self.target.failed(self.engine.clock())
        if not self.dead:
            self.dead = True
            self.lost()

    def drained(self) -> None:
        client = self.client
        if self.call is not None:
            self.deadline = self.engine.clock() + (DRAIN_S if client is None else self.read_timeout_s)
        if client is not None:
            client.take_more()

    def go_on(self) -> None:
        """The client takes data again."""
        self.resume()
        self.deadline = self.engine.clock() + self.read_timeout_s

    def client_left(self, during: bool, body_open: bool) -> None:
        """The client is gone. A metered answer is read on for its count, any other call ends here.

        So does one whose request has not left yet: nobody asked for its answer.
        """
        self.client = None
        self.left_as = int(Outcome.CLIENT_LEFT_DURING if during else Outcome.CLIENT_LEFT_BEFORE)
        call = self.call
        sent = not (body_open or self.waits)
        if call is not None and call.reading is not None and sent and not self.tunnel:
            self.deadline = self.engine.now + DRAIN_S
            self.resume()
        else:
            self.end_drain()

    def end_drain(self) -> None:
        call = self.call
        self.client = self.call = None
        if call is not None:
            outcome = _OK if self.tunnel else self.left_as
            self.engine.finish(call, outcome, 101 if self.tunnel else 499)
        self.cut()

    def expired(self) -> None:
        if self.left_as >= 0:
            self.end_drain()
            return
        self.sent = None
        reached = self.transport is not None
        if not reached:
            self.target.failed(self.engine.clock())
        self.cut()
        if self.in_head and reached:
            self._give_up(int(Outcome.TIMED_OUT), "upstream_slow", 504)
        else:
            self.lost()

    def gone(self) -> None:
        self.target.open -= 1
        self.engine.upstreams.pop(self, None)

    def lost(self) -> None:
        client, call = self.client, self.call
        if call is None:
            return
        if self.engine.stale:
            self.engine.begin_tick()
        if self.in_head and not self.buffer and self._again(client, call):
            return
        if self.left_as >= 0 or self.tunnel:
            self.end_drain()
            if client is not None:
                client.abandoned()
        elif self.in_head:
            code = "upstream_bad" if self.transport is not None else "upstream_unreachable"
            self._give_up(int(Outcome.UNREACHABLE), code, 502)
        elif self.flags & heads.UNTIL_CLOSE and not self.torn:
            self.finish_until_close()
        else:
            self.client = self.call = None
            self.engine.finish(call, int(Outcome.UPSTREAM_CUT), self.status)
            if client is not None:
                client.abandoned()

    def _again(self, client: Client | None, call: Call) -> bool:
        """Try another connection, if the request surely had no effect or is declared safe."""
        group = self.group
        if client is None or group is None or self.attempt >= ATTEMPTS or self.engine.draining:
            return False
        failed = None
        if self.transport is None:
            pending = self.pending  # nothing has left this machine
            failed = self.target
            if len(group.targets) == 1:
                return False
        elif self.reused and self.sent is not None:
            pending = [self.sent]
        else:
            return False
        other = group.choose(self.engine.now, failed).connect()
        other.attempt = self.attempt + 1
        other.client, other.call, other.group = client, call, group
        other.sent, other.was_head, other.bare = self.sent, self.was_head, self.bare
        other.pending = pending
        client.upstream = other
        self.client = self.call = None
        if self.gated:
            other.gated = True
            self.engine.forwards.append(other)
        return True

    def _give_up(self, outcome: int, code: str, status: int) -> None:
        """No answer will come: settle by the charge table and tell the client."""
        client, call = self.client, self.call
        self.client = self.call = None
        if call is not None:
            self.engine.finish(call, outcome, status)
        if client is not None:
            client.upstream = None
            client.refuse_after_journal(code)

    def abandon(self) -> None:
        """The call was taken back: this connection is of no more use."""
        self.client = self.call = None
        self.cut()
