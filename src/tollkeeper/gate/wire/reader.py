"""Reads requests off a client's connection, strictly, one at a time; sends what the gate itself answers.

A pipelined request waits in the buffer until the one before it is answered. What
a request means is the business of :class:`tollkeeper.gate.wire.client.Client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tollkeeper.gate import heads
from tollkeeper.gate.answers import Answer
from tollkeeper.gate.parser import Chunks, parse_request
from tollkeeper.gate.wire.link import BLOCKED_S, Link

if TYPE_CHECKING:
    from tollkeeper.gate.wire.engine import Engine

HEAD_S: Final = 10.0
"""A head must be whole within this time of its first byte."""
BODY_S: Final = 30.0
"""A body must not pause for longer."""
IDLE_S: Final = 75.0
"""A connection without a request is closed."""
LINGER_S: Final = 2.0
LINGER_MAX: Final = 1024 * 1024
SKIP_MAX: Final = 256 * 1024
"""A refused body up to this size is read and thrown away, so that the connection can go on."""
TUNNEL_S: Final = 300.0
"""A tunnel in which nothing moves is closed."""

IN_HEAD: Final = 0
IN_BODY: Final = 1
BUSY: Final = 2
SKIPPING: Final = 3
LINGERING: Final = 4
PARKED: Final = 5
GATHERING: Final = 6
TUNNEL: Final = 7
_HEAD_CODES: Final = {400: "malformed_request", 401: "key_missing", 417: "expectation_failed"}


class Reader(Link):
    """The half of a client's connection that knows HTTP but no calls."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.mode = IN_HEAD
        self.buffer = b""
        self.flags = 0
        self.left = 0
        self.chunks: Chunks | None = None
        self.body_bytes = 0
        self.call_id = 0
        self.protocol = "rest"
        self.fields: bytes = b""
        """Of the request, what goes on to the upstream."""
        self.replaceable: bytes = b""
        """Its accepted codings and framing: a meter that reads may need others."""
        self.cors: bytes = b""
        """Head lines of every answer to this request, for browsers."""
        self.answered = False
        """The head of the answer went out."""

    def opened(self) -> None:
        self.deadline = self.engine.clock() + IDLE_S
        self.engine.arrived(self)

    def gone(self) -> None:
        self.engine.left(self)

    def data_received(self, data: bytes) -> None:
        """The loop: bytes of requests."""
        if self.engine.stale:
            self.engine.begin_tick()
        mode = self.mode
        if mode == IN_HEAD:
            self.on_head(self.buffer + data if self.buffer else data)
        elif mode == IN_BODY:
            self.on_body(data)
        elif mode == TUNNEL:
            self.on_tunnel(data)
        elif mode == GATHERING:
            self.on_gathered(data)
        elif mode == SKIPPING:
            self.on_skipped(data)
        elif mode == LINGERING:
            self.left -= len(data)
            if self.left < 0:
                self.cut()
        else:
            self.buffer += data
            self.pause()

    def on_head(self, data: bytes) -> None:
        """Bytes up to a whole head."""
        engine = self.engine
        head = parse_request(data)
        if isinstance(head, int):
            self._no_head(data, head)
            return
        flags, method, target, credential, length, fields, replaceable, end = head
        if end > engine.max_head:
            self._refuse_head("head_too_large")
            return
        self.buffer = data[end + 4 :]
        self.deadline = 0.0
        self.call_id = engine.next_call_id()
        self.protocol = "rest"
        self.cors = b""
        self.answered = False
        self.flags = flags
        self.fields = fields
        self.replaceable = replaceable
        self.left = length if length > 0 else 0
        self.chunks = Chunks() if flags & heads.CHUNKED else None
        self.body_bytes = 0
        browser = flags & heads.ORIGIN and engine.terms.cors_origins
        if browser and engine.preflight(self, method, data[: end + 2]):
            return
        self.on_request(method, target, credential)

    def _no_head(self, data: bytes, status: int) -> None:
        """There is no head yet, or one that must be refused with ``status``."""
        engine = self.engine
        if status:
            long = data.find(b"\r\n\r\n") > engine.max_head
            self._refuse_head("head_too_large" if long else _HEAD_CODES[status])
        elif len(data) > engine.max_head:
            self._refuse_head("head_too_large")
        else:
            if not self.buffer:
                self.deadline = engine.now + HEAD_S
            self.buffer = data

    def _refuse_head(self, code: str) -> None:
        self.flags = 0
        self.left, self.chunks, self.buffer = 0, None, b""
        self.protocol, self.cors = "rest", b""
        self.call_id = self.engine.next_call_id()
        self.refuse(code)

    def first_body(self, data: bytes) -> tuple[bytes | None, bytes]:
        """What of ``data`` belongs to this request's body, and the rest; None if it breaks the rules."""
        if self.chunks is not None:
            end = self.chunks.feed(data) if data else 0
            self.body_bytes += len(data)
            if end < 0 or self.body_bytes > self.engine.max_body:
                return None, b""
            if not end:
                return data, b""
            self.chunks = None
            return data[:end], data[end:]
        if not self.left:
            return b"", data
        body = data[: self.left]
        self.left -= len(body)
        return body, data[len(body) :]

    @property
    def body_open(self) -> bool:
        """More of the request's body is to come."""
        return self.left > 0 or self.chunks is not None

    def next_request(self) -> None:
        """Go on with what the client sent meanwhile, or wait for it."""
        if not self.flags & heads.KEEP or self.engine.draining:
            self.linger()
            return
        self.mode = IN_HEAD
        if self.buffer:
            self.deadline = self.engine.now + HEAD_S
            self.engine.again.append(self)
        else:
            self.deadline = self.engine.now + IDLE_S
            if self.paused:
                self.resume()

    def go_on(self) -> None:
        """Read the next request out of the buffer."""
        if self.mode == IN_HEAD and not self.dead:
            data, self.buffer = self.buffer, b""
            self.on_head(data)
            if self.mode not in (BUSY, PARKED):
                self.resume()

    def refuse(self, code: str, reason: str = "", detail: str = "") -> None:
        """Answer with a refusal."""
        self.answer(self.engine.refusal(self, code, reason=reason, detail=detail))

    def answer(self, answer: Answer) -> None:
        """Send an answer of the gate, then skip the request's body or end the connection."""
        if self.dead:
            return
        self.over()
        keep = answer.keep and bool(self.flags & heads.KEEP) and not self.engine.draining
        if keep and self.body_open:
            expecting = self.flags & heads.EXPECT and not self.buffer
            keep = self.chunks is None and self.left <= SKIP_MAX and not expecting
        if not keep:
            self.flags &= ~heads.KEEP
        body = b"" if self.flags & heads.HEAD else answer.body
        extra = self.engine.date_field() + self.cors
        self.write(answer.head(self.engine.request_id(self.call_id), keep, extra) + body)
        if keep and self.left:
            self.mode = SKIPPING
            self.deadline = self.engine.now + BODY_S
            data, self.buffer = self.buffer, b""
            self.on_skipped(data)
            self.resume()
            return
        self.next_request()

    def on_skipped(self, data: bytes) -> None:
        """Bytes of a body that nobody wants."""
        take = min(self.left, len(data))
        self.left -= take
        self.buffer = data[take:]
        if not self.left:
            self.next_request()

    def linger(self) -> None:
        """End the connection so that the answer surely arrives: close our half, read on for a moment."""
        self.mode = LINGERING
        self.left = LINGER_MAX
        self.buffer = b""
        unsent = self.transport.get_write_buffer_size()
        self.deadline = self.engine.now + (BLOCKED_S if unsent else LINGER_S)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.resume()
        else:
            self.close()

    def end_if_idle(self) -> None:
        """The gate drains: end connections that carry no request."""
        if self.mode == IN_HEAD and not self.buffer:
            self.close()

    def address(self) -> str:
        """Where the request comes from; empty if that is nowhere, as with a local socket."""
        peer = self.transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) and peer else ""

    def on_request(self, method: bytes, target: bytes, credential: bytes | None) -> None:
        """A whole head was read."""

    def on_body(self, data: bytes) -> None:
        """Bytes of a body that goes on as it comes."""

    def on_gathered(self, data: bytes) -> None:
        """Bytes of a body that is needed whole."""

    def on_tunnel(self, data: bytes) -> None:
        """Bytes of a protocol that is not ours."""

    def end_tunnel(self, key_ids: set[int] | None) -> None:
        """Keys were stopped (None: all): what flows under one of them must not go on."""

    def over(self) -> None:
        """The request gets its answer from the gate."""
