from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from tests.services.postgres import free_port
from tollkeeper.cli.touring import browser
from tollkeeper.cli.touring.browser import Stuck
from tollkeeper.cli.touring.caller import Caller, mistakes_of_refusal, price_book

PROBLEM = {
    "type": "about:blank",
    "title": "Too many requests",
    "status": 429,
    "code": "rate_limited",
    "origin": "gate",
    "request_id": "req_1",
}
GOOD = {
    "Content-Type": "application/problem+json; charset=utf-8",
    "Retry-After": "2",
    "RateLimit": '"second";r=0;t=2',
    "RateLimit-Policy": '"second";q=5;w=1',
}


class Gate(ThreadingHTTPServer):
    """Answers with the next status of ``plan``, the last one for ever; 0 cuts the connection."""

    def __init__(self, plan: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan = plan
        self.seen: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/things"


class Handler(BaseHTTPRequestHandler):
    server: Gate

    def do_GET(self) -> None:
        self.server.seen.append(self.headers["Authorization"])
        status = self.server.plan.pop(0) if len(self.server.plan) > 1 else self.server.plan[0]
        if status == 0:
            self.close_connection = True
            self.connection.close()
            return
        body = json.dumps(PROBLEM if status == 429 else {}).encode()
        self.send_response(status)
        for name, value in GOOD.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def gate(request: pytest.FixtureRequest) -> Iterator[Gate]:
    server = Gate(request.param)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("gate", [[503, 401, 200]], indirect=True)
def test_a_gate_that_starts_again_is_waited_for(gate: Gate) -> None:
    caller = Caller(gate.address, "tk_live_x")
    assert caller.call().response.status_code == 200
    assert (caller.served, caller.lost) == (1, 0)
    assert gate.seen == ["Bearer tk_live_x"] * 3


@pytest.mark.parametrize("gate", [[0, 200]], indirect=True)
def test_an_answer_that_never_came_counts_as_lost(gate: Gate) -> None:
    caller = Caller(gate.address, "k")
    caller.call()
    assert (caller.served, caller.lost) == (1, 1)


def test_a_gate_that_is_away_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "PATIENCE_S", 0.5)
    monkeypatch.setattr(browser.patiently, "__defaults__", (0.5,))
    caller = Caller(f"http://127.0.0.1:{free_port()}/", "k")
    with pytest.raises(Stuck, match="does not serve"):
        caller.call()
    assert (caller.served, caller.lost) == (0, 0)


@pytest.mark.parametrize("gate", [[403]], indirect=True)
def test_a_refusal_is_told_at_once(gate: Gate) -> None:
    with pytest.raises(Stuck, match="403"):
        Caller(gate.address, "k").call()


@pytest.mark.parametrize("gate", [[200] * 9 + [429]], indirect=True)
def test_a_burst_ends_with_the_refusal(gate: Gate) -> None:
    caller = Caller(gate.address, "k")
    refusal = caller.burst()
    assert refusal.response.status_code == 429
    assert caller.served == 9
    assert mistakes_of_refusal(refusal.response) == []


def refusal(headers: dict[str, str], body: bytes) -> requests.Response:
    response = requests.Response()
    response.status_code = 429
    response.headers.update(headers)
    response._content = body
    return response


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [
        ({**GOOD, "Retry-After": "0"}, PROBLEM, "Retry-After"),
        ({**GOOD, "Retry-After": "soon"}, PROBLEM, "Retry-After"),
        ({k: v for k, v in GOOD.items() if k != "RateLimit"}, PROBLEM, "RateLimit"),
        ({**GOOD, "Content-Type": "application/json"}, PROBLEM, "Content-Type"),
        (GOOD, {**PROBLEM, "origin": "upstream"}, "origin"),
        (GOOD, {**PROBLEM, "status": 200}, "status"),
        (GOOD, {k: v for k, v in PROBLEM.items() if k != "request_id"}, "request_id"),
    ],
)
def test_a_bad_refusal_is_noticed(headers: dict[str, str], body: dict[str, Any], named: str) -> None:
    assert any(
        named in mistake for mistake in mistakes_of_refusal(refusal(headers, json.dumps(body).encode()))
    )
    assert mistakes_of_refusal(refusal(GOOD, b"<html>")) == ["the body is not JSON"]


@pytest.mark.parametrize("gate", [[0, 503, 200]], indirect=True)
def test_a_price_book_is_waited_for(gate: Gate) -> None:
    assert price_book(gate.address) == {}


@pytest.mark.parametrize("gate", [[404]], indirect=True)
def test_a_site_without_a_price_book_is_told(gate: Gate) -> None:
    with pytest.raises(Stuck, match="404"):
        price_book(gate.address)
