"""The upstream's side of a call: the request goes out, the answer is checked, metered and passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollkeeper.core.charges import Outcome
from tollkeeper.gate import heads, parser
from tollkeeper.gate.wire.link import HIGH_WATER, Link

if TYPE_CHECKING:
    from tollkeeper.gate.call import Call
    from tollkeeper.gate.heads import Chunks
    from tollkeeper.gate.wire.client import Client
    from tollkeeper.gate.wire.engine import Engine
    from tollkeeper.gate.wire.pool import Group, Target

MAX_HEAD = 64 * 1024
ATTEMPTS = 2
_OK = int(Outcome.OK)


def outcome_of(status: int, flags: int) -> int:
    """The outcome of a whole answer."""
    if status < 400:
        return int(Outcome.CACHED) if flags & heads.CACHED else _OK
    return int(Outcome.CLIENT_ERROR) if status < 500 else int(Outcome.SERVER_ERROR)


class Upstream(Link):
    """One connection to an upstream; serves one call at a time."""

    def __init__(self, engine: Engine, target: Target) -> None:
        super().__init__(engine)
        self.target = target
        self.group: Group | None = None
        self.client: Client | None = None
        self.call: Call | None = None
        self.pending: list[bytes] = []
        self.waits = True
        """What is written waits: for the connection, or for the admission to be in the journal."""
        self.gated = False
        self.sent: bytes | None = None
        """The whole request, while it may be sent again."""
        self.attempt = 1
        self.reused = False
        self.idle_since = 0.0
        self.was_head = False
        self.in_head = True
        self.buffer = b""
        self.flags = 0
        self.status = 0
        self.left = 0
        self.chunks: Chunks | None = None
        self.unwrap = False
        """The chunked framing is taken off, for a client of HTTP/1.0."""

    def begin(self, client: Client, call: Call, group: Group, request: bytes, again: bool) -> None:
        """Send a request, once its admission is in the journal."""
        self.client = client
        self.call = call
        self.group = group
        self.pending.append(request)
        self.waits = self.gated = True
        self.sent = request if again else None
        self.was_head = bool(client.flags & heads.HEAD)
        self.unwrap = bool(client.flags & heads.HTTP10)
        self.engine.forwards.append(self)

    def release(self) -> None:
        """The admission is in the journal."""
        self.gated = False
        if self.transport is not None and not self.dead:
            self.flush()

    def opened(self) -> None:
        self.deadline = 0.0
        if not self.gated:
            self.flush()

    def flush(self) -> None:
        """Send what has waited."""
        self.waits = False
        pending = self.pending
        if pending:
            self.transport.write(pending[0] if len(pending) == 1 else b"".join(pending))
            self.pending = []
        client = self.client
        if client is not None:
            self.deadline = self.engine.now + self.target.read_timeout_s
            if client.paused and not self.blocked:
                client.take_more()

    def write(self, data: bytes) -> None:
        if self.dead:
            return
        if self.waits:
            self.pending.append(data)
            if sum([len(piece) for piece in self.pending]) > HIGH_WATER and self.client is not None:
                self.client.pause()
        else:
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """The loop: bytes of an answer."""
        engine = self.engine
        if engine.stale:
            engine.begin_tick()
        if self.call is None:  # nothing was asked: such bytes could only be meant for somebody else
            self.close()
            return
        if self.in_head:
            self.on_head(self.buffer + data if self.buffer else data)
        else:
            self.deadline = engine.now + self.target.read_timeout_s
            self.on_body(data, b"")

    def on_head(self, data: bytes) -> None:
        """Bytes of an answer whose head is not whole yet."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self.buffer = data
            if len(data) > MAX_HEAD:
                self.spoiled()
            return
        self.buffer = b""
        head = parser.parse_response(data, end, self.was_head)
        if head is None:
            self.spoiled()
            return
        flags, status, length, fields = head
        rest = data[end + 4 :]
        if status < 200:
            self.interim(status, fields, rest)
            return
        self.sent = None
        self.in_head = False
        self.flags = flags
        self.status = status
        self.left = length if length > 0 and not flags & heads.NO_BODY else 0
        self.chunks = parser.Chunks() if flags & heads.CHUNKED and not flags & heads.NO_BODY else None
        call, client = self.call, self.client
        if call is not None and client is not None:
            call.streamed = bool(flags & heads.EVENTS)
            if self.unwrap and flags & heads.CHUNKED:
                fields = fields.replace(b"\r\nTransfer-Encoding: chunked", b"", 1)
                client.flags &= ~heads.KEEP
            else:
                self.unwrap = False
            if flags & heads.UNTIL_CLOSE:
                client.flags &= ~heads.KEEP
            self.on_body(rest, client.answer_head(fields, call))

    def interim(self, status: int, fields: bytes, rest: bytes) -> None:
        """An answer that is not the final one: 100 ends here, others go on to the client."""
        client = self.client
        if status == 101:
            self.spoiled()
            return
        if status != 100 and client is not None and not client.flags & heads.HTTP10:
            client.write(fields + b"\r\n\r\n")
        if rest and not self.dead:
            self.on_head(rest)

    def on_body(self, data: bytes, head: bytes) -> None:
        """Bytes of the body; ``head`` goes to the client before them."""
        call = self.call
        if call is None:
            return
        flags = self.flags
        if self.chunks is not None:
            data, done = self._on_chunked(data)
            if self.call is None:
                return
        elif flags & heads.UNTIL_CLOSE:
            done = False
        else:
            if (
                len(data) > self.left
            ):  # more than was announced: cut off, and the connection is not used again
                data = data[: self.left]
                self.flags = flags & ~heads.KEEP
            self.left -= len(data)
            done = not self.left
        call.bytes_out += len(data)
        if head:
            data = head + data
        if done:
            self.finish(outcome_of(self.status, flags), self.status, data)
        elif data and self.client is not None:
            self.client.write(data)
            if self.client.blocked:
                self.pause()
                self.deadline = 0.0

    def _on_chunked(self, data: bytes) -> tuple[bytes, bool]:
        chunks = self.chunks
        if chunks is None or not data:
            return data, False
        if self.unwrap:
            pieces: list[bytes] = []
            end = chunks.decode(data, pieces)
            body = b"".join(pieces)
        else:
            end = chunks.feed(data)
            body = data[:end] if end > 0 else data
        if end < 0:
            self.spoiled()
            return b"", False
        if end and end < len(data):
            self.flags &= ~heads.KEEP
        return body, end > 0

    def finish(self, outcome: int, status: int, data: bytes) -> None:
        """The answer is whole: settle, then let its last bytes out when that is in the journal."""
        client, call = self.client, self.call
        if call is None:
            return
        engine = self.engine
        engine.finish(call, outcome, status)
        self.client = self.call = None
        body_open = False
        if client is not None:
            body_open = client.finish_with(data)
        self.in_head = True
        self.chunks = None
        self.deadline = 0.0
        if self.flags & heads.KEEP and not body_open and not engine.draining:
            self.reused = True
            self.idle_since = engine.now
            self.resume()
            self.target.idle.append(self)
        else:
            self.close()

    def spoiled(self) -> None:
        """The answer must not be believed: nothing of this connection is used any more."""
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
        if client is not None:
            client.take_more()

    def expired(self) -> None:
        self.sent = None
        reached = self.transport is not None
        if not reached:
            self.target.failed(self.engine.clock())
        self.cut()
        if self.in_head and reached:
            self.give_up(int(Outcome.TIMED_OUT), "upstream_slow", 504)
        else:
            self.lost()

    def gone(self) -> None:
        self.target.open -= 1

    def lost(self) -> None:
        client, call = self.client, self.call
        if call is None:
            return
        if self.engine.stale:
            self.engine.begin_tick()
        if self.in_head and not self.buffer and self._again(client, call):
            return
        if self.in_head:
            code = "upstream_bad" if self.transport is not None else "upstream_unreachable"
            self.give_up(int(Outcome.UNREACHABLE), code, 502)
        elif self.flags & heads.UNTIL_CLOSE and not self.torn:
            self.finish(outcome_of(self.status, self.flags), self.status, b"")
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
        if self.transport is None:
            pending = self.pending  # nothing has left this machine
        elif self.reused and self.sent is not None:
            pending = [self.sent]
        else:
            return False
        failed = self.target if self.transport is None else None
        if failed is not None and len(group.targets) == 1:
            return False
        other = group.choose(self.engine.now, failed).connect()
        other.attempt = self.attempt + 1
        other.client, other.call, other.group = client, call, group
        other.sent, other.was_head, other.unwrap = self.sent, self.was_head, self.unwrap
        other.pending = pending
        client.upstream = other
        self.client = self.call = None
        if self.gated:
            other.gated = True
            self.engine.forwards.append(other)
        return True

    def give_up(self, outcome: int, code: str, status: int) -> None:
        """No answer will come: settle by the charge table and tell the client."""
        client, call = self.client, self.call
        self.client = self.call = None
        if call is not None:
            self.engine.finish(call, outcome, status)
        if client is not None:
            client.upstream = None
            client.refuse_after_journal(code)

    def abandon(self) -> None:
        """The client is gone: this connection is of no more use."""
        self.client = self.call = None
        self.cut()
