"""HTTP/1.1 done right: framing, streaming, backpressure, and nothing ambiguous passes."""

from __future__ import annotations

import socket
import time
from contextlib import closing

import pytest

from tests.gate.corpus import LINES, SMUGGLING
from tests.gate.stage import RunningGate, Stage, problem, request, statuses
from tests.gate.upstream import ScriptedUpstream
from tollkeeper.core.charges import Outcome

CHUNKED = b"Transfer-Encoding: chunked\r\n"


@pytest.fixture(scope="module")
def key(gate: RunningGate, stage: Stage) -> bytes:
    _, text = stage.customer(100_000)
    time.sleep(0.4)
    return text


@pytest.mark.parametrize("name", SMUGGLING)
def test_an_ambiguous_head_or_body_is_refused(
    gate: RunningGate, key: bytes, upstream: ScriptedUpstream, name: str
) -> None:
    head = b"POST /smuggle HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + key + b"\r\n"
    answer = gate.talk(head + SMUGGLING[name], wait_s=0.3)
    assert statuses(answer) in ([400], []), answer
    assert b"<EOF>" in answer or b"<RST>" in answer
    assert not upstream.on("/smuggle")


@pytest.mark.parametrize("name", LINES)
def test_an_odd_request_line_is_refused(
    gate: RunningGate, key: bytes, upstream: ScriptedUpstream, name: str
) -> None:
    answer = gate.talk(LINES[name] + b"\r\nHost: x\r\nAuthorization: Bearer " + key + b"\r\n\r\n", wait_s=0.3)
    assert statuses(answer) == [400]
    assert not upstream.on("/smuggle")


def test_http_1_0_with_a_coding_is_refused(gate: RunningGate, key: bytes) -> None:
    head = b"POST /n HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer " + key + b"\r\n"
    assert statuses(gate.talk(head + CHUNKED + b"\r\n0\r\n\r\n")) == [400]


def test_pipelined_requests_are_answered_in_order(gate: RunningGate, key: bytes) -> None:
    answer = gate.talk(b"".join(request(key, path) for path in ("/n1", "/n2", "/n3")))
    assert statuses(answer) == [200] * 3
    assert answer.index(b"/n1") < answer.index(b"/n2") < answer.index(b"/n3")


def test_a_head_may_come_byte_by_byte(gate: RunningGate, key: bytes) -> None:
    assert statuses(gate.talk(request(key, "/n1"), slow=1)) == [200]


def test_an_answer_may_come_byte_by_byte(gate: RunningGate, key: bytes) -> None:
    assert gate.talk(request(key, "/split")).endswith(b"hello")


def test_a_chunked_body_passes_with_extensions_and_trailers(
    gate: RunningGate, key: bytes, upstream: ScriptedUpstream
) -> None:
    body = b"5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nX-Sum: 8\r\n\r\n"
    answer = gate.talk(request(key, "/echo", "POST", CHUNKED, body) + request(key, "/n2"), slow=1)
    assert statuses(answer) == [200, 200]
    assert upstream.on("/echo")[-1].body == body


def test_a_chunked_answer_passes_with_trailers(gate: RunningGate, key: bytes) -> None:
    answer = gate.talk(request(key, "/chunked") + request(key, "/n2"))
    assert b"0\r\nX-Sum: 11\r\n\r\n" in answer
    assert statuses(answer) == [200, 200]


def test_a_client_of_http_1_0_gets_no_chunks(gate: RunningGate, key: bytes) -> None:
    head = b"GET /chunked HTTP/1.0\r\nAuthorization: Bearer " + key + b"\r\n\r\n"
    answer = gate.talk(head)
    assert answer.endswith(b"\r\n\r\nhello world<EOF>")
    assert b"Transfer-Encoding" not in answer


def test_expect_continue_is_answered_after_admission(gate: RunningGate, key: bytes) -> None:
    fields = b"Content-Length: 5\r\nExpect: 100-continue\r\n"
    answer = gate.talk([request(key, "/echo", "POST", fields), b"hello"])
    assert statuses(answer) == [100, 200]
    assert answer.endswith(b"hello")
    refused = gate.talk(request(b"wrong", "/echo", "POST", fields))
    assert statuses(refused) == [401]
    assert b"<EOF>" in refused


def test_head_204_and_304_have_no_body(gate: RunningGate, key: bytes) -> None:
    answer = gate.talk(
        request(key, "/n9", "HEAD") + request(key, "/204") + request(key, "/304") + request(key, "/n7")
    )
    assert statuses(answer) == [200, 204, 304, 200]
    assert answer.endswith(b"/n7")
    assert b"Content-Length: 7\r\n" not in answer, "204 announces no body"


def test_an_interim_answer_goes_on_to_the_client(gate: RunningGate, key: bytes) -> None:
    answer = gate.talk(request(key, "/interim"))
    assert statuses(answer) == [103, 200]
    assert answer.endswith(b"ok")


def test_hop_by_hop_and_revealing_fields_stay_here(gate: RunningGate, key: bytes) -> None:
    answer = gate.talk(request(key, "/cookies", fields=b"Connection: keep-alive, TE\r\nTE: trailers\r\n"))
    assert statuses(answer) == [200]
    for field in (b"Set-Cookie", b"Server:", b"RateLimit: x"):
        assert field not in answer


def test_a_head_that_is_too_large_is_refused(gate: RunningGate, key: bytes) -> None:
    answer = gate.talk(request(key, "/n", fields=b"X: " + b"a" * 200_000 + b"\r\n"))
    assert statuses(answer) in ([431], [])
    assert b"<" in answer


def test_a_refused_body_is_skipped_and_the_connection_goes_on(gate: RunningGate, key: bytes) -> None:
    refused = request(b"wrong", "/n", "POST", b"Content-Length: 5000\r\n", b"x" * 5000)
    assert statuses(gate.talk(refused + request(key, "/n"))) == [401, 200]


def test_a_body_over_the_limit_is_refused(gate: RunningGate, key: bytes) -> None:
    answer = gate.talk(request(key, "/n", "POST", b"Content-Length: 9999999\r\n"))
    assert problem(answer) == "body_too_large"
    big = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    answer = gate.talk(request(key, "/n", "POST", CHUNKED) + big * 5 + b"0\r\n\r\n")
    assert statuses(answer) in ([413], [])


def test_a_stale_pooled_connection_is_replaced(gate: RunningGate, key: bytes) -> None:
    gate.talk(request(key, "/stale"))
    time.sleep(0.2)
    assert statuses(gate.talk(request(key, "/n5"))) == [200]


def test_a_post_is_never_sent_twice_unless_declared_safe(
    gate: RunningGate, stage: Stage, key: bytes, upstream: ScriptedUpstream
) -> None:
    gate.talk(request(key, "/n"))
    answer = gate.talk(request(key, "/die", "POST", b"Content-Length: 2\r\n", b"hi"), wait_s=1)
    assert statuses(answer) == [502]
    assert len(upstream.on("/die")) == 1
    upstream.scripts["/twice"] = lambda connection, seen: (
        len(upstream.on("/twice")) > 1 and bool(connection.sendall(b"HTTP/1.1 204 X\r\n\r\n") or True)
    )
    gate.talk(request(key, "/n"))
    answer = gate.talk(request(key, "/twice", "POST", b"Content-Length: 2\r\n", b"hi"), wait_s=1)
    assert statuses(answer) == [204]
    assert len(upstream.on("/twice")) == 2


def test_an_upstream_that_dies_in_mid_body_shows_as_a_cut(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(10)
    time.sleep(0.4)
    answer = gate.talk(request(key, "/halfdie"))
    assert b"<" in answer
    assert answer.count(b"x" * 10) == 1
    assert [(s.outcome, s.units) for s in stage.settled(customer)] == [(Outcome.UPSTREAM_CUT, 0)]


def test_an_answer_with_two_framings_is_not_believed(gate: RunningGate, key: bytes) -> None:
    answer = gate.talk(request(key, "/both"))
    assert statuses(answer) == [502]
    assert problem(answer) == "upstream_bad"


def test_surplus_bytes_of_an_answer_reach_nobody(gate: RunningGate, key: bytes) -> None:
    answer = gate.talk([request(key, "/extra"), request(key, "/n6")])
    assert b"evil" not in answer
    assert answer.endswith(b"/n6")


def test_an_answer_may_end_with_its_connection(gate: RunningGate, key: bytes) -> None:
    assert gate.talk(request(key, "/untilclose")).endswith(b"until-close<EOF>")


def test_an_early_answer_passes_while_the_body_still_comes(gate: RunningGate, key: bytes) -> None:
    start = request(key, "/early", "POST", b"Content-Length: 1000000\r\n", b"x" * 1000)
    assert 413 in statuses(gate.talk([start, b"y" * 10]))


def test_events_are_not_held_back(gate: RunningGate, key: bytes) -> None:
    with closing(socket.create_connection(("127.0.0.1", gate.port))) as connection:
        connection.sendall(request(key, "/stream"))
        began = time.monotonic()
        seen = b""
        while seen.count(b"data: x") < 3:
            seen += connection.recv(65536)
        assert time.monotonic() - began < 0.6


def test_who_leaves_ends_the_upstream_call(
    gate: RunningGate, stage: Stage, upstream: ScriptedUpstream
) -> None:
    customer, key = stage.customer(10)
    time.sleep(0.4)
    upstream.cut_at.clear()
    connection = socket.create_connection(("127.0.0.1", gate.port))
    connection.sendall(request(key, "/stream"))
    connection.recv(1000)
    left = time.monotonic()
    connection.close()
    time.sleep(0.5)
    assert upstream.cut_at["/stream"] - left < 0.3
    [settled] = stage.settled(customer)
    assert settled.outcome == Outcome.CLIENT_LEFT_DURING


def test_a_stalled_reader_costs_no_memory(gate: RunningGate, key: bytes) -> None:
    before = gate.rss_mib()
    with closing(socket.socket()) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.connect(("127.0.0.1", gate.port))
        connection.settimeout(5)
        connection.sendall(request(key, "/big"))
        time.sleep(1)
        assert gate.rss_mib() - before < 8
        size = 0
        while size < 64 << 20:
            received = connection.recv(1 << 20)
            assert received
            size += len(received)


def test_a_slow_upstream_holds_up_an_upload(
    gate: RunningGate, stage: Stage, upstream: ScriptedUpstream
) -> None:
    customer, key = stage.customer(10)
    time.sleep(0.4)
    body = b"z" * (3 << 20)
    answer = gate.talk(request(key, "/up", "POST", b"Content-Length: %d\r\n" % len(body), body), wait_s=2)
    assert statuses(answer) == [200]
    assert upstream.on("/up")[-1].body == body
    assert stage.settled(customer)[0].bytes_in == len(body)


def test_still_serving_after_all_this(gate: RunningGate, key: bytes) -> None:
    assert statuses(gate.talk(request(key, "/n"))) == [200]
    log = gate.log.read_text()
    assert '"level":"ERROR"' not in log, log
    assert b"\ntollkeeper_gate_calls_in_flight 0\n" in gate.page("/metrics")
