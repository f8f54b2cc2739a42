"""Reads answers off an upstream's connection, checks their framing, meters them, passes them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tollkeeper.core.charges import Outcome
from tollkeeper.gate import heads
from tollkeeper.gate.parser import Chunks, parse_response
from tollkeeper.gate.wire.link import Link
from tollkeeper.gate.wire.reader import TUNNEL_S

if TYPE_CHECKING:
    from tollkeeper.core.meters import Reading
    from tollkeeper.gate.call import Call
    from tollkeeper.gate.wire.client import Client
    from tollkeeper.gate.wire.engine import Engine

MAX_HEAD: Final = 64 * 1024
DRAIN_S: Final = 10.0
"""A metered answer is read to its end for so long after its client left."""
DRAIN_MAX: Final = 4 * 1024 * 1024
_OK: Final = int(Outcome.OK)


def outcome_of(status: int, flags: int) -> int:
    """The outcome of a whole answer."""
    if status < 400:
        if status == 304:
            return int(Outcome.NOT_MODIFIED)
        return int(Outcome.CACHED) if flags & heads.CACHED else _OK
    return int(Outcome.CLIENT_ERROR) if status < 500 else int(Outcome.SERVER_ERROR)


def chunk(data: bytes) -> bytes:
    """One chunk with its framing; nothing for no data, as an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


class Response(Link):
    """The half of an upstream's connection that reads; one answer at a time."""

    def __init__(self, engine: Engine, read_timeout_s: float) -> None:
        super().__init__(engine)
        self.read_timeout_s = read_timeout_s
        self.client: Client | None = None
        self.call: Call | None = None
        self.reading: Reading | None = None
        self.sent: bytes | None = None
        """The whole request, while it may be sent again."""
        self.was_head = False
        self.in_head = True
        self.tunnel = False
        self.buffer = b""
        self.flags = 0
        self.status = 0
        self.left = 0
        self.chunks: Chunks | None = None
        self.bare = False
        """The client takes no chunks (HTTP/1.0): its body ends with the connection."""
        self.left_as = -1
        """The outcome, decided when the client left while the answer is still read for its count."""
        self.drained_bytes = 0

    def data_received(self, data: bytes) -> None:
        """The loop: bytes of an answer."""
        engine = self.engine
        if engine.stale:
            engine.begin_tick()
        if self.call is None:  # nothing was asked: such bytes could only be meant for somebody else
            self.close()
        elif self.in_head:
            self.on_head(self.buffer + data if self.buffer else data)
        elif self.tunnel:
            self.on_tunnel(data)
        else:
            self.deadline = engine.now + self.read_timeout_s if self.left_as < 0 else self.deadline
            self.on_body(data, b"")

    def on_head(self, data: bytes) -> None:
        """Bytes of an answer whose head is not whole yet."""
        head = parse_response(data, self.was_head)
        if isinstance(head, int):
            if head == heads.NAMED:
                self.on_head(heads.without_named(data))
                return
            self.buffer = data
            if head or len(data) > MAX_HEAD:
                self.spoiled()
            return
        self.buffer = b""
        flags, status, length, fields, framing, end = head
        rest = data[end + 4 :]
        if status < 200:
            self._interim(status, fields, rest)
            return
        self.sent = None
        self.in_head = False
        self.flags = flags
        self.status = status
        no_body = flags & heads.NO_BODY
        self.left = 0 if no_body or length < 0 else length
        self.chunks = Chunks() if flags & heads.CHUNKED and not no_body else None
        call = self.call
        if call is not None:
            if self.left_as < 0:
                self.deadline = self.engine.now + self.read_timeout_s
            self._begin_body(call, fields, framing, rest)

    def _begin_body(self, call: Call, fields: bytes, framing: bytes, rest: bytes) -> None:
        flags, client = self.flags, self.client
        call.streamed = bool(flags & heads.EVENTS)
        self.reading = call.reading
        reframed = self.bare and bool(flags & heads.CHUNKED)
        if self.reading is not None:
            self.reading.begin(self.status, call.streamed, not flags & heads.ENCODED)
            reframed = reframed or (self.reading.rewrites and not flags & heads.NO_BODY)
        if client is None:
            self.on_body(rest, b"")
            return
        if reframed:
            framing = b"" if self.bare else heads.CHUNKED_FIELD
        if self.bare if reframed else flags & heads.UNTIL_CLOSE:
            client.flags &= ~heads.KEEP
        if self.reading is None and self.left and self.left == len(rest):  # all of it is here, and no more
            call.bytes_out = self.left
            self.left = 0
            self.finish(client.answer_head(fields, framing, call, rest))
        else:
            self.on_body(rest, client.answer_head(fields, framing, call, b""))

    def _interim(self, status: int, fields: bytes, rest: bytes) -> None:
        """An answer that is not the final one: 100 ends here, others go on to the client."""
        client, call = self.client, self.call
        self.sent = None  # it has begun to work on it
        if status == 101:
            if client is None or call is None or not client.flags & heads.UPGRADE:
                self.spoiled()
                return
            self.in_head = False
            self.tunnel = True
            self.status = 101
            self.flags = 0
            self.read_timeout_s = TUNNEL_S
            self.deadline = self.engine.now + TUNNEL_S
            client.begin_tunnel(fields, call)
            if rest:
                self.on_tunnel(rest)
            return
        while True:
            if status != 100 and client is not None and not client.flags & heads.HTTP10:
                client.write(fields + b"\r\n\r\n")
            head = parse_response(rest, self.was_head)
            if isinstance(head, int) or head[1] == 101 or head[1] >= 200:
                break
            status, fields, rest = head[1], head[3], rest[head[5] + 4 :]
        if rest and not self.dead:
            self.on_head(rest)

    def on_body(self, data: bytes, head: bytes) -> None:
        """Bytes of the body; ``head`` goes to the client before them."""
        call = self.call
        if call is None:
            return
        if self.reading is not None or (self.bare and self.chunks is not None):
            self._on_read_body(data, head, call)
            return
        data, done = self._framed(data, None)
        if self.dead:
            return
        call.bytes_out += len(data)
        if head:
            data = head + data
        if done:
            self.finish(data)
        elif data:
            self._pass_on(data)

    def _framed(self, data: bytes, contents: list[bytes] | None) -> tuple[bytes, bool]:
        """What of ``data`` belongs to this answer, and whether that is the end of it.

        What comes after the end is dropped, and the connection never used again.
        """
        chunks = self.chunks
        if chunks is not None:
            if not data:
                return data, False
            end = chunks.feed(data) if contents is None else chunks.decode(data, contents)
            if end < 0:
                self.spoiled()
                return b"", False
            if 0 < end < len(data):
                self.flags &= ~heads.KEEP
                return data[:end], True
            return data, end > 0
        done = False
        if not self.flags & heads.UNTIL_CLOSE:
            if len(data) > self.left:
                data = data[: self.left]
                self.flags &= ~heads.KEEP
            self.left -= len(data)
            done = not self.left
        if contents is not None:
            contents.append(data)
        return data, done

    def _on_read_body(self, data: bytes, head: bytes, call: Call) -> None:
        """As :meth:`on_body`, for a body whose contents are read, or whose framing is changed."""
        pieces: list[bytes] = []
        data, done = self._framed(data, pieces)
        if self.dead:
            return
        shown = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        reading = self.reading
        rewrites = False
        if reading is not None:
            shown = reading.feed(shown) if shown else b""
            rewrites = reading.rewrites
            if done and rewrites:
                shown += reading.end()
        data = self._reframed(data, shown, done, rewrites)
        call.bytes_out += len(data)
        self.drained_bytes += len(data) if self.left_as >= 0 else 0
        if done:
            self.finish(head + data)
        elif self.drained_bytes > DRAIN_MAX:
            self.end_drain()
        elif head or data:
            self._pass_on(head + data)

    def _reframed(self, data: bytes, shown: bytes, done: bool, rewrites: bool) -> bytes:
        if self.bare and (rewrites or self.chunks is not None):
            return shown
        if rewrites and not self.flags & heads.NO_BODY:
            return chunk(shown) + b"0\r\n\r\n" if done else chunk(shown)
        return data

    def _pass_on(self, data: bytes) -> None:
        client = self.client
        if client is not None:
            client.write(data)
            if client.blocked:
                self.pause()
                self.deadline = 0.0

    def on_tunnel(self, data: bytes) -> None:
        """Bytes of a protocol that is not ours."""
        call, client = self.call, self.client
        if call is None or client is None:
            return
        call.bytes_out += len(data)
        self.deadline = client.deadline = self.engine.now + TUNNEL_S
        self._pass_on(data)

    def finish_until_close(self) -> None:
        """The body ended with its connection."""
        reading = self.reading
        data = b""
        if reading is not None and reading.rewrites and self.client is not None:
            data = reading.end() if self.bare else chunk(reading.end()) + b"0\r\n\r\n"
        self.finish(data)

    def finish(self, data: bytes) -> None:
        """The answer is whole; ``data`` is the last of it."""

    def end_drain(self) -> None:
        """Enough was read for a client that left."""

    def spoiled(self) -> None:
        """The answer must not be believed: nothing of this connection is used any more."""
