"""Plain TCP connections, all of one turn together.

asyncio calls back once for every connection that has something to read. Here connections
stand in an epoll set of their own, of which the event loop watches a single descriptor: a turn
reads them all by one call into a compiled leaf, hands each its bytes, and ends the tick. To
those who use it a :class:`Socket` is an asyncio transport.

For TLS, and where the leaf is not compiled, asyncio's own transports do the same, slower.
"""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tollkeeper.gate.wire.engine import Engine
    from tollkeeper.gate.wire.link import Link

BACKLOG: Final = 4096
ACCEPT_AT_ONCE: Final = 64
REST_S: Final = 1.0
"""With no descriptor left, nobody is let in for so long."""
_SCARCE: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_READ: Final = 1
_WRITE: Final = 4
"""``EPOLLIN`` and ``EPOLLOUT``, which are the same on every Linux."""


def find_leaf() -> Any:
    """The compiled leaf, or None where it was not compiled."""
    try:
        return importlib.import_module("tollkeeper.gate._sockets")
    except ImportError:
        return None


class Sockets:
    """All plain connections of a gate."""

    def __init__(self, loop: asyncio.AbstractEventLoop, engine: Engine, leaf: Any) -> None:
        self.loop = loop
        self.engine = engine
        self.receive = leaf.receive
        self.send = leaf.send
        self.epoll: Any = select.epoll()
        self.number: int = self.epoll.fileno()
        self.open: dict[int, Socket] = {}
        loop.add_reader(self.number, self.turn)

    def turn(self) -> None:
        """Hand out what came on all connections, then end the tick."""
        engine = self.engine
        engine.turning = True
        found: list[Any] = self.receive(self.number)
        for at in range(0, len(found), 2):
            one = self.open.get(found[at])  # what came before may have ended it
            if one is not None:
                one.happened(found[at + 1])
        engine.turning = False
        if not engine.stale:
            engine.end_tick()

    def attach(self, plain: socket.socket, link: Link, peer: Any) -> None:
        """Hand an open connection to a link."""
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one = Socket(self, plain, link, peer)
        self.open[one.number] = one
        self.epoll.register(one.number, _READ)
        link.connection_made(one)

    async def connect(self, host: str, port: int, link: Link) -> None:
        """Connect a link to the first address that takes it. Raises ``OSError``."""
        found = await self.loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        trouble = OSError(errno.EADDRNOTAVAIL, "the name has no address")
        for family, kind, protocol, _, address in found:
            plain = socket.socket(family, kind, protocol)
            try:
                plain.setblocking(False)
                await self.loop.sock_connect(plain, address)
            except OSError as error:
                plain.close()
                trouble = error
            except BaseException:
                plain.close()
                raise
            else:
                self.attach(plain, link, address)
                return
        raise trouble

    async def listen(self, host: str, port: int, make: Callable[[], Link]) -> Listener:
        """Take connections on every address of a name. Raises ``OSError``."""
        found = await self.loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        listener = Listener(self, make)
        try:
            for family, _, _, _, address in found:
                listener.add(socket.create_server(address[:2], family=family, backlog=BACKLOG))
        except OSError:
            listener.close()
            raise
        return listener


class Listener:
    """The ports on which clients arrive."""

    def __init__(self, sockets: Sockets, make: Callable[[], Link]) -> None:
        self.sockets = sockets
        self.make = make
        self.ports: list[socket.socket] = []

    def add(self, port: socket.socket) -> None:
        """Take connections from a port."""
        port.setblocking(False)
        self.ports.append(port)
        self._watch(port)

    def close(self) -> None:
        """Take no more."""
        ports, self.ports = self.ports, []
        for port in ports:
            self.sockets.loop.remove_reader(port)
            port.close()

    def _watch(self, port: socket.socket) -> None:
        if port in self.ports:
            self.sockets.loop.add_reader(port, self._accept, port)

    def _accept(self, port: socket.socket) -> None:
        loop = self.sockets.loop
        for _ in range(ACCEPT_AT_ONCE):
            try:
                plain, peer = port.accept()
            except OSError as error:
                if error.errno in _SCARCE:
                    loop.call_exception_handler({"message": "no connection can be taken", "exception": error})
                    loop.remove_reader(port)
                    loop.call_later(REST_S, self._watch, port)
                return
            self.sockets.attach(plain, self.make(), peer)


class Socket:
    """One connection: of an ``asyncio.Transport`` what links use."""

    def __init__(self, sockets: Sockets, plain: socket.socket, link: Link, peer: Any) -> None:
        self.sockets = sockets
        self.plain = plain
        self.number: int = plain.fileno()
        self.link = link
        self.peer = peer
        self.high = 64 * 1024
        self.unsent: deque[bytes] = deque()
        self.sent = 0
        """Bytes of the first of :attr:`unsent` that went out."""
        self.unsent_bytes = 0
        self.kept: list[Any] = []
        """What came while nobody read."""
        self.reading = True
        self.full = False
        self.half = False
        """Our half ends once everything went out."""
        self.closing = False
        """The connection ends once everything went out."""
        self.over = False
        self.watched = _READ

    def happened(self, what: Any) -> None:
        """There is room to write (True), or something came: bytes, none at the peer's end, minus errno."""
        try:
            if what is True:
                self._flush()
            elif self.closing:
                if not what or isinstance(what, int):
                    self._end(None)
            elif self.reading and not self.kept:
                self._hand_over(what)
            else:
                self.kept.append(what)
                self._watch()
        except Exception as error:  # noqa: BLE001 - a mistake costs its own connection, not those after it
            context = {"message": "a connection failed", "exception": error}
            self.sockets.loop.call_exception_handler(context)
            self._end(None)

    def _hand_over(self, what: Any) -> None:
        if isinstance(what, int):
            self._fail(what)
        elif what:
            self.link.data_received(what)
        elif not self.link.eof_received():
            self.close()

    def write(self, data: bytes) -> None:
        """Send now what there is room for, and the rest as there is."""
        if self.over or self.closing or self.half:
            return
        sent = 0
        if not self.unsent:
            sent = self.sockets.send(self.number, data, 0)
            if sent == len(data):
                return
            if sent < 0:
                self._fail(sent)
                return
            self.sent = sent
        self.unsent.append(data)
        self.unsent_bytes += len(data) - sent
        self._watch()
        if self.unsent_bytes > self.high and not self.full:
            self.full = True
            self.link.pause_writing()

    def _flush(self) -> None:
        while self.unsent:
            data = self.unsent[0]
            sent: int = self.sockets.send(self.number, data, self.sent)
            if sent < 0:
                self._fail(sent)
                return
            self.unsent_bytes -= sent
            self.sent += sent
            if self.sent < len(data):
                break
            self.unsent.popleft()
            self.sent = 0
        if self.full and self.unsent_bytes <= self.high // 4:
            self.full = False
            self.link.resume_writing()
        if not self.unsent:
            if self.closing:
                self._end(None)
            elif self.half:
                self._shut()
        self._watch()

    def _watch(self) -> None:
        """Look out for what matters now, and for nothing that would only be told again and again."""
        if self.over:
            return
        wanted = (_READ if self.reading and not self.kept else 0) | (_WRITE if self.unsent else 0)
        if wanted == self.watched:
            return
        epoll = self.sockets.epoll
        if not self.watched:
            epoll.register(self.number, wanted)
        elif wanted:
            epoll.modify(self.number, wanted)
        else:
            epoll.unregister(self.number)
        self.watched = wanted

    def pause_reading(self) -> None:
        """Read no more for now."""
        if self.reading:
            self.reading = False
            self._watch()

    def resume_reading(self) -> None:
        """Read on."""
        if self.reading or self.closing:
            return
        self.reading = True
        if self.kept:
            self.sockets.loop.call_soon(self._catch_up)
        self._watch()

    def _catch_up(self) -> None:
        kept, self.kept = self.kept, []
        for what in kept:
            if not self.over:
                self.happened(what)
        self._watch()

    def write_eof(self) -> None:
        """End our half once everything went out."""
        if not (self.over or self.closing or self.half):
            self.half = True
            if not self.unsent:
                self._shut()

    def can_write_eof(self) -> bool:
        """TCP can."""
        return True

    def _shut(self) -> None:
        try:
            self.plain.shutdown(socket.SHUT_WR)
        except OSError:  # the peer is gone, which reading will tell
            return

    def close(self) -> None:
        """Read no more, and end once everything went out."""
        if self.over or self.closing:
            return
        if not self.unsent:
            self._end(None)
            return
        self.closing = True
        self.reading = False
        self._watch()

    def abort(self) -> None:
        """End now."""
        self._end(None)

    def _fail(self, number: int) -> None:
        self._end(OSError(-number, os.strerror(-number)))

    def _end(self, error: OSError | None) -> None:
        """Over. The descriptor is let go when this turn is, as what is left of the turn may name it."""
        if self.over:
            return
        self.over = True
        if self.watched:
            self.sockets.epoll.unregister(self.number)
        del self.sockets.open[self.number]
        self.unsent.clear()
        self.unsent_bytes = 0
        self.kept.clear()
        self.sockets.loop.call_soon(self._tell, error)

    def _tell(self, error: OSError | None) -> None:
        self.plain.close()
        self.link.connection_lost(error)

    def get_extra_info(self, name: str) -> Any:
        """``peername``; nothing else is known."""
        return self.peer if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        """The number of unsent bytes above which the link is told to wait."""
        self.high = high

    def get_write_buffer_size(self) -> int:
        """Unsent bytes."""
        return self.unsent_bytes
