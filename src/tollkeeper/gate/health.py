"""Looks after upstreams beside the calls: asks each address for its health path now and then.

What calls themselves see (a connection that cannot be made) is the business of the
pool; this is for servers that accept calls and are not well.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tollkeeper.gate.wire.engine import Engine
    from tollkeeper.gate.wire.pool import Group, Target

log = logging.getLogger("tollkeeper.gate.health")
TICK_S = 0.1
LINE_MAX = 8192


class Checker:
    """One per gate. An address is well until it failed as often in a row as its shop file says."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._due: dict[Target, float] = {}
        self._asked: set[Target] = set()

    def follow(self, before: dict[str, Group]) -> None:
        """Look after the engine's present groups; an address that stays keeps what is known of it."""
        known = {(t.name, t.address): t for group in before.values() for t in group.targets}
        self._due = {}
        for group in self.engine.groups.values():
            for target in group.targets:
                old = known.get((target.name, target.address))
                if old is not None and target.health_path:
                    target.sick, target.streak = old.sick, old.streak
                if target.health_path:
                    self._due[target] = 0.0
        self._count()

    def tick(self) -> None:
        """Ask the addresses whose time has come, and come again."""
        now = self.engine.clock()
        for target, due in self._due.items():
            if now >= due and target not in self._asked:
                self._due[target] = now + target.health_interval_s
                self._asked.add(target)
                self.engine.start_task(self._ask(target))
        self.engine.loop.call_later(TICK_S, self.tick)

    async def _ask(self, target: Target) -> None:
        try:
            status = await asyncio.wait_for(_status(target), target.health_timeout_s)
            trouble = "" if 200 <= status < 400 else f"it answers {status}"
        except (OSError, ValueError, TimeoutError) as error:
            trouble = str(error) or type(error).__name__
        finally:
            self._asked.discard(target)
        if target.heard(not trouble):
            log.warning("upstream %s at %s is %s", target.name, target.address, trouble or "well again")
            self._count()

    def _count(self) -> None:
        self.engine.sick_groups = sum(group.sick for group in self.engine.groups.values())


async def _status(target: Target) -> int:
    """The status of the health path. Raises ``OSError`` or ``ValueError``."""
    reader, writer = await asyncio.open_connection(
        target.host,
        target.port,
        ssl=target.tls,
        server_hostname=target.host if target.tls else None,
        limit=LINE_MAX,
    )
    try:
        writer.write(
            b"GET%b%b HTTP/1.1%bhealth\r\nConnection: close\r\n\r\n"
            % (target.start, target.health_path, target.fields)
        )
        line = await reader.readline()
        version, _, rest = line.partition(b" ")
        if not version.startswith(b"HTTP/1."):
            raise ValueError("it does not speak HTTP")
        return int(rest[:3])
    finally:
        writer.close()
