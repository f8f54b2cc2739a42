"""WebSockets pass through, are counted, and end on both sides."""

from __future__ import annotations

import base64
import contextlib
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
    upstream.scripts.update({"/ws": _echo, "/weighed": _echo})
    yield
    del upstream.scripts["/ws"], upstream.scripts["/weighed"]


def _tunnel(gate: RunningGate, key: bytes) -> socket.socket:
    """A connection on which a tunnel was asked for."""
    connection = socket.create_connection(("127.0.0.1", gate.port))
    connection.sendall(request(key, "/ws", fields=FIELDS))
    return connection


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
    assert b"\r\nX-Request-Id: req_" in head
    assert b"\r\nVia: 1.1 tollkeeper\r\n" in head
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert rest.startswith(b"welcomeHELLOBYE<")
    assert _settled_after(stage, customer) == [(101, MICRO, Outcome.OK, 8)]


def test_who_leaves_a_tunnel_ends_it(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(10)
    time.sleep(0.4)
    gate.talk([request(key, "/ws", fields=FIELDS), b"hello"])
    assert _settled_after(stage, customer) == [(101, MICRO, Outcome.OK, 5)]


@pytest.mark.parametrize("how", ["revoked", "suspended", "shop"])
def test_a_tunnel_ends_with_its_key(gate: RunningGate, stage: Stage, how: str) -> None:
    (customer, key), (_, other) = stage.customer(10), stage.customer(10)
    time.sleep(0.4)
    with _tunnel(gate, key) as mine, _tunnel(gate, other) as theirs:
        for one in (mine, theirs):
            one.settimeout(5)
            while not one.recv(65536).endswith(b"welcome"):
                pass
        if how == "shop":
            stage.publish(suspended=True)
        else:
            stage.set_state(key, how)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            assert not mine.recv(65536)
        assert time.monotonic() - began < 2
        if how != "shop":
            theirs.sendall(b"still here")
            assert theirs.recv(65536) == b"STILL HERE"
    stage.publish()
    assert _settled_after(stage, customer) == [(101, MICRO, Outcome.OK, 0)]


def test_a_meter_of_contents_lets_no_tunnel_through(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(100)
    time.sleep(0.4)
    assert statuses(gate.talk(request(key, "/weighed", fields=FIELDS))) == [426], "asked without the upgrade"
    assert _settled_after(stage, customer) == [(426, 0, Outcome.CLIENT_ERROR, 0)]


def test_an_upgrade_with_a_body_is_refused(gate: RunningGate, stage: Stage) -> None:
    _, key = stage.customer(10)
    time.sleep(0.4)
    answer = gate.talk(request(key, "/ws", "POST", FIELDS + b"Content-Length: 2\r\n", b"hi"))
    assert problem(answer) == "malformed_request"


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
