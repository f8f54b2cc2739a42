"""The client's side of a call: admitted or refused, passed on, and answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from tollkeeper.core.charges import Outcome
from tollkeeper.core.records import method_number, pack_caller
from tollkeeper.gate import admission, heads
from tollkeeper.gate.answers import REFUSALS
from tollkeeper.gate.call import Call
from tollkeeper.gate.callers import sealed_address
from tollkeeper.gate.routes import OWN
from tollkeeper.gate.wire.gatherer import Gatherer
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
)

if TYPE_CHECKING:
    from tollkeeper.core.addresses import Agreement
    from tollkeeper.gate.wire.engine import Engine
    from tollkeeper.gate.wire.upstream import Upstream

SAFE: Final = (b"GET", b"HEAD", b"OPTIONS")
_UPGRADE: Final = b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
_EXPECTING: Final = heads.EXPECT | heads.HTTP10
"""What HTTP/1.0 expects is passed over (RFC 9110, 10.1.1)."""


class Client(Gatherer):
    """One connection of a client."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.upstream: Upstream | None = None
        self.request_id: bytes = b""
        self.last: bytes = b""
        """The end of an answer, kept until the settlement is in the journal."""
        self.sealed_under: Agreement | None = None
        self.peer: bytes = b""
        """The sealed address of the other end, made once for the connection and agreement."""

    def on_request(self, method: bytes, target: bytes, credential: bytes | None) -> None:
        engine = self.engine
        question = target.find(b"?")
        path = target if question < 0 else target[:question]
        if path in engine.own_paths and engine.answer_own(self, method, path, credential):
            return
        key = engine.identify(credential, self)
        if isinstance(key, str):
            found = engine.table.find(method, path)
            if not isinstance(found, str):
                self.protocol = found.protocol
            self.refuse(key, engine.reason)
            return
        route = engine.table.find(method, path)
        if isinstance(route, str):
            self.not_routed(route, method, path, credential)
            return
        self.protocol = route.protocol
        if not key.grant.allowed[route.index]:
            self.refuse("route_not_allowed")
        elif engine.sick_groups and engine.group(route).sick:
            wait = engine.group(route).well_in_s
            self.answer(engine.refusal(self, "upstream_down", retry_after_s=wait))
        elif self.left > engine.max_body:
            self.refuse("body_too_large")
        elif self.flags & heads.UPGRADE and self.body_open:
            self.refuse("malformed_request")
        else:
            self.method = method
            self.target = target
            self.body = None
            if route.reads:
                self.flags &= ~heads.UPGRADE  # no meter reads what is not HTTP: the upstream is not asked
                self.open_reading(key, route)
            else:
                self.call = Call(self.call_id, key, route, method_number(method), None)
                self.admit()

    def not_routed(self, why: str, method: bytes, path: bytes, credential: bytes | None) -> None:
        """The path is the gate's own, or no route takes it, or none with this method."""
        engine = self.engine
        if why == OWN:
            engine.answer_own(self, method, unquote_to_bytes(path).rstrip(b"/"), credential)
            return
        allow = engine.table.allowed(path) if why == "method_not_allowed" else ()
        extra = b"\r\nAllow: " + b", ".join(allow) if allow else b""
        self.answer(engine.refusal(self, why, fields=extra))

    def admit(self, cleared: bool = False) -> None:
        """Try to admit the call that was read; parks it if units must be drawn first.

        ``cleared``: the limits that several gates share have let it pass.
        """
        engine, call = self.engine, self.call
        if call is None or self.dead:
            return
        if engine.shared is not None and engine.shared.holds_back(self, call, cleared):
            return
        key = call.key
        verdict, holds = admission.judge(key, call.costs, call.held, engine.mono_us, engine.wall_us)
        if verdict == admission.ADMITTED:
            self.mode = BUSY
            engine.journal.buffer.append(call.admitted(holds, engine.mono_us, engine.wall_us))
            if engine.agreement is not None:
                self.note_caller(engine.agreement, call.call_id)
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

    def note_caller(self, agreement: Agreement, call_id: int) -> None:
        """Write where an admitted call came from, sealed."""
        if agreement is not self.sealed_under:
            self.sealed_under = agreement
            self.peer = sealed_address(agreement, self.address())
        if self.peer:
            self.engine.journal.buffer.append(pack_caller(call_id, self.peer))

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

    def cleared(self, call_id: int) -> None:
        """The shared limits let the call pass that waited for them."""
        if self.waits_for(call_id):
            self.deadline = 0.0
            self.admit(cleared=True)

    def forward(self, call: Call) -> None:
        """Send the admitted request to the upstream; its body follows as it comes."""
        engine = self.engine
        flags = self.flags
        group = engine.group(call.route)
        body, whole = self.body, True
        if body is not None:
            pass
        elif self.chunks is None and self.left == len(self.buffer):  # all of it is here, and no more
            body = self.buffer
            self.left, self.buffer = 0, b""
        else:
            body, rest = self.first_body(self.buffer)
            if body is None:
                self.bad_body("")
                return
            self.buffer = rest
            whole = not self.body_open
            if flags & _EXPECTING == heads.EXPECT and not body and not whole:
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        call.bytes_in = len(body)
        target_server = group.choose(engine.now)
        upstream = target_server.take()
        self.upstream = upstream
        self.request_id = engine.request_id(call.call_id)
        request = b"".join(
            (
                self.method,
                target_server.start,
                self.target,
                b" HTTP/1.1",
                self.fields,
                self.replaceable,
                target_server.fields,
                call.key.tenant,
                b"\r\nX-Request-Id: ",
                self.request_id,
                _UPGRADE if flags & heads.UPGRADE else b"\r\n\r\n",
                body,
            )
        )
        again = whole and (self.method in SAFE or call.route.retry_safe) and not flags & heads.UPGRADE
        upstream.begin(self, call, group, request, again)
        if not whole:
            self.mode = IN_BODY
            self.deadline = engine.now + BODY_S
        if self.paused and not self.buffer:
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
            self.engine.finish(call, int(Outcome.BAD_REQUEST), REFUSALS[code].status)
        self.flags &= ~heads.KEEP
        self.left, self.chunks, self.mode = 0, None, BUSY
        if self.answered:
            self.cut()
        else:
            self.refuse_after_journal(code)

    def answer_head(self, fields: bytes, framing: bytes, call: Call, body: bytes) -> bytes:
        """The head of the upstream's answer, as the client gets it, and ``body`` after it."""
        engine = self.engine
        self.answered = True
        if self.mode == IN_BODY or engine.draining:
            self.flags &= ~heads.KEEP
        return b"".join(
            (
                fields,
                framing,
                engine.answer_fields,
                self.request_id,
                admission.limit_fields(call.key, engine.mono_us),
                self.cors,
                b"\r\n\r\n" if self.flags & heads.KEEP else b"\r\nConnection: close\r\n\r\n",
                body,
            )
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
        self.last = data
        self.engine.finals.append(self)
        return body_open

    def finished(self) -> None:
        """The settlement is in the journal: let the end of the answer out."""
        data, self.last = self.last, b""
        if self.dead:
            return
        if data:
            self.transport.write(data)
        self.next_request()

    def refuse_after_journal(self, code: str) -> None:
        """Answer with a refusal when the settlement before it is in the journal."""
        self.upstream = self.call = None
        if self.mode == IN_BODY:
            self.flags &= ~heads.KEEP
            self.left, self.chunks = 0, None
        self.mode = BUSY
        self.engine.refusals.append((self, code))

    def begin_tunnel(self, fields: bytes, call: Call) -> None:
        """The upstream agreed to speak another protocol; ``fields`` is the head of its answer."""
        engine = self.engine
        self.mode = TUNNEL
        self.answered = True
        self.flags &= ~heads.KEEP
        self.deadline = engine.now + TUNNEL_S
        limits = admission.limit_fields(call.key, engine.mono_us)
        self.write(b"".join((fields, engine.answer_fields, self.request_id, limits, self.cors, _UPGRADE)))
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

    def end_tunnel(self, key_ids: set[int] | None) -> None:
        call = self.call
        if self.mode == TUNNEL and call is not None and (key_ids is None or call.key.key_id in key_ids):
            self.cut()
            self.lost()

    def abandoned(self) -> None:
        """The upstream broke off in the middle of its answer: so do we, that nobody takes it for whole."""
        self.upstream = self.call = None
        self.engine.cuts.append(self)

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
