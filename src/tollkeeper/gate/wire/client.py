"""The client's side of a call: admitted or refused, passed on, and answered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tollkeeper.core.charges import Outcome
from tollkeeper.core.journal import method_number
from tollkeeper.core.meters import Reading, Request, Unmetered
from tollkeeper.gate import admission, heads
from tollkeeper.gate.call import Call
from tollkeeper.gate.wire.reader import (
    BODY_S,
    BUSY,
    GATHERING,
    IN_BODY,
    IN_HEAD,
    LINGER_S,
    LINGERING,
    PARKED,
    TUNNEL,
    TUNNEL_S,
    Reader,
)

if TYPE_CHECKING:
    from tollkeeper.gate.directory import Key
    from tollkeeper.gate.routes import Route
    from tollkeeper.gate.wire.engine import Engine
    from tollkeeper.gate.wire.upstream import Upstream

SAFE = (b"GET", b"HEAD", b"OPTIONS")
GATHER_MAX = 16 * 1024 * 1024
"""Largest body that a meter may have to read before the call."""
_rewritten = re.compile(
    rb"\r\n(?:accept-encoding|content-length|transfer-encoding):[^\r]*", re.IGNORECASE
).sub


class Client(Reader):
    """One connection of a client."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.upstream: Upstream | None = None
        self.call: Call | None = None
        self.method: bytes = b""
        self.target: bytes = b""
        self.fields: bytes = b""
        self.body: bytes | None = None
        """The whole body, where the meter had to see it; None where it goes on as it comes."""
        self.gathered: list[bytes] = []
        self.pending: tuple[Key, Route] | None = None
        """Whose call it will be when the body is gathered."""

    def on_request(self, method: bytes, target: bytes, credential: bytes | None, fields: bytes) -> None:
        engine = self.engine
        question = target.find(b"?")
        path = target if question < 0 else target[:question]
        if path in engine.own_paths and engine.answer_own(self, method, path, credential):
            return
        key = engine.identify(credential, self.transport)
        if isinstance(key, str):
            found = engine.table.find(method, path)
            if not isinstance(found, str):
                self.protocol = found.protocol
            self.refuse(key, engine.reason)
            return
        route = engine.table.find(method, path)
        if isinstance(route, str):
            allow = engine.table.allowed(path) if route == "method_not_allowed" else ()
            extra = b"\r\nAllow: " + b", ".join(allow) if allow else b""
            self.answer(engine.refusal(self, route, fields=extra))
            return
        self.protocol = route.protocol
        if not key.grant.allowed[route.index]:
            self.refuse("route_not_allowed")
        elif self.left > engine.max_body:
            self.refuse("body_too_large")
        elif self.flags & heads.UPGRADE and self.body_open:
            self.refuse("malformed_request")
        else:
            self.method = method
            self.target = target
            self.fields = fields
            self.body = None
            if route.reads:
                self._open_reading(key, route)
            else:
                self.call = Call(self.call_id, key, route, method_number(method), None)
                self.admit()

    def _open_reading(self, key: Key, route: Route) -> None:
        """A meter must see the answer, and perhaps the request first."""
        if route.reads == "answer":
            self._start_reading(key, route, b"")
        elif self.flags & heads.ENCODED:
            self.refuse("encoding_not_supported")
        elif self.left > GATHER_MAX:
            self.refuse("body_too_large")
        else:
            self.pending = (key, route)
            self.gathered = []
            self.mode = GATHERING
            self.deadline = self.engine.now + BODY_S
            data, self.buffer = self.buffer, b""
            if self.flags & heads.EXPECT and not data and self.body_open:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.on_gathered(data)

    def on_gathered(self, data: bytes) -> None:
        if self.chunks is not None:
            end = self.chunks.decode(data, self.gathered) if data else 0
            self.body_bytes += len(data)
            if end < 0 or self.body_bytes > min(GATHER_MAX, self.engine.max_body):
                self.left, self.chunks = 0, None
                self.flags &= ~heads.KEEP
                self.refuse("bad_chunk" if end < 0 else "body_too_large")
                return
            if end:
                self.chunks = None
                self.buffer = data[end:]
        else:
            part = data[: self.left]
            self.left -= len(part)
            self.gathered.append(part)
            self.buffer = data[len(part) :]
        if self.body_open:
            self.deadline = self.engine.now + BODY_S
            return
        self.deadline = 0.0
        if self.buffer:
            self.pause()
        pending, self.pending = self.pending, None
        if pending is not None:
            self._start_reading(pending[0], pending[1], b"".join(self.gathered))
        self.gathered = []

    def _start_reading(self, key: Key, route: Route, body: bytes) -> None:
        query = self.target.partition(b"?")[2]
        reading: Reading
        try:
            reading, onward = route.open_reading(Request(route.terms, self.engine.models, query, body))
        except Unmetered as refused:
            self.refuse(refused.code, detail=refused.detail)
            return
        if reading.model and key.grant.models and reading.model not in key.grant.models:
            self.refuse("model_not_allowed")
            return
        if route.reads == "both":
            self.body = onward
            self.fields = _rewritten(
                b"", self.fields
            ) + b"\r\nAccept-Encoding: identity\r\nContent-Length: %d" % (len(onward))
        else:
            self.fields = re.sub(rb"(?i)\r\naccept-encoding:[^\r]*", b"", self.fields)
            self.fields += b"\r\nAccept-Encoding: identity"
        self.call = Call(self.call_id, key, route, method_number(self.method), reading)
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
            self.refuse(why)
            return
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
            self.refuse(code)
        else:
            self.admit()

    def forward(self, call: Call) -> None:
        """Send the admitted request to the upstream; its body follows as it comes."""
        engine = self.engine
        flags = self.flags
        group = engine.group(call.route)
        body = self.body
        if body is None:
            body, rest = self.first_body(self.buffer)
            if body is None:
                self.bad_body("")
                return
            self.buffer = rest
            if flags & heads.EXPECT and not body and self.body_open:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        call.bytes_in = len(body)
        target_server = group.choose(engine.now)
        upstream = target_server.take()
        self.upstream = upstream
        request = b"%b %b%b HTTP/1.1%b%b%b%b\r\nX-Request-Id: %b%016x%b%b" % (
            self.method,
            target_server.base,
            self.target,
            self.fields,
            target_server.fields,
            engine.onward_fields,
            call.key.tenant,
            engine.request_prefix,
            call.call_id,
            b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            if flags & heads.UPGRADE
            else b"\r\n\r\n",
            body,
        )
        whole = not self.body_open
        again = whole and (self.method in SAFE or call.route.retry_safe) and not flags & heads.UPGRADE
        upstream.begin(self, call, group, request, again)
        if not whole:
            self.mode = IN_BODY
            self.deadline = engine.now + BODY_S
        if not self.buffer:
            self.resume()

    def on_body(self, data: bytes) -> None:
        upstream, call = self.upstream, self.call
        if upstream is None or call is None:
            return
        body, rest = self.first_body(data)
        if body is None:
            self.bad_body("")
            return
        call.bytes_in += len(body)
        if self.body_open:
            self.deadline = self.engine.now + BODY_S
        else:
            self.mode = BUSY
            self.deadline = 0.0
            if rest:
                self.buffer = rest
                self.pause()
        upstream.write(body)
        if upstream.blocked and self.mode == IN_BODY:
            self.pause()
            self.deadline = 0.0

    def take_more(self) -> None:
        """The upstream has room for more."""
        if self.mode == IN_BODY:
            self.deadline = self.engine.clock() + BODY_S
            self.resume()
        elif self.mode == TUNNEL:
            self.resume()

    def bad_body(self, code: str) -> None:
        """The body breaks the rules although the call was admitted: take the call back."""
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
        return b"%b%b%b%016x%b%b%b" % (
            fields,
            engine.answer_fields,
            engine.request_prefix,
            call.call_id,
            admission.limit_fields(call.key, engine.mono_us),
            self.cors,
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

    def refuse_after_journal(self, code: str) -> None:
        """Answer with a refusal when the settlement before it is in the journal."""
        self.upstream = self.call = None
        if self.mode == IN_BODY:
            self.flags &= ~heads.KEEP
            self.left, self.chunks = 0, None
        self.mode = BUSY
        self.engine.refusals.append((self, code))

    def begin_tunnel(self, head: bytes) -> None:
        """The upstream agreed to speak another protocol."""
        self.mode = TUNNEL
        self.answered = True
        self.flags &= ~heads.KEEP
        self.deadline = self.engine.now + TUNNEL_S
        self.write(head)
        data, self.buffer = self.buffer, b""
        if data:
            self.on_tunnel(data)
        self.resume()

    def on_tunnel(self, data: bytes) -> None:
        upstream, call = self.upstream, self.call
        if upstream is None or call is None:
            return
        call.bytes_in += len(data)
        self.deadline = self.engine.now + TUNNEL_S
        upstream.write(data)
        if upstream.blocked:
            self.pause()

    def abandoned(self) -> None:
        """The upstream broke off in the middle of its answer: so do we, that nobody takes it for whole."""
        self.upstream = self.call = None
        self.engine.cuts.append(self)

    def over(self) -> None:
        self.call = self.pending = None

    def drained(self) -> None:
        if self.mode == LINGERING:
            self.deadline = self.engine.clock() + LINGER_S
        upstream = self.upstream
        if upstream is not None:
            upstream.go_on()

    def lost(self) -> None:
        call, upstream = self.call, self.upstream
        self.call = self.upstream = None
        if upstream is None or call is None:
            return
        if self.engine.stale:
            self.engine.begin_tick()
        upstream.client_left(self.answered, self.mode == IN_BODY)

    def expired(self) -> None:
        mode = self.mode
        if mode == GATHERING or (mode == IN_HEAD and self.buffer):
            self.flags = 0
            self.left, self.chunks, self.buffer = 0, None, b""
            self.call_id = self.engine.next_call_id()
            self.refuse("request_too_slow")
        elif mode == IN_BODY and not self.blocked:
            self.bad_body("request_too_slow")
        elif mode == PARKED:
            self.refuse("book_unreachable")
        elif mode == IN_HEAD:
            self.close()
        else:
            self.cut()
            self.lost()
