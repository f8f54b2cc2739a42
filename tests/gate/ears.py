"""Stand-ins for what a plain connection serves: a link that notes what it is told, and the engine's ticks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tollkeeper.gate.wire.sockets import Socket


class Ticks:
    """As much of an engine as a turn needs."""

    def __init__(self) -> None:
        self.stale = True
        self.turning = False
        self.ended = 0

    def end_tick(self) -> None:
        self.stale = True
        self.ended += 1


class Ear:
    """A link that notes what it is told."""

    def __init__(self, ticks: Ticks, heard: Callable[[bytes], None] | None = None) -> None:
        self.ticks = ticks
        self.heard = heard
        self.transport: Any = None
        self.data: list[bytes] = []
        self.told: list[str] = []
        self.error: BaseException | None = None

    def connection_made(self, transport: Socket) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.ticks.turning
        self.ticks.stale = False
        self.data.append(data)
        if self.heard is not None:
            self.heard(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        return False

    def connection_lost(self, error: BaseException | None) -> None:
        self.told.append("lost")
        self.error = error

    def pause_writing(self) -> None:
        self.told.append("wait")

    def resume_writing(self) -> None:
        self.told.append("go on")
