"""Whatever happens in whatever order, each admitted call is settled once, and nothing stays held."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.gate.room import KEY, Room, Wire, play
from tests.gate.stage import request
from tollkeeper.core.journal import Admitted, Settled
from tollkeeper.gate.wire.client import Client
from tollkeeper.gate.wire.upstream import Upstream

ASK = json.dumps({"model": "small", "messages": [], "stream": True}).encode()
SIZED = b"Content-Length: %d\r\n"
CODED = b"Transfer-Encoding: chunked\r\n"
CHAT = "/v1/chat/completions"
REQUESTS = (
    request(KEY, "/n"),
    request(KEY, "/n", "HEAD"),
    request(KEY, "/n").replace(b"HTTP/1.1", b"HTTP/1.0"),
    request(KEY, "/n", "POST", SIZED % 5, b"hello"),
    request(KEY, "/n", "POST", SIZED % 5 + b"Expect: 100-continue\r\n", b"hello"),
    request(KEY, "/n", "POST", CODED, b"5\r\nhello\r\n0\r\n\r\n"),
    request(KEY, "/n", "POST", CODED, b"5\r\nhelloX0\r\n\r\n"),
    request(KEY, "/n", fields=b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
    request(KEY, CHAT, "POST", SIZED % len(ASK), ASK),
    request(KEY, CHAT, "POST", CODED, b"%x\r\n%b\r\n0\r\n\r\n" % (len(ASK), ASK)),
    request(KEY, CHAT, "POST", SIZED % 3, b"{x}"),
    request(b"wrong", "/n", "POST", SIZED % 5, b"hello"),
    b"GET /n HTTP/1.1\r\nbroken\r\n\r\n",
)
EVENT = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\ndata: [DONE]\n\n'
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x-a\r\nX-A: b\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX",
    b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 None\r\n\r\n",
    b"HTTP/1.1 304 Same\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
    b"HTTP/1.0 200 OK\r\n\r\nuntil its end",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\nspeak freely",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and more than was said",
    STREAM
    + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (len(EVENT), EVENT)
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(USAGE), USAGE),
    STREAM + b"\r\n" + EVENT + USAGE,
)


class Storm:
    """Events at random, as transports could bring them."""

    def __init__(self, room: Room, seed: int) -> None:
        self.room = room
        self.chance = random.Random(seed)
        self.clients: dict[Client, Wire] = {}
        self.coming: dict[Client | Upstream, bytes] = {}
        self.refused = 0

    def upstreams(self) -> list[Upstream]:
        return [one for one in self.room.engine.upstreams if isinstance(one, Upstream)]

    def blow(self) -> None:
        """One event."""
        of_all = (self.arrive, self.dial, self.dial, self.hold_up, self.leave, self.pass_time, self.bury)
        usual = (self.ask, self.answer, self.tick, self.go_on)
        happening = self.chance.choice((*of_all, *usual, *usual[:3], *usual[:2]))
        happening()

    def arrive(self) -> None:
        if len(self.clients) < 3:
            client, wire = self.room.client()
            self.clients[client] = wire

    def _part(self, link: Client | Upstream, more: tuple[bytes, ...]) -> bytes:
        data = self.coming.pop(link, b"") or self.chance.choice(more)
        if self.chance.random() < 0.4:
            size = self.chance.randrange(len(data) + 1)
            data, self.coming[link] = data[:size], data[size:]
        return data

    def ask(self) -> None:
        able = [client for client, wire in self.clients.items() if not (wire.ended or wire.paused)]
        if able:
            client = self.chance.choice(able)
            if data := self._part(client, REQUESTS):
                client.data_received(data)

    def answer(self) -> None:
        able = [u for u in self.upstreams() if u.transport and not (u.transport.ended or u.transport.paused)]
        if able:
            upstream = self.chance.choice(able)
            if not upstream.waits and (data := self._part(upstream, ANSWERS)):
                upstream.data_received(data)

    def tick(self) -> None:
        if not self.room.engine.stale:
            self.room.engine.end_tick()

    def dial(self) -> None:
        for upstream in self.upstreams():
            if upstream.transport is None:
                if self.chance.random() < 0.8:
                    upstream.connection_made(Wire())
                else:
                    upstream.gone()
                    upstream.unreachable()
                return

    def _some(self) -> list[Client | Upstream]:
        links: list[Client | Upstream] = [*self.clients, *self.upstreams()]
        return [link for link in links if link.transport is not None and not link.transport.ended]

    def hold_up(self) -> None:
        if able := [link for link in self._some() if not link.blocked]:
            self.chance.choice(able).pause_writing()

    def go_on(self) -> None:
        if able := [link for link in self._some() if link.blocked]:
            self.chance.choice(able).resume_writing()

    def leave(self) -> None:
        if able := self._some():
            self.end(self.chance.choice(able), self.chance.choice((None, OSError())))

    def end(self, link: Client | Upstream, error: OSError | None) -> None:
        link.transport.ended = link.transport.ended or "lost"
        link.connection_lost(error)
        self.coming.pop(link, None)
        if isinstance(link, Client):
            self.clients.pop(link)

    def bury(self) -> None:
        """Transports that were ended say so, some time later."""
        for link in [*self.clients, *self.upstreams()]:
            if link.transport is not None and link.transport.ended in ("closed", "cut"):
                self.end(link, None)

    def pass_time(self) -> None:
        self.tick()
        self.room.engine.time += self.chance.choice((0.1, 2.0, 15.0, 40.0))
        self.room.engine.sweep()

    def calm(self) -> None:
        """All leave, and whatever is left comes to its end."""
        for client in list(self.clients):
            self.end(client, None)
        for _ in range(40):
            self.dial()
            self.tick()
            self.room.engine.time += 20.0
            self.room.engine.sweep()
            self.tick()
            self.bury()


@pytest.mark.parametrize("block", range(4))
def test_each_call_is_settled_once_whatever_happens(tmp_path: Path, block: int) -> None:
    outcomes: Counter[int] = Counter()
    for seed in range(block * 60, block * 60 + 60):
        folder = tmp_path / str(seed)

        def scene(room: Room, seed: int = seed) -> None:
            storm = Storm(room, seed)
            for _ in range(250):
                storm.blow()
            storm.calm()
            admitted = Counter(r.call_id for r in room.records() if isinstance(r, Admitted))
            settled = Counter(r.call_id for r in room.records() if isinstance(r, Settled))
            assert admitted == settled, seed
            assert set(settled.values()) <= {1}, seed
            assert room.customer.in_flight == 0, seed
            [lease] = [lease for purse in room.customer.purses.values() for lease in purse.leases]
            assert lease.open_calls == 0
            spent = [r for r in room.records() if isinstance(r, Settled)]
            assert lease.drawn - lease.left == lease.settled == sum(r.units - r.unpaid for r in spent)
            assert room.target.open == len(room.engine.upstreams)
            outcomes.update(r.outcome for r in spent)

        play(folder, scene)
    assert len(outcomes) >= 9, "the storm reaches most ways to end"
