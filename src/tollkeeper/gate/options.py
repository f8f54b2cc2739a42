"""What the gate takes from its environment; nothing else is configured from outside."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path

from tollkeeper.core import lockdown

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BadOptions(Exception):
    """A setting cannot be used; one sentence says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """Ports, places and bounds of one gate. Times are seconds."""

    home: Path
    database_url: str
    redis_url: str
    """Valkey or Redis for limits that several gates share; empty: this gate is alone."""
    gate_id: str
    host: str
    port: int
    internal_port: int
    pepper: bytes
    certificate: str
    private_key: str
    sync_ms: int
    """Journal: milliseconds between forced writes to disk; 0 makes every answer wait for one."""
    segment_bytes: int
    drain_s: float
    max_connections: int
    trusted: tuple[Network, ...] = ()
    """Where fronts stand that are believed when they say where a client comes from."""

    @property
    def book(self) -> Path:
        """The SQLite book, where no ``DATABASE_URL`` is given."""
        return self.home / "book.sqlite3"

    @property
    def journal(self) -> Path:
        """The folder of this gate's journal."""
        return self.home / "journal" / self.gate_id


def _number(name: str, default: int, low: int, high: int) -> int:
    text = os.environ.get(name, "") or str(default)
    if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
        raise BadOptions(f"{name} must be a whole number from {low} to {high}, not {text!r}")
    return int(text)


def _networks(name: str) -> tuple[Network, ...]:
    words = os.environ.get(name, "").replace(",", " ").split()
    try:
        return tuple([ipaddress.ip_network(word) for word in words])
    except ValueError as error:
        raise BadOptions(
            f"{name} must be networks such as 10.0.0.0/8, with commas between: {error}"
        ) from None


def read() -> Options:
    """Read the environment; raises :class:`BadOptions`."""
    home = Path(os.environ.get("TOLLKEEPER_HOME", "var")).resolve()
    if (home / lockdown.FILE).exists():
        raise BadOptions(lockdown.SENTENCE)
    base = _number("TOLLKEEPER_PORT", 8000, 1, 65_500)
    gate_id = os.environ.get("TOLLKEEPER_GATE_ID", "gate-1")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", gate_id):
        raise BadOptions(f"TOLLKEEPER_GATE_ID must be 1 to 40 of a-z, 0-9, - and _, not {gate_id!r}")
    try:
        pepper = (home / "secrets" / "pepper").read_bytes()
    except OSError as error:
        raise BadOptions(
            f"the secret 'pepper' cannot be read in {home / 'secrets'} ({error.strerror});"
            " run `tollkeeper migrate`"
        ) from None
    if not 16 <= len(pepper) <= 64:
        raise BadOptions(f"the secret 'pepper' in {home / 'secrets'} must have 16 to 64 bytes")
    certificate = os.environ.get("TOLLKEEPER_GATE_TLS_CERT", "")
    private_key = os.environ.get("TOLLKEEPER_GATE_TLS_KEY", "")
    if bool(certificate) != bool(private_key):
        raise BadOptions("TLS needs both TOLLKEEPER_GATE_TLS_CERT and TOLLKEEPER_GATE_TLS_KEY")
    return Options(
        home=home,
        database_url=os.environ.get("DATABASE_URL", ""),
        redis_url=os.environ.get("REDIS_URL", ""),
        gate_id=gate_id,
        host=os.environ.get("TOLLKEEPER_GATE_HOST", "127.0.0.1"),
        port=_number("TOLLKEEPER_GATE_PORT", base + 1, 1, 65_535),
        internal_port=_number("TOLLKEEPER_METRICS_PORT", base + 9, 1, 65_535),
        pepper=pepper,
        certificate=certificate,
        private_key=private_key,
        sync_ms=_number("TOLLKEEPER_JOURNAL_SYNC_MS", 20, 0, 60_000),
        segment_bytes=_number("TOLLKEEPER_JOURNAL_SEGMENT_MIB", 64, 1, 4096) * 1024 * 1024,
        drain_s=float(_number("TOLLKEEPER_GATE_DRAIN_S", 25, 0, 3600)),
        max_connections=_number("TOLLKEEPER_GATE_CONNECTIONS", 10_000, 16, 1_000_000),
        trusted=_networks("TOLLKEEPER_GATE_TRUSTED"),
    )
