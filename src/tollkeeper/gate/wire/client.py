"""The client's side of a call: its request is read strictly, admitted or refused, and passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tollkeeper.core.charges import Outcome
from tollkeeper.core.journal import method_number
from tollkeeper.gate import admission, heads, parser
from tollkeeper.gate.answers import Answer
from tollkeeper.gate.call import Call
from tollkeeper.gate.wire.link import BLOCKED_S, Link

if TYPE_CHECKING:
    from tollkeeper.gate.directory import Key
    from tollkeeper.gate.heads import Chunks
    from tollkeeper.gate.wire.engine import Engine
    from tollkeeper.gate.wire.upstream import Upstream

HEAD_S = 10.0
"""A head must be whole within this time of its first byte."""
BODY_S = 30.0
"""A body must not pause for longer."""
IDLE_S = 75.0
"""A connection without a request is closed."""
LINGER_S = 2.0
SKIP_MAX = 256 * 1024
"""A refused body up to this size is read and thrown away, so that the connection can go on."""
SAFE = (b"GET", b"HEAD", b"OPTIONS")
IN_HEAD, IN_BODY, BUSY, SKIPPING, LINGERING, PARKED = range(6)


class Client(Link):
    """One connection of a client; one call at a time, further requests wait in the buffer."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.mode = IN_HEAD
        self.buffer = b""
        self.flags = 0
        self.left = 0
        self.chunks: Chunks | None = None
        self.body_bytes = 0
        self.upstream: Upstream | None = None
        self.call: Call | None = None
        self.head: tuple[bytes, bytes, bytes] = (b"", b"", b"")
        """Method, target and fields of a request that waits for units."""
        self.protocol = "rest"
        self.call_id = 0
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
        end = data.find(b"\r\n\r\n")
        if end < 0 or end > engine.max_head:
            self._partial_head(data, end)
            return
        self.buffer = data[end + 4 :]
        self.deadline = 0.0
        self.call_id = engine.next_call_id()
        self.protocol = "rest"
        self.answered = False
        head = parser.parse_request(data, end)
        if isinstance(head, int):
            self.flags = 0
            codes = {400: "malformed_request", 401: "key_missing", 417: "expectation_failed"}
            self.refuse(codes[head])
            return
        flags, method, target, credential, length, fields = head
        self.flags = flags
        self.left = length if length > 0 else 0
        self.chunks = parser.Chunks() if flags & heads.CHUNKED else None
        self.body_bytes = 0
        question = target.find(b"?")
        path = target if question < 0 else target[:question]
        if path in engine.own_paths:
            engine.answer_own(self, method, path, credential)
            return
        found = engine.identify(credential, self.transport)
        if isinstance(found, str):
            route = engine.table.find(method, path)
            if not isinstance(route, str):
                self.protocol = route.protocol
            self.refuse(found, engine.reason)
            return
        self._route(found, method, target, path, fields)

    def _route(self, key: Key, method: bytes, target: bytes, path: bytes, fields: bytes) -> None:
        engine = self.engine
        route = engine.table.find(method, path)
        if isinstance(route, str):
            allow = engine.table.allowed(path) if route == "method_not_allowed" else ()
            self.answer(
                engine.refusal(self, route, fields=b"\r\nAllow: " + b", ".join(allow) if allow else b"")
            )
            return
        self.protocol = route.protocol
        if not key.grant.allowed[route.index]:
            self.refuse("route_not_allowed")
            return
        if self.left > engine.max_body:
            self.refuse("body_too_large")
            return
        self.head = (method, target, fields)
        self.call = Call(self.call_id, key, route, method_number(method), None)
        self.admit()

    def admit(self) -> None:
        """Try to admit the call that was read; parks it if units must be drawn first."""
        engine, call = self.engine, self.call
        if call is None or self.dead:
            return
        key = call.key
        verdict, holds = admission.judge(key, call.costs, call.held, engine.mono_us, engine.wall_us)
        if verdict == admission.ADMITTED:
            self.mode = BUSY
            engine.journal.buffer.append(call.admitted(holds, engine.now, engine.wall_us))
            engine.admitted += 1
            purse = key.purse
            if not purse.drawing and holds and holds[0][0].left < purse.low_mark:
                engine.draw_ahead(purse, call.held)
            self.forward(call)
            return
        if verdict == admission.SHORT:
            why = engine.why_short(key.purse, call.held)
            if not why:
                self.wait(0.0)
                engine.park(self, key.purse, call.held)
                return
            self.call = None
            self.refuse(why)
            return
        self.call = None
        self.answer(engine.limit_refusal(self, key, call.costs, verdict))

    def wait(self, seconds: float) -> None:
        """Do nothing until something of the gate answers; refuse if that takes longer than this."""
        self.mode = PARKED
        self.deadline = self.engine.now + seconds
        self.pause()

    def waits_for(self, call_id: int) -> bool:
        """True if this request still waits."""
        return self.mode == PARKED and self.call_id == call_id and not self.dead

    def unpark(self, code: str) -> None:
        """What was waited for is there; or ``code`` says why it never will be."""
        if self.mode != PARKED or self.dead:
            return
        self.deadline = 0.0
        if code:
            self.call = None
            self.refuse(code)
        else:
            self.admit()

    def forward(self, call: Call) -> None:
        """Send the admitted request to the upstream; its body follows as it comes."""
        engine = self.engine
        flags = self.flags
        method, target, fields = self.head
        group = engine.group(call.route)
        body, rest = self._first_body(self.buffer)
        if body is None:
            self._bad_body("")
            return
        self.buffer = rest
        call.bytes_in = len(body)
        if self.mode == BUSY and flags & heads.EXPECT and not body and (self.left or self.chunks is not None):
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        target_server = group.choose(engine.now)
        upstream = target_server.take()
        self.upstream = upstream
        whole = not self.left and self.chunks is None
        request = b"%b %b%b HTTP/1.1%b%b%b%b\r\nX-Request-Id: %b%016x\r\n\r\n%b" % (
            method,
            target_server.base,
            target,
            fields,
            target_server.fields,
            engine.onward_fields,
            call.key.tenant,
            engine.request_prefix,
            call.call_id,
            body,
        )
        again = whole and (method in SAFE or call.route.retry_safe)
        upstream.begin(self, call, group, request, again)
        if not whole:
            self.mode = IN_BODY
            self.deadline = engine.now + BODY_S
        self.resume()

    def _first_body(self, data: bytes) -> tuple[bytes | None, bytes]:
        """What of ``data`` belongs to this request's body, and the rest; None if its framing is broken."""
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

    def on_body(self, data: bytes) -> None:
        """Bytes of a body that goes to the upstream as it comes."""
        upstream, call = self.upstream, self.call
        if upstream is None or call is None:
            return
        chunked = self.chunks is not None
        body, rest = self._first_body(data)
        if body is None:
            self._bad_body("")
            return
        call.bytes_in += len(body)
        if not self.left and (not chunked or self.chunks is None):
            self.mode = BUSY
            self.deadline = 0.0
            if rest:
                self.buffer = rest
                self.pause()
        else:
            self.deadline = self.engine.now + BODY_S
        upstream.write(body)
        if upstream.blocked and self.mode == IN_BODY:
            self.pause()
            self.deadline = 0.0

    def take_more(self) -> None:
        """The upstream has room for more of the body."""
        if self.mode == IN_BODY:
            self.deadline = self.engine.clock() + BODY_S
            self.resume()

    def _bad_body(self, code: str) -> None:
        upstream, call = self.upstream, self.call
        code = code or ("bad_chunk" if self.body_bytes <= self.engine.max_body else "body_too_large")
        self.upstream = None
        if upstream is not None:
            upstream.abandon()
        if call is not None and not call.settled:
            self.engine.finish(call, int(Outcome.BAD_REQUEST), 413 if code == "body_too_large" else 400)
        self.flags &= ~heads.KEEP
        self.left, self.chunks, self.mode = 0, None, BUSY
        if self.answered:
            self.cut()
        else:
            self.refuse_after_journal(code)

    def answer_head(self, fields: bytes, call: Call) -> bytes:
        """The head of the upstream's answer, as the client gets it."""
        engine = self.engine
        self.answered = True
        if self.mode == IN_BODY or engine.draining:
            self.flags &= ~heads.KEEP
        return b"%b%b%b%016x%b%b" % (
            fields,
            engine.answer_fields,
            engine.request_prefix,
            call.call_id,
            admission.limit_fields(call.key, engine.mono_us),
            b"\r\n\r\n" if self.flags & heads.KEEP else b"\r\nConnection: close\r\n\r\n",
        )

    def finish_with(self, data: bytes) -> bool:
        """The answer ends with ``data``, to be sent when the settlement is in the journal.

        True if the request's body had not come to its end.
        """
        body_open = self.mode == IN_BODY
        self.upstream = self.call = None
        self.mode = BUSY
        self.deadline = 0.0
        if body_open:
            self.flags &= ~heads.KEEP
        self.engine.finals.append((self, data))
        return body_open

    def finished(self, data: bytes) -> None:
        """The settlement is in the journal: let the end of the answer out."""
        if self.dead:
            return
        if data:
            self.write(data)
        self.next_request()

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
            self.resume()

    def go_on(self) -> None:
        """Read the next request out of the buffer."""
        if self.mode == IN_HEAD and not self.dead:
            data, self.buffer = self.buffer, b""
            self.on_head(data)
            if self.mode in (IN_HEAD, IN_BODY, SKIPPING, LINGERING):
                self.resume()

    def refuse(self, code: str, reason: str = "") -> None:
        """Answer with a refusal."""
        self.answer(self.engine.refusal(self, code, reason=reason))

    def refuse_after_journal(self, code: str) -> None:
        """Answer with a refusal when the settlement before it is in the journal."""
        self.upstream = self.call = None
        if self.mode == IN_BODY:
            self.flags &= ~heads.KEEP
            self.left, self.chunks = 0, None
        self.mode = BUSY
        self.engine.refusals.append((self, code))

    def answer(self, answer: Answer) -> None:
        """Send an answer of the gate, then skip the request's body or end the connection."""
        if self.dead:
            return
        keep = answer.keep and bool(self.flags & heads.KEEP) and not self.engine.draining
        if keep and (self.left or self.chunks is not None):
            expecting = self.flags & heads.EXPECT and not self.buffer
            keep = self.chunks is None and self.left <= SKIP_MAX and not expecting
        if not keep:
            self.flags &= ~heads.KEEP
        body = b"" if self.flags & heads.HEAD else answer.body
        self.write(answer.head(self.engine.request_id(self.call_id), keep) + body)
        self.call = None
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
        self.left = 1024 * 1024
        self.buffer = b""
        unsent = self.transport.get_write_buffer_size()
        self.deadline = self.engine.now + (BLOCKED_S if unsent else LINGER_S)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.resume()
        else:
            self.close()

    def end_if_idle(self) -> None:
        """The gate drains: end connections that carry no call."""
        if self.mode == IN_HEAD and not self.buffer:
            self.close()

    def drained(self) -> None:
        if self.mode == LINGERING:
            self.deadline = self.engine.clock() + LINGER_S
        upstream = self.upstream
        if upstream is not None:
            upstream.resume()
            upstream.deadline = self.engine.clock() + upstream.target.read_timeout_s

    def abandoned(self) -> None:
        """The upstream broke off in the middle of its answer: so do we, that nobody takes it for whole."""
        self.upstream = self.call = None
        self.engine.cuts.append(self)

    def lost(self) -> None:
        call, upstream = self.call, self.upstream
        self.call = self.upstream = None
        if upstream is None or call is None:
            return
        if self.engine.stale:
            self.engine.begin_tick()
        left = Outcome.CLIENT_LEFT_DURING if self.answered else Outcome.CLIENT_LEFT_BEFORE
        upstream.abandon()
        if not call.settled:
            self.engine.finish(call, int(left), 499)

    def expired(self) -> None:
        if self.mode == IN_HEAD and self.buffer:
            self.flags = 0
            self.buffer = b""
            self.call_id = self.engine.next_call_id()
            self.refuse("request_too_slow")
        elif self.mode == IN_BODY and not self.blocked:
            self._bad_body("request_too_slow")
        elif self.mode == IN_HEAD:
            self.close()
        elif self.mode == PARKED:
            self.call = None
            self.refuse("book_unreachable")
        else:
            self.cut()
            self.lost()

    def _partial_head(self, data: bytes, end: int) -> None:
        engine = self.engine
        if end > 0 or len(data) > engine.max_head:
            self.flags = 0
            self.buffer = b""
            self.call_id = engine.next_call_id()
            self.refuse("head_too_large")
            return
        if not self.buffer:
            self.deadline = engine.now + HEAD_S
        self.buffer = data
