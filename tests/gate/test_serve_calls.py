"""Calls through the real gate: what is forwarded, refused, charged."""

from __future__ import annotations

import json
import time

from tests.gate.stage import RunningGate, Stage, problem, request, statuses
from tests.gate.upstream import ScriptedUpstream
from tollkeeper.core import keys
from tollkeeper.core.charges import Outcome
from tollkeeper.core.terms import MICRO, LimitTerms


def test_a_call_is_forwarded_without_identity_and_charged(
    gate: RunningGate, stage: Stage, upstream: ScriptedUpstream
) -> None:
    customer, key = stage.customer(100)
    time.sleep(0.4)
    fields = b"Cookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\nX-Custom: yes\r\nOpenAI-Organization: org\r\n"
    answer = gate.talk(request(key, "/hello?q=1", fields=fields))
    assert statuses(answer) == [200]
    assert answer.endswith(b"/hello?q=1")
    assert b"X-Request-Id: req_" in answer
    [seen] = upstream.on("/hello")
    assert b"Bearer upstream-secret" in seen.head
    assert f"Tollkeeper-Tenant: tenant-{customer}".encode() in seen.head
    assert b"X-Custom: yes" in seen.head
    for forbidden in (key, b"Cookie", b"1.2.3.4", b"org"):
        assert forbidden not in seen.head
    [settled] = stage.settled(customer)
    assert (settled.units, settled.status, settled.outcome) == (MICRO, 200, Outcome.OK)
    assert (settled.route, settled.unit, settled.bytes_out) == ("any", "calls", len("/hello?q=1"))


def test_what_costs_what(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(100)
    time.sleep(0.4)
    for path in ("/dear", "/free", "/304", "/fail", "/missing", "/gone"):
        gate.talk(request(key, path), wait_s=1.5)
    charged = [(s.route, s.units // MICRO, Outcome(s.outcome)) for s in stage.settled(customer)]
    assert charged == [
        ("dear", 5, Outcome.OK),
        ("free", 0, Outcome.OK),
        ("any", 0, Outcome.NOT_MODIFIED),
        ("any", 0, Outcome.SERVER_ERROR),
        ("any", 0, Outcome.CLIENT_ERROR),
        ("gone", 0, Outcome.UNREACHABLE),
    ]


def test_the_last_unit_is_sold_and_not_one_more(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(7)
    time.sleep(0.4)
    answers = gate.talk(request(key, "/n") * 10, wait_s=3)
    assert statuses(answers) == [200] * 7 + [402] * 3
    assert problem(answers) == "quota_spent"
    assert sum(s.units for s in stage.settled(customer)) == 7 * MICRO
    assert stage.sql("SELECT sum(remaining) FROM usage_grant WHERE customer_id = ?", customer) == [(0,)]


def test_a_speed_limit_refuses_with_honest_fields(gate: RunningGate, stage: Stage) -> None:
    _, key = stage.customer(100, limits=(LimitTerms("second", "requests", 3, 1),))
    time.sleep(0.4)
    answers = gate.talk(request(key, "/n") * 5)
    assert statuses(answers) == [200] * 3 + [429] * 2
    assert b'RateLimit-Policy: "second";q=3;w=1' in answers
    assert b'RateLimit: "second";r=2;t=1' in answers
    assert b"Retry-After: 1" in answers
    assert problem(answers) == "rate_limited"
    time.sleep(1.1)
    assert statuses(gate.talk(request(key, "/n") * 3)) == [200] * 3


def test_concurrency_counts_over_all_keys_of_a_customer(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(100, concurrency=1)
    second = stage.add_key(customer, concurrency=1)
    time.sleep(0.4)
    started = gate.talk(request(key, "/slow"), wait_s=0.1)
    assert started == b""
    _, key = stage.customer(100, concurrency=1)
    time.sleep(0.8)
    assert statuses(gate.talk(request(second, "/n"))) == [200]


def test_keys_are_refused_by_what_is_wrong_with_them(gate: RunningGate, stage: Stage) -> None:
    _, key = stage.customer(10)
    stranger = keys.mint(b"q" * 24).text.encode()
    time.sleep(0.4)
    assert problem(gate.talk(b"GET /n HTTP/1.1\r\nHost: x\r\n\r\n")) == "key_missing"
    assert problem(gate.talk(request(b"sk-wrong", "/n"))) == "key_malformed"
    assert problem(gate.talk(request(stranger, "/n"))) == "key_unknown"
    assert problem(gate.talk(request(key, "/n", fields=b"X-Api-Key: other\r\n"))) == "malformed_request"
    assert statuses(gate.talk(b"GET /n HTTP/1.1\r\nHost: x\r\nX-Api-Key: " + key + b"\r\n\r\n")) == [200]
    stage.set_state(key, "suspended", "payment_due")
    began = time.monotonic()
    while statuses(gate.talk(request(key, "/n"), wait_s=0.3)) != [403]:
        assert time.monotonic() - began < 2
    assert b'"reason":"payment_due"' in gate.talk(request(key, "/n"))
    stage.set_state(key, "active")
    time.sleep(0.6)
    assert statuses(gate.talk(request(key, "/n"))) == [200]
    stage.set_state(key, "revoked")
    time.sleep(0.6)
    assert problem(gate.talk(request(key, "/n"))) == "key_revoked"


def test_routes_scopes_and_networks(gate: RunningGate, stage: Stage) -> None:
    customer, key = stage.customer(10, routes=("dear",))
    scoped = stage.add_key(customer, scopes=("read",))
    elsewhere = stage.add_key(customer, ip_ranges=("10.0.0.0/8",))
    here = stage.add_key(customer, ip_ranges=("127.0.0.0/8",))
    time.sleep(0.4)
    assert problem(gate.talk(request(key, "/n"))) == "route_not_allowed"
    assert problem(gate.talk(request(scoped, "/scoped"))) == "route_not_allowed"
    assert problem(gate.talk(request(elsewhere, "/n"))) == "address_not_allowed"
    assert statuses(gate.talk(request(here, "/n"))) == [200]
    assert problem(gate.talk(request(here, "/a/../n"))) == "ambiguous_path"
    assert problem(gate.talk(request(here, "/a%2fb"))) == "ambiguous_path"
    answer = gate.talk(request(here, "/n", "TRACE"))
    assert problem(answer) == "method_not_allowed"
    assert b"Allow: " in answer


def test_a_program_may_ask_for_its_usage_and_limits(gate: RunningGate, stage: Stage) -> None:
    _, key = stage.customer(50, limits=(LimitTerms("minute", "requests", 10, 60),), concurrency=4)
    time.sleep(0.4)
    gate.talk(request(key, "/dear"))
    usage = json.loads(gate.talk(request(key, "/v1/usage")).partition(b"\r\n\r\n")[2])
    assert (usage["unit"], usage["granted"], usage["available"], usage["in_use"]) == ("calls", 50, 45, 0)
    limits = json.loads(gate.talk(request(key, "/v1/limits")).partition(b"\r\n\r\n")[2])
    assert limits["limits"][0]["remaining"] == 9
    assert limits["concurrency"] == {"limit": 4, "in_flight": 0}
    assert problem(gate.talk(request(key, "/v1/usage", "POST"))) == "method_not_allowed"


def test_health_and_metrics(gate: RunningGate) -> None:
    assert b"ok" in gate.page("/healthz")
    assert b"ready" in gate.page("/readyz")
    page = gate.page("/metrics")
    assert b'tollkeeper_gate_calls_total{outcome="ok"}' in page
    assert b"tollkeeper_gate_ready 1" in page
