"""Which fields pass, which stay here, and which every answer has."""

from __future__ import annotations

import email.utils
import re
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.gate.stage import RunningGate, Stage, problem, request, statuses
from tests.gate.upstream import ScriptedUpstream
from tollkeeper.core.terms import MICRO, UpstreamTerms
from tollkeeper.gate import heads
from tollkeeper.gate.wire.pool import Target
from tollkeeper.gate.wire.upstream import Upstream


@pytest.fixture(scope="module")
def key(gate: RunningGate, stage: Stage) -> bytes:
    _, text = stage.customer(100_000)
    time.sleep(0.4)
    return text


def fields_of(answer: bytes) -> dict[str, str]:
    """The head's fields of the first answer."""
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_every_answer_has_an_id_and_passed_a_gate(
    gate: RunningGate, key: bytes, upstream: ScriptedUpstream
) -> None:
    for path in ("/id", "/204", "/304", "/fail", "/untilclose"):
        told = fields_of(gate.talk(request(key, path, fields=b"X-Request-Id: mine\r\nVia: 1.1 mine\r\n")))
        assert re.fullmatch(r"req_[0-9a-z]+", told["x-request-id"])
        assert told["via"] == "1.1 tollkeeper"
    head = upstream.on("/id")[-1].head
    assert head.count(b"Via: ") == head.count(b"\r\nVia: 1.1 tollkeeper\r\n") == 1
    assert re.search(rb"\r\nX-Request-Id: req_[0-9a-z]+(?:\r\n|$)", head)
    assert b"mine" not in head


def test_what_the_gate_says_itself_is_dated(gate: RunningGate, key: bytes) -> None:
    sent = [request(key, "/v1/limits"), request(b"wrong", "/n"), b"GET / HTTP/9\r\n\r\n"]
    for one in sent:
        told = fields_of(gate.talk(one))
        assert abs(email.utils.parsedate_to_datetime(told["date"]).timestamp() - time.time()) < 60
        assert "x-request-id" in told


@pytest.mark.parametrize(
    "field",
    ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "X-Rewrite-URL", "X-Original-URL"],
)
def test_no_field_makes_another_call_of_a_call(
    gate: RunningGate, key: bytes, upstream: ScriptedUpstream, field: str
) -> None:
    assert statuses(
        gate.talk(request(key, "/over", fields=f"{field}: DELETE\r\nX-Keep: 1\r\n".encode()))
    ) == [200]
    head = upstream.on("/over")[-1].head
    assert b"DELETE" not in head
    assert b"X-Keep: 1" in head


def test_a_route_is_taken_however_its_path_is_written(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(100)
    scoped = stage.add_key(customer, scopes=("read",))
    time.sleep(0.4)
    for path in ("/%64ear", "/dear/", "/dea%72/"):
        assert statuses(gate.talk(request(key, path))) == [200]
    assert [(s.route, s.units // MICRO) for s in stage.settled(customer)] == [("dear", 5)] * 3
    for path in ("/%73coped", "/scoped/"):
        assert problem(gate.talk(request(scoped, path))) == "route_not_allowed"


def test_fields_for_the_next_hop_go_no_further(
    gate: RunningGate, key: bytes, upstream: ScriptedUpstream
) -> None:
    upstream.scripts["/hops"] = lambda connection, seen: bool(
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nX-Inner: secret\r\nConnection: x-inner, Content-Length\r\nX-Outer: shown\r\n"
            b"Content-Length: 2\r\nKeep-Alive: timeout=5\r\n\r\nok"
        )
        or True
    )
    answer = gate.talk(request(key, "/hops") + request(key, "/n8"))
    assert statuses(answer) == [200, 200]
    assert b"X-Outer: shown" in answer
    assert b"secret" not in answer
    assert b"Keep-Alive" not in answer
    assert answer.endswith(b"/n8")


def test_what_connection_names_is_taken_out_of_a_head() -> None:
    head = b"HTTP/1.1 200 OK\r\nA: 1\r\nConnection: a, close\r\nB: 2\r\nCONNECTION: C\r\nc: 3\r\n\r\nA: 4"
    assert heads.parse_response(head, False) == heads.NAMED
    clean = heads.without_named(head)
    assert clean == b"HTTP/1.1 200 OK\r\nConnection: close\r\nB: 2\r\n\r\nA: 4"
    assert not isinstance(heads.parse_response(clean, False), int)


def test_http_1_0_is_spoken_as_http_1_0(gate: RunningGate, key: bytes, upstream: ScriptedUpstream) -> None:
    def old(method: str, path: str, fields: bytes = b"", body: bytes = b"") -> bytes:
        return request(key, path, method, fields, body).replace(b"HTTP/1.1", b"HTTP/1.0")

    expecting = gate.talk([old("POST", "/echo", b"Content-Length: 5\r\nExpect: 100-continue\r\n"), b"hello"])
    assert statuses(expecting) == [200], "it knows no interim answers"
    kept = gate.talk(old("GET", "/n1", b"Connection: keep-alive\r\n") + old("GET", "/n2"))
    assert statuses(kept) == [200], "it ends with its connection, as nothing else was agreed"
    assert kept.endswith(b"/n1<EOF>")
    upstream.scripts["/longhead"] = lambda connection, seen: bool(
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") or True
    )
    assert b"chunked" not in gate.talk(old("HEAD", "/longhead"))
    assert statuses(gate.talk(request(key, "/longhead", "HEAD") + request(key, "/n3"))) == [200, 200]


def test_many_interim_answers_are_no_trouble(
    gate: RunningGate, key: bytes, upstream: ScriptedUpstream
) -> None:
    upstream.scripts["/patience"] = lambda connection, seen: bool(
        connection.sendall(
            b"HTTP/1.1 102 P\r\n\r\n" * 3000 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        )
        or True
    )
    answer = gate.talk(request(key, "/patience"))
    assert statuses(answer) == [102] * 3000 + [200]


def test_a_body_that_comes_early_is_not_asked_for(gate: RunningGate, key: bytes) -> None:
    fields = b"Content-Length: 5\r\nExpect: 100-continue\r\n"
    assert statuses(gate.talk(request(key, "/echo", "POST", fields, b"hello"))) == [200]
    assert statuses(gate.talk([request(key, "/echo", "POST", fields, b"he"), b"llo"])) == [200]


def test_who_still_sends_is_not_answered_too_late() -> None:
    engine = cast("Any", SimpleNamespace(now=100.0, clock=lambda: 200.0))
    upstream = Upstream(
        engine, Target(engine, UpstreamTerms("x", "http://127.0.0.1:1", read_timeout_s=5.0), {})
    )
    written: list[bytes] = []
    upstream.connection_made(SimpleNamespace(write=written.append, set_write_buffer_limits=lambda high: None))
    upstream.client = cast("Any", SimpleNamespace(paused=False, take_more=lambda: None))
    upstream.call = cast("Any", SimpleNamespace())
    upstream.release()
    assert upstream.deadline == 105.0
    engine.now = 104.0
    upstream.write(b"more")
    assert upstream.deadline == 109.0, "it has just got something to read"
    upstream.pause_writing()
    upstream.resume_writing()
    assert upstream.deadline == 205.0, "it must still answer"
