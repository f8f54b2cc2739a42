"""Requests whose meter must see something first: the whole body is gathered, read, and written anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tollkeeper.core.meters import Reading, Request, Unmetered
from tollkeeper.core.records import method_number
from tollkeeper.gate import heads
from tollkeeper.gate.call import Call
from tollkeeper.gate.wire.reader import BODY_S, GATHERING, Reader

if TYPE_CHECKING:
    from tollkeeper.gate.directory import Key
    from tollkeeper.gate.routes import Route
    from tollkeeper.gate.wire.engine import Engine

GATHER_MAX: Final = 16 * 1024 * 1024
"""Largest body that a meter may have to read before the call."""
_PLAIN: Final = b"\r\nAccept-Encoding: identity"
"""No meter reads through a coding."""


class Gatherer(Reader):
    """A client's connection with the request that was read of it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.call: Call | None = None
        self.method: bytes = b""
        self.target: bytes = b""
        self.body: bytes | None = None
        """The whole body, where the meter had to see it; None where it goes on as it comes."""
        self.gathered: list[bytes] = []
        self.pending: tuple[Key, Route] | None = None
        """Whose call it will be when the body is gathered."""

    def open_reading(self, key: Key, route: Route) -> None:
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
            expecting = self.flags & heads.EXPECT and not self.flags & heads.HTTP10
            if expecting and not data and self.body_open:
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
            self.replaceable = b"%b\r\nContent-Length: %d" % (_PLAIN, len(onward))
        elif self.flags & heads.CHUNKED:
            self.replaceable = _PLAIN + heads.CHUNKED_FIELD
        else:
            framing = self.replaceable.rfind(b"\r\nContent-Length: ")
            self.replaceable = _PLAIN + self.replaceable[framing:] if framing >= 0 else _PLAIN
        self.call = Call(self.call_id, key, route, method_number(self.method), reading)
        self.admit()

    def over(self) -> None:
        self.call = self.pending = None

    def admit(self, cleared: bool = False) -> None:
        """The call is read: try to admit it."""
