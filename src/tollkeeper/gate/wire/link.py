"""One TCP connection, of either side: writing, backpressure, deadlines.

Not a subclass of ``asyncio.Protocol``: a transport asks for these methods only, and a class
without foreign bases can be compiled whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tollkeeper.gate.wire.engine import Engine

HIGH_WATER: Final = 256 * 1024
"""Bytes that may wait in one direction before the other side is told to wait."""
BLOCKED_S: Final = 60.0
"""A peer that takes nothing for so long is cut."""


class Link:
    """The common half of clients and upstreams."""

    def __init__(self, engine: Engine) -> None:
        self.engine: Engine = engine
        self.transport: Any = None
        self.dead = False
        self.paused = False
        self.blocked = False
        """The peer does not take what was written: no more should come."""
        self.torn = False
        """The connection ended by an error, not by the peer's proper end."""
        self.deadline = 0.0
        """Monotonic seconds after which :meth:`expired` is called; 0 for never."""

    def connection_made(self, transport: Any) -> None:
        """The loop: connected."""
        self.transport = transport
        if self.dead:
            transport.abort()
            return
        transport.set_write_buffer_limits(HIGH_WATER)
        self.opened()

    def connection_lost(self, error: Exception | None) -> None:
        """The loop: gone."""
        self.torn = error is not None
        if not self.dead:
            self.dead = True
            self.lost()
        self.gone()

    def data_received(self, data: bytes) -> None:
        """The loop: bytes came."""

    def eof_received(self) -> bool:
        """The loop: the peer ended its half; the connection is closed."""
        return False

    def pause_writing(self) -> None:
        """The loop: the buffer is full."""
        self.blocked = True
        self.deadline = self.engine.clock() + BLOCKED_S

    def resume_writing(self) -> None:
        """The loop: there is room again."""
        self.blocked = False
        self.deadline = 0.0
        self.drained()

    def pause(self) -> None:
        """Read no more for now."""
        if not self.paused and self.transport is not None and not self.dead:
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.paused and not self.dead:
            self.paused = False
            self.transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send, unless the connection is gone."""
        if not self.dead:
            self.transport.write(data)

    def close(self) -> None:
        """End the connection after what was written; :meth:`lost` is not called."""
        if not self.dead:
            self.dead = True
            if self.transport is not None:
                self.transport.close()

    def cut(self) -> None:
        """End the connection at once, so that the peer sees it was not the proper end."""
        if not self.dead:
            self.dead = True
            if self.transport is not None:
                self.transport.abort()

    def opened(self) -> None:
        """Connected."""

    def lost(self) -> None:
        """The peer ended the connection, before we did."""

    def gone(self) -> None:
        """The connection is over, whoever ended it."""

    def drained(self) -> None:
        """The peer takes data again."""

    def expired(self) -> None:
        """The deadline has passed."""
