"""WebSockets pass through, are counted, and end on both sides."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import time
from collections.abc import Iterator

import pytest

from tests.gate.stage import RunningGate, Stage, problem, request, statuses
from tests.gate.upstream import ScriptedUpstream, Seen
from tollkeeper.core.charges import Outcome
from tollkeeper.core.terms import MICRO

FIELDS = (
    b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def _echo(connection: socket.socket, seen: Seen) -> bool:
    found = re.search(rb"(?i)sec-websocket-key: *(\S+)", seen.head)
    if found is None or b"Upgrade: websocket" not in seen.head:
        connection.sendall(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
        return True
    digest = hashlib.sha1(found[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\nwelcome"
    )
    while data := connection.recv(65536):
        connection.sendall(data.upper())
        if data == b"bye":
            return False
    return False


@pytest.fixture(scope="module", autouse=True)
def _teach(upstream: ScriptedUpstream) -> Iterator[None]:
    upstream.scripts["/ws"] = _echo
    yield
    del upstream.scripts["/ws"]


def _settled_after(stage: Stage, customer: int) -> list[tuple[int, int, Outcome, int]]:
    until = time.monotonic() + 3
    while not (found := stage.settled(customer)) and time.monotonic() < until:
        time.sleep(0.05)
    return [(s.status, s.units, Outcome(s.outcome), s.bytes_in) for s in found]


def test_bytes_pass_both_ways_until_the_upstream_ends(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(10)
    time.sleep(0.4)
    answer = gate.talk([request(key, "/ws", fields=FIELDS), b"hello", b"bye"])
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Upgrade: websocket" in head
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert rest.startswith(b"welcomeHELLOBYE<")
    assert _settled_after(stage, customer) == [(101, MICRO, Outcome.OK, 8)]


def test_who_leaves_a_tunnel_ends_it(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(10)
    time.sleep(0.4)
    gate.talk([request(key, "/ws", fields=FIELDS), b"hello"])
    assert _settled_after(stage, customer) == [(101, MICRO, Outcome.OK, 5)]


def test_large_messages_come_whole(gate: RunningGate, stage: Stage) -> None:
    _, key = stage.customer(10)
    time.sleep(0.4)
    with socket.create_connection(("127.0.0.1", gate.port)) as connection:
        connection.settimeout(5)
        connection.sendall(request(key, "/ws", fields=FIELDS))
        time.sleep(0.2)
        connection.recv(65536)
        sent = b"x" * (2 << 20)
        connection.settimeout(0.2)
        got, at = 0, 0
        while got < len(sent):
            if at < len(sent):
                at += connection.send(sent[at : at + 65536])
            try:
                got += len(connection.recv(1 << 20))
            except TimeoutError:
                continue
        assert got == len(sent)


def test_an_upstream_may_decline(gate: RunningGate, stage: Stage) -> None:
    _, key = stage.customer(10)
    time.sleep(0.4)
    answer = gate.talk(request(key, "/n", fields=FIELDS) + request(key, "/n2"))
    assert statuses(answer) == [200, 200]


def test_an_upgrade_that_was_not_asked_for_is_not_believed(
    gate: RunningGate, stage: Stage, upstream: ScriptedUpstream
) -> None:
    _, key = stage.customer(10)
    time.sleep(0.4)
    upstream.scripts["/rogue"] = lambda connection, seen: bool(
        connection.sendall(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n")
    )
    assert problem(gate.talk(request(key, "/rogue"))) == "upstream_bad"
    assert statuses(gate.talk(request(key, "/n", fields=b"Connection: upgrade\r\nUpgrade: h2c\r\n"))) == [200]
