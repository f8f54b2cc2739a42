"""Connections to upstreams: kept alive, last used first, chosen by weight and health."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tollkeeper.core.terms import UpstreamTerms
from tollkeeper.gate.wire.upstream import Upstream

if TYPE_CHECKING:
    from tollkeeper.gate.wire.engine import Engine

IDLE_S: Final = 4.0
"""Idle connections are closed after this long: before common servers close theirs (5 s)."""
DOWN_S: Final = 1.0
"""An upstream that failed to connect is passed over for this long, then twice as long each time."""
DOWN_MAX_S: Final = 30.0


class BadUpstream(Exception):
    """An upstream cannot be used as it is configured; the text says why."""


class Target:
    """One address of an upstream."""

    def __init__(self, engine: Engine, terms: UpstreamTerms, environment: Mapping[str, str]) -> None:
        """Raises :class:`BadUpstream`."""
        parts = urlsplit(terms.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise BadUpstream(f"upstream {terms.name!r}: {terms.url!r} is no http(s) address of a server")
        if parts.username or parts.password:
            raise BadUpstream(f"upstream {terms.name!r}: the address must not hold a credential")
        self.engine = engine
        self.name = terms.name
        self.host: str = parts.hostname
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None
        self.port: int = parts.port or (443 if self.tls else 80)
        self.start: bytes = b" " + parts.path.rstrip("/").encode()
        """What stands between the method and the target."""
        self.weight = max(0, terms.weight)
        self.connect_timeout_s = terms.connect_timeout_s
        self.read_timeout_s = terms.read_timeout_s
        self.idle: list[Upstream] = []
        self.open = 0
        self.down_until = 0.0
        self.failures = 0
        self.share = 0
        self.address: str = parts.netloc
        self.health_path: bytes = terms.health_path.encode()
        self.health_interval_s = terms.health_interval_s
        self.health_timeout_s = terms.health_timeout_s
        self.health_bounds = (terms.health_fails, terms.health_passes)
        self.sick = False
        self.streak = 0
        """Answers in a row that speak against what :attr:`sick` says."""
        host = parts.netloc.encode()
        self.fields: bytes = b"\r\nHost: " + host
        self.lacks = ""
        """Name of the environment variable of the credential, if it is not set."""
        if terms.credential:
            secret = environment.get(terms.credential, "")
            if not secret:
                self.lacks = terms.credential
            elif not secret.isprintable() or not secret.isascii():
                raise BadUpstream(f"upstream {terms.name!r}: {terms.credential} holds unprintable characters")
            else:
                self.fields += f"\r\n{terms.header}: {terms.prefix}{secret}".encode()
        self.fields += b"\r\nVia: 1.1 tollkeeper\r\nTollkeeper-Tenant: "

    def take(self) -> Upstream:
        """A connection for one call: an idle one, or one that is being made."""
        idle = self.idle
        while idle:
            upstream = idle.pop()
            if not upstream.dead:
                return upstream
        return self.connect()

    def connect(self) -> Upstream:
        """A new connection; what is written to it waits until it stands."""
        upstream = Upstream(self.engine, self)
        upstream.deadline = self.engine.now + self.connect_timeout_s
        self.engine.upstreams[upstream] = None
        self.open += 1
        self.engine.start_task(self._dial(upstream))
        return upstream

    async def _dial(self, upstream: Upstream) -> None:
        loop = asyncio.get_running_loop()
        sockets = self.engine.sockets
        try:
            if sockets is not None and self.tls is None:
                await sockets.connect(self.host, self.port, upstream)
                return
            server_name = self.host if self.tls else None
            await loop.create_connection(  # type: ignore[type-var]  # duck-typed, see Link
                lambda: upstream,
                self.host,
                self.port,
                ssl=self.tls,
                server_hostname=server_name,
            )
        except (TimeoutError, OSError):
            upstream.gone()
            upstream.unreachable()

    def failed(self, now: float) -> None:
        """A connection could not be made."""
        self.failures += 1
        self.down_until = now + min(DOWN_MAX_S, DOWN_S * 2 ** min(self.failures - 1, 6))

    def reached(self) -> None:
        """A connection was made: it is well."""
        self.failures = 0
        self.down_until = 0.0

    def heard(self, well: bool) -> bool:
        """Take in what a look at its health found; True if it is now taken for the other."""
        if well is not self.sick:
            self.streak = 0
            return False
        self.streak += 1
        if self.streak < self.health_bounds[self.sick]:
            return False
        self.sick, self.streak = not self.sick, 0
        if well:
            self.reached()
        return True

    def sweep(self, now: float) -> None:
        """Close connections that have been idle for long."""
        keep: list[Upstream] = []
        for upstream in self.idle:
            if upstream.dead:
                continue
            if now - upstream.idle_since > IDLE_S:
                upstream.close()
            else:
                keep.append(upstream)
        self.idle = keep

    def close(self) -> None:
        """Close what is idle."""
        for upstream in self.idle:
            upstream.close()
        self.idle = []


class Group:
    """All addresses of one upstream name."""

    def __init__(self, targets: list[Target]) -> None:
        self.targets = targets

    @property
    def sick(self) -> bool:
        """True if no address is well by its health path."""
        return all(target.sick for target in self.targets)

    @property
    def well_in_s(self) -> int:
        """Seconds until the first of them can be well again at the soonest."""
        return max(1, int(min([t.health_interval_s * t.health_bounds[1] for t in self.targets])))

    def choose(self, now: float, failed: Target | None = None) -> Target:
        """Smooth weighted round robin over healthy targets; all of them if none is healthy.

        Those without weight stand in when no other is healthy.
        """
        targets = self.targets
        if len(targets) == 1:
            return targets[0]
        well = [t for t in targets if t.down_until <= now and not t.sick and t is not failed]
        able = [t for t in well if t.weight] or well
        if not able:
            able = [t for t in targets if t is not failed] or targets
        total = 0
        best = able[0]
        for target in able:
            target.share += max(1, target.weight)
            total += max(1, target.weight)
            if target.share > best.share:
                best = target
        best.share -= total
        return best
