"""Everything around a gate: a home, a book with the gate's tables, keys, grants, and the process."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from tollkeeper.core import journal, keys
from tollkeeper.core.terms import (
    MICRO,
    GateTerms,
    KeyTerms,
    LimitTerms,
    RouteTerms,
    UpstreamTerms,
    encode,
)

SCHEMA = """
CREATE TABLE delivery_keyentry (key_id bigint PRIMARY KEY, digest blob UNIQUE, customer_id bigint,
  tenant varchar, state varchar, reason varchar, terms text, expires_at bigint, version bigint);
CREATE TABLE delivery_stoppedplan (plan varchar PRIMARY KEY, reason varchar, since bigint);
CREATE TABLE catalog_gatesnapshot (version bigint PRIMARY KEY, body text, created_at bigint);
CREATE TABLE usage_grant (id integer PRIMARY KEY AUTOINCREMENT, customer_id bigint, unit varchar,
  amount bigint, remaining bigint CHECK (remaining >= 0), priority int, effective_at bigint,
  expires_at bigint,
  voided_at bigint, scope varchar, source varchar, created_at bigint);
CREATE TABLE usage_balance (id integer PRIMARY KEY, customer_id bigint, unit varchar,
  spendable bigint CHECK (spendable >= 0), held bigint CHECK (held >= 0), debt bigint, version bigint,
  UNIQUE (customer_id, unit));
CREATE TABLE usage_txn (id integer PRIMARY KEY AUTOINCREMENT, key varchar UNIQUE, kind varchar,
  ref varchar, booked_at bigint);
CREATE TABLE usage_entry (id integer PRIMARY KEY AUTOINCREMENT, txn_id bigint, customer_id bigint,
  account varchar, unit varchar, amount bigint);
CREATE TABLE usage_lease (id varchar PRIMARY KEY, gate_id varchar, customer_id bigint, unit varchar,
  amount bigint, settled bigint DEFAULT 0, state varchar, sources text, drawn_at bigint, expires_at bigint);
CREATE TABLE kit_logkey (log varchar, day integer, public blob);
CREATE TABLE accounts_user (id integer PRIMARY KEY, email varchar);
"""
PEPPER = b"p" * 32
ROUTES = (
    RouteTerms("dear", "/dear", methods=("GET", "POST"), cost=5 * MICRO),
    RouteTerms("free", "/free", cost=0),
    RouteTerms("scoped", "/scoped", scope="write"),
    RouteTerms("twice", "/twice", methods=("POST",), retry_safe=True),
    RouteTerms("gone", "/gone", upstream="gone"),
    RouteTerms("weighed", "/weighed", meter="traffic"),
    RouteTerms("any", "/{rest...}", methods=("GET", "POST", "PUT", "DELETE", "PATCH")),
)


def free_port() -> int:
    """A port that nothing uses now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stage:
    """One installation. Keys and grants are written as the other rooms would write them."""

    def __init__(self, home: Path, upstream_port: int) -> None:
        self.home = home
        (home / "secrets").mkdir(parents=True)
        (home / "secrets" / "pepper").write_bytes(PEPPER)
        self.upstream_port = upstream_port
        self.database = home / "book.sqlite3"
        self.gates: list[RunningGate] = []
        self._version = 0
        self._keys = 0
        with closing(sqlite3.connect(self.database)) as book:
            book.executescript("PRAGMA journal_mode=WAL;" + SCHEMA)

    def sql(self, statement: str, *args: object) -> list[tuple[object, ...]]:
        """Run one statement on the book."""
        with closing(sqlite3.connect(self.database, timeout=10)) as book, book:
            return book.execute(statement, args).fetchall()

    def publish(self, **changes: object) -> None:
        """Publish a snapshot of the shop."""
        self._version += 1
        address = f"http://127.0.0.1:{self.upstream_port}"
        terms: dict[str, object] = {
            "shop": "test",
            "routes": ROUTES,
            "upstreams": (
                UpstreamTerms("main", address, credential="TEST_CREDENTIAL"),
                UpstreamTerms("gone", "http://127.0.0.1:1", connect_timeout_s=0.5),
            ),
            "version": self._version,
            "max_body_bytes": 4 * 1024 * 1024,
            **changes,
        }
        if "routes" not in changes:  # those that lead somewhere
            there = {upstream.name for upstream in terms["upstreams"]}  # type: ignore[attr-defined]
            terms["routes"] = tuple(route for route in ROUTES if route.upstream in there)
        body = encode(GateTerms(**terms))  # type: ignore[arg-type]
        self.sql("INSERT INTO catalog_gatesnapshot VALUES (?, ?, 0)", self._version, body)

    def add_key(self, customer_id: int, **terms: object) -> bytes:
        """A key of a customer; the terms allow all and limit nothing unless told."""
        self._keys += 1
        text = keys.mint(self._keys.to_bytes(24)).text.encode()
        entry = KeyTerms(plan="test", **terms)  # type: ignore[arg-type]
        self.sql(
            "INSERT INTO delivery_keyentry SELECT ?, ?, ?, ?, 'active', '', ?, NULL,"
            " coalesce(max(version), 0) + 1 FROM delivery_keyentry",
            self._keys,
            keys.digest(text, PEPPER),
            customer_id,
            f"tenant-{customer_id}",
            encode(entry),
        )
        return text

    def set_state(self, key: bytes, state: str, reason: str = "") -> None:
        """Change the state of a key."""
        self.sql(
            "UPDATE delivery_keyentry SET state = ?, reason = ?,"
            " version = (SELECT max(version) + 1 FROM delivery_keyentry) WHERE digest = ?",
            state,
            reason,
            keys.digest(key, PEPPER),
        )

    def grant(self, customer_id: int, units: int, unit: str = "calls") -> None:
        """Give units."""
        amount = units * MICRO
        self.sql(
            "INSERT INTO usage_grant (customer_id, unit, amount, remaining, priority, effective_at, source,"
            " scope, created_at) VALUES (?, ?, ?, ?, 0, 0, 'test', '', 0)",
            customer_id,
            unit,
            amount,
            amount,
        )
        self.sql(
            "INSERT INTO usage_balance (customer_id, unit, spendable, held, debt, version)"
            " VALUES (?, ?, ?, 0, 0, 0) ON CONFLICT (customer_id, unit)"
            " DO UPDATE SET spendable = spendable + excluded.spendable",
            customer_id,
            unit,
            amount,
        )

    def customer(self, units: int, **terms: object) -> tuple[int, bytes]:
        """A customer with units and a key."""
        customer_id = 1000 + self._keys
        self.grant(customer_id, units)
        return customer_id, self.add_key(customer_id, **terms)

    def run_gate(self, gate_id: str = "gate-1", **environment: str) -> RunningGate:
        """Start a gate and wait until it is ready."""
        gate = RunningGate(self, gate_id, environment)
        self.gates.append(gate)
        gate.wait_ready()
        return gate

    def records(self, gate_id: str = "gate-1") -> list[journal.Record]:
        """All records of a gate's journal."""
        found: list[journal.Record] = []
        for path in sorted((self.home / "journal" / gate_id).glob("*.log")):
            records, _ = journal.read_frames(path.read_bytes())
            found += records
        return found

    def settled(self, customer_id: int) -> list[journal.Settled]:
        """The settlements of a customer, in order."""
        return [r for r in self.records() if isinstance(r, journal.Settled) and r.customer_id == customer_id]

    def stop_all(self) -> None:
        """Stop every gate."""
        for gate in self.gates:
            gate.stop()


class RunningGate:
    """The real process."""

    def __init__(self, stage: Stage, gate_id: str, environment: dict[str, str]) -> None:
        self.stage = stage
        self.port, self.internal_port = free_port(), free_port()
        self.log = stage.home / f"{gate_id}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tollkeeper.gate"],
                env={
                    **os.environ,
                    "TOLLKEEPER_HOME": str(stage.home),
                    "TOLLKEEPER_GATE_PORT": str(self.port),
                    "TOLLKEEPER_METRICS_PORT": str(self.internal_port),
                    "TOLLKEEPER_GATE_ID": gate_id,
                    "TEST_CREDENTIAL": "upstream-secret",
                    "DATABASE_URL": "",
                    **environment,
                },
                stderr=log,
            )

    def wait_ready(self, timeout_s: float = 15.0) -> None:
        """Wait for readiness."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            try:
                if b" 200 " in self.page("/readyz")[:20]:
                    return
            except OSError:
                pass
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def page(self, path: str) -> bytes:
        """A page of the internal port."""
        return talk(self.internal_port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End the process; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=40)

    def rss_mib(self) -> float:
        """Memory of the process that is its own, in MiB."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss_Anon:\s+(\d+)", text, re.MULTILINE)
        assert found is not None
        return int(found[1]) / 1024

    def talk(self, data: bytes | list[bytes], wait_s: float = 0.4, slow: int = 0) -> bytes:
        """See :func:`talk`."""
        return talk(self.port, data, wait_s, slow)


def request(key: bytes, path: str, method: str = "GET", fields: bytes = b"", body: bytes = b"") -> bytes:
    """The bytes of a request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ".encode() + key + b"\r\n"
    return head + fields + b"\r\n" + body


def talk(port: int, data: bytes | list[bytes], wait_s: float = 0.4, slow: int = 0) -> bytes:
    """Send, and read until silence of ``wait_s`` or the end, which shows as ``<EOF>`` or ``<RST>``."""
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.settimeout(wait_s)
        out = b""
        try:
            if isinstance(data, list):
                for piece in data:
                    connection.sendall(piece)
                    time.sleep(0.06)
            elif slow:
                for at in range(0, len(data), slow):
                    connection.sendall(data[at : at + slow])
                    time.sleep(0.001)
            else:
                connection.sendall(data)
            while True:
                received = connection.recv(65536)
                if not received:
                    return out + b"<EOF>"
                out += received
        except TimeoutError:
            return out
        except OSError:
            return out + b"<RST>"


def statuses(answer: bytes) -> list[int]:
    """The statuses of all answers in a stream."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answer)]


def problem(answer: bytes) -> str:
    """The code of a refusal."""
    found = re.search(rb'"code":"([a-z_]+)"', answer)
    return found[1].decode() if found else ""


__all__ = ["LimitTerms", "RunningGate", "Stage", "problem", "request", "statuses", "talk"]
