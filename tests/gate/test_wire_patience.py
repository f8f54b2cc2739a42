"""How long the gate waits for whom, and what is charged when it loses patience. No real time passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from tests.gate.room import KEY, READ_S, Room, play
from tests.gate.stage import problem, request, statuses
from tollkeeper.core.charges import Outcome
from tollkeeper.core.terms import MICRO
from tollkeeper.gate.wire import link, pool, reader, response
from tollkeeper.gate.wire.client import Client
from tollkeeper.gate.wire.engine import Engine

POST = b"Content-Length: 100\r\n"


def test_a_head_must_come_whole_and_soon(tmp_path: Path) -> None:
    def scene(room: Room) -> None:
        client, wire = room.sent(b"GET /n HTT")
        silent, quiet = room.client()
        for _ in range(4):
            room.wait(reader.HEAD_S / 4)
            room.tell(client, b"P")
        assert not wire.sent
        room.wait(1)
        assert problem(wire.sent) == "request_too_slow"
        assert wire.ended == "eof"
        room.wait(reader.LINGER_S + 1)
        assert wire.ended == "cut"
        assert not quiet.ended
        room.wait(reader.IDLE_S)
        assert (quiet.sent, quiet.ended) == (b"", "closed"), "who asks nothing is told nothing"
        assert room.nothing_admitted()
        assert silent.dead

    play(tmp_path, scene)


@pytest.mark.parametrize("path", ["/n", "/v1/chat/completions"])
def test_a_body_must_not_pause_for_long(tmp_path: Path, path: str) -> None:
    def scene(room: Room) -> None:
        client, wire = room.sent(request(KEY, path, "POST", POST, b"x"))
        for _ in range(5):
            room.wait(reader.BODY_S - 12)
            room.tell(client, b"y")
        assert not wire.sent, "it is slow, and it comes"
        room.wait(reader.BODY_S + 1)
        assert problem(wire.sent) == "request_too_slow"
        assert statuses(wire.sent) == [408]
        assert b"Connection: close" in wire.sent
        if path == "/n":
            assert room.settled() == (Outcome.BAD_REQUEST, 408, 0)
            assert room.far.ended == "cut"
        else:
            assert room.nothing_admitted()

    play(tmp_path, scene)


def test_an_upstream_must_begin_to_answer(tmp_path: Path) -> None:
    def scene(room: Room) -> None:
        _, wire = room.sent(request(KEY, "/n"))
        room.wait(READ_S - 1)
        assert not wire.sent
        room.wait(2)
        assert problem(wire.sent) == "upstream_slow"
        assert statuses(wire.sent) == [504]
        assert room.far.ended == "cut"
        assert room.settled() == (Outcome.TIMED_OUT, 504, 0)

    play(tmp_path, scene)


def test_an_upstream_must_go_on(tmp_path: Path) -> None:
    def scene(room: Room) -> None:
        _, wire = room.sent(request(KEY, "/n"))
        room.tell(room.upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        for byte in b"123456789":
            room.wait(READ_S - 1)
            room.tell(room.upstream, bytes([byte]))
        assert wire.sent.endswith(b"\r\n\r\n123456789")
        room.wait(READ_S + 1)
        assert wire.ended == "cut", "so that nobody takes it for whole"
        assert room.settled() == (Outcome.UPSTREAM_CUT, 200, 0)

    play(tmp_path, scene)


def test_a_reader_must_read(tmp_path: Path) -> None:
    def scene(room: Room) -> None:
        client, wire = room.sent(request(KEY, "/n"))
        client.pause_writing()
        room.tell(room.upstream, b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1")
        assert room.far.paused
        room.wait(link.BLOCKED_S - 1)
        client.resume_writing()
        assert not room.far.paused
        client.pause_writing()
        room.tell(room.upstream, b"2")
        room.wait(link.BLOCKED_S - 1)
        assert not wire.ended, "the upstream is not to blame while it is held up"
        room.wait(2)
        assert wire.ended == room.far.ended == "cut"
        assert room.settled() == (Outcome.CLIENT_LEFT_DURING, 499, MICRO)

    play(tmp_path, scene)


def test_an_upstream_must_take_an_upload(tmp_path: Path) -> None:
    def scene(room: Room) -> None:
        client, wire = room.sent(request(KEY, "/n", "POST", POST, b"x"))
        room.upstream.pause_writing()
        room.tell(client, b"y")
        assert wire.paused
        room.wait(link.BLOCKED_S - 1)
        room.upstream.resume_writing()
        assert not wire.paused
        room.tell(client, b"z" * 98)
        room.wait(READ_S - 1)
        assert not wire.sent
        room.wait(2)
        assert problem(wire.sent) == "upstream_slow"
        assert room.settled() == (Outcome.TIMED_OUT, 504, 0)

    play(tmp_path, scene)


@pytest.mark.parametrize("first", [b"", b"H", b"HTTP/1.1 103 Early\r\n\r\n"])
def test_a_call_is_sent_again_only_before_the_first_byte(tmp_path: Path, first: bytes) -> None:
    def scene(room: Room) -> None:
        _, wire = room.sent(request(KEY, "/n"))
        room.tell(room.upstream, b"HTTP/1.1 204 X\r\n\r\n")
        _, wire = room.sent(request(KEY, "/n"))
        if first:
            room.tell(room.upstream, first)
        room.upstream.connection_lost(None)
        room.engine.end_tick()
        again = [link for link in room.engine.upstreams if link is not room.upstream]
        assert len(again) == (not first)
        assert problem(wire.sent) == ("upstream_bad" if first else "")

    play(tmp_path, scene)


def ask() -> bytes:
    body = json.dumps({"model": "small", "messages": [], "stream": True}).encode()
    return request(KEY, "/v1/chat/completions", "POST", b"Content-Length: %d\r\n" % len(body), body)


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices":[{"delta":{"content":"word"}}]}\n\n'


@pytest.mark.parametrize("bound", ["time", "size"])
def test_who_left_is_read_for_within_bounds(tmp_path: Path, bound: str) -> None:
    def scene(room: Room) -> None:
        client, _ = room.sent(ask())
        piece = response.chunk(EVENT)
        room.tell(room.upstream, EVENTS + piece)
        client.connection_lost(None)
        room.engine.end_tick()
        assert room.customer.in_flight == 1, "what it costs in the end is still to come"
        if bound == "time":
            for _ in range(int(response.DRAIN_S)):
                room.tell(room.upstream, piece)
                room.wait(1)
            room.wait(1)
        else:
            for _ in range(response.DRAIN_MAX // len(piece) + 2):
                if not room.far.ended:
                    room.upstream.data_received(piece)
            room.engine.end_tick()
        assert room.far.ended == "cut"
        outcome, status, units = room.settled()
        assert (outcome, status) == (Outcome.CLIENT_LEFT_DURING, 499)
        assert units > 0, "what was seen"

    play(tmp_path, scene)


def test_a_tunnel_in_which_nothing_moves_is_cut(tmp_path: Path) -> None:
    def scene(room: Room) -> None:
        asked = request(KEY, "/n", fields=b"Connection: upgrade\r\nUpgrade: websocket\r\n")
        client, wire = room.sent(asked)
        room.tell(room.upstream, b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        for side in (client, room.upstream) * 2:
            room.wait(reader.TUNNEL_S - 1)
            room.tell(cast("Any", side), b".")
        assert not wire.ended
        room.wait(reader.TUNNEL_S + 1)
        assert wire.ended == room.far.ended == "cut"
        assert room.settled() == (Outcome.OK, 101, MICRO)

    play(tmp_path, scene)


def test_there_is_room_for_so_many_and_no_more(tmp_path: Path) -> None:
    def scene(room: Room) -> None:
        wires = [room.client()[1] for _ in range(4)]
        room.engine.end_tick()
        assert [problem(wire.sent) for wire in wires] == ["", "", "", "overloaded"]
        assert b"\r\nRetry-After: 1\r\n" in wires[3].sent

    play(tmp_path, scene)


def test_units_are_not_waited_for_long(tmp_path: Path) -> None:
    def scene(room: Room) -> None:
        [lease] = [lease for purse in room.customer.purses.values() for lease in purse.leases]
        lease.left = 0
        room.engine.lender = cast("Any", Silent(room.engine))
        _, wire = room.sent(request(KEY, "/n"))
        assert not wire.sent
        room.wait(3)
        assert problem(wire.sent) == "book_unreachable"
        assert room.nothing_admitted()

    play(tmp_path, scene)


class Silent:
    """A lender that never hears of the book."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def why_short(self, purse: object, need: int) -> str:
        return ""

    def park(self, client: Client, purse: object, need: int) -> None:
        client.deadline = self.engine.now + 2.0


def test_idle_connections_to_upstreams_end_before_the_upstream_ends_them(tmp_path: Path) -> None:
    def scene(room: Room) -> None:
        _, wire = room.sent(request(KEY, "/n"))
        room.tell(room.upstream, b"HTTP/1.1 204 X\r\n\r\n")
        assert statuses(wire.sent) == [204]
        room.wait(pool.IDLE_S - 1)
        assert not room.far.ended
        room.wait(2)
        assert room.far.ended == "closed"
        assert room.target.idle == []

    play(tmp_path, scene)
