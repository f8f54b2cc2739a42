"""Real gates around a scratch book: started, loaded, killed, and their journals taken in."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.core.rehearsal import Scene
from tollkeeper.core.terms import MICRO, GateTerms, KeyTerms, UpstreamTerms, encode
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import metering
from tollkeeper.usage import services as usage

LATER = dt.timedelta(hours=1)
"""Leases of dead gates are looked at from so much later, instead of waiting for it."""


def free_port() -> int:
    """A port that nothing uses now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gate:
    """One gate process."""

    def __init__(self, home: Path, gate_id: str) -> None:
        self.gate_id = gate_id
        self.port, self.internal_port = free_port(), free_port()
        self.log = home / f"{gate_id}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tollkeeper.gate"],
                env={
                    **os.environ,
                    "TOLLKEEPER_HOME": str(home),
                    "TOLLKEEPER_GATE_ID": gate_id,
                    "TOLLKEEPER_GATE_PORT": str(self.port),
                    "TOLLKEEPER_METRICS_PORT": str(self.internal_port),
                    "TOLLKEEPER_GATE_DRAIN_S": "5",
                },
                stdout=log,
                stderr=log,
            )

    def wait_ready(self) -> None:
        """Wait until calls may be sent. Raises ``RuntimeError``."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                with closing(socket.create_connection(("127.0.0.1", self.internal_port), 0.5)) as probe:
                    probe.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
                    if b" 200 " in probe.recv(64):
                        return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"the gate did not become ready: {self.log.read_text()[-300:]}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End it properly."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=30)

    def rss_mib(self) -> float:
        """Memory that is its own."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss_Anon:\s+(\d+)", text, re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0


@dataclass(frozen=True, slots=True)
class Buyer:
    """A customer with one key."""

    customer_id: int
    key_id: int
    key: bytes


class Yard:
    """A book, customers, gates, and the worker's intake in a thread of its own."""

    def __init__(self, scene: Scene) -> None:
        self.home = scene.home
        self.gates: list[Gate] = []
        self._buyers = 0
        self._version = 0
        self.intake = metering.Intake(self.home / "journal")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._take_in, daemon=True)
        call_command("migrate", "keystore", database="keystore", interactive=False, verbosity=0)
        call_command("migrate", interactive=False, verbosity=0)

    def publish(self, upstream_port: int, terms: GateTerms) -> None:
        """Let gates follow these routes."""
        self._version += 1
        address = f"http://127.0.0.1:{upstream_port}"
        changed = GateTerms(
            shop="drill",
            routes=terms.routes,
            upstreams=(UpstreamTerms("main", address, read_timeout_s=terms.upstreams[0].read_timeout_s),)
            if terms.upstreams
            else (UpstreamTerms("main", address),),
            version=self._version,
            models=terms.models,
            max_body_bytes=terms.max_body_bytes,
        )
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO catalog_gatesnapshot (version, content_hash, body, created_at)"
                " VALUES (%s, '', %s, 0)",
                [self._version, encode(changed)],
            )

    def buyer(self, units: int) -> Buyer:
        """A new customer with units and a key."""
        self._buyers += 1
        person = accounts.create_person(f"caller-{self._buyers}@drill.invalid", None)
        customer_id = accounts.ensure_customer(person)
        usage.issue_grant(
            key=f"drill:{self._buyers}",
            customer_id=customer_id,
            unit="calls",
            amount=units * MICRO,
            source="drill",
        )
        key_id, text = delivery.create_key(customer_id, name="drill", terms=KeyTerms(plan="drill"))
        return Buyer(customer_id, key_id, text.text.encode())

    def start(self, gate_id: str = "gate-1") -> Gate:
        """Start a gate and wait for it."""
        gate = Gate(self.home, gate_id)
        self.gates.append(gate)
        gate.wait_ready()
        return gate

    def run_intake(self) -> None:
        """Take journals in while gates run, as a worker does."""
        self._thread.start()

    def _take_in(self) -> None:
        while not self._stopping.is_set():
            self.intake.turn(self._stopping)
            self._stopping.wait(0.1)
        connections.close_all()

    def lapse(self) -> int:
        """Let leases of dead gates lapse by the worker's own rule, as if their time were over."""
        then = timezone.now() + LATER
        with mock.patch.object(timezone, "now", return_value=then):
            return metering.lapse(metering.Intake(self.home / "journal"))

    def close(self) -> None:
        """Stop gates and intake, take in the rest, and let dead leases lapse."""
        for gate in self.gates:
            gate.stop()
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=30)
        while self.intake.turn():
            pass
        self.lapse()


def request(key: bytes, path: str, body: bytes = b"") -> bytes:
    """The bytes of a call."""
    method = b"POST" if body else b"GET"
    length = b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body) if body else b""
    head = b"%b %b HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer %b\r\n" % (method, path.encode(), key)
    return head + length + b"\r\n" + body


async def call(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes
) -> tuple[int, str, bytes]:
    """One call on a kept connection: status, request id, body. Raises ``OSError`` if it breaks off."""
    writer.write(data)
    await writer.drain()
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ConnectionResetError(str(error)) from None
    name = re.search(rb"(?i)\r\nx-request-id: *(\S+)", head)
    return int(head[9:12]), name[1].decode() if name else "", body
