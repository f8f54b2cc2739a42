"""Behind a front a client's address is what the front says, and what nobody else says."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable

import pytest

from tests.gate.stage import RunningGate, Stage, problem, request, statuses
from tollkeeper.core.addresses import day_of, open_address, public_of
from tollkeeper.core.journal import Caller
from tollkeeper.gate.callers import LOG
from tollkeeper.gate.wire.behind import said_address

FRONTS = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1/128"))
PRIVATE = b"k" * 32


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        ("10.0.0.1", b"192.0.2.7", "192.0.2.7"),
        ("::ffff:10.0.0.1", b"192.0.2.7", "192.0.2.7"),
        ("::1", b"2001:db8::1", "2001:db8::1"),
        ("192.0.2.9", b"192.0.2.7", "192.0.2.9"),
        ("10.0.0.1", b"198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", b"198.51.100.1, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("10.0.0.1", b"198.51.100.1\r\nx-forwarded-for: 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", b"10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("10.0.0.1", b"192.0.2.7, unknown", ""),
        ("10.0.0.1", b"192.0.2.7, ", ""),
        ("", b"192.0.2.7", ""),
    ],
)
def test_only_what_fronts_added_is_believed(peer: str, said: bytes, address: str) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " + said + b"\r\nX-A: 203.0.113.1"
    assert said_address(head, peer, FRONTS) == address


def test_without_the_field_it_is_the_front_itself() -> None:
    assert said_address(b"GET / HTTP/1.1\r\nHost: a", "10.0.0.1", FRONTS) == "10.0.0.1"


def test_keys_are_bound_and_callers_sealed_by_what_the_front_says(new_stage: Callable[[], Stage]) -> None:
    stage = new_stage()
    stage.publish()
    today = day_of(time.time_ns() // 1000)
    for day in (today, today + 1):
        stage.sql("INSERT INTO kit_logkey VALUES ('calls', ?, ?)", day, public_of(PRIVATE))
    _, key = stage.customer(100, ip_ranges=("192.0.2.0/24",))
    gate = stage.run_gate(TOLLKEEPER_GATE_TRUSTED="127.0.0.0/8")

    def called(said: bytes) -> bytes:
        return request(key, "/n", "POST", b"X-Forwarded-For: " + said + b"\r\nContent-Length: 2\r\n", b"hi")

    answers = gate.talk(
        called(b"192.0.2.7") + called(b"192.0.2.8") + called(b"192.0.2.8") + called(b"198.51.100.1")
    )
    assert statuses(answers) == [200, 200, 200, 403]
    assert problem(answers) == "address_not_allowed"
    assert problem(gate.talk(request(key, "/n"))) == "address_not_allowed"
    body = b"\r\nX-Forwarded-For: 192.0.2.7\r\n"
    assert statuses(gate.talk(request(key, "/n", "POST", b"Content-Length: %d\r\n" % len(body), body))) == [
        403
    ]
    gate.stop()
    day = today if today == day_of(time.time_ns() // 1000) else today + 1
    callers = [open_address(LOG, day, PRIVATE, r.sealed) for r in stage.records() if isinstance(r, Caller)]
    assert callers == ["192.0.2.7", "192.0.2.8", "192.0.2.8"]


def test_networks_that_are_none_are_one_sentence(new_stage: Callable[[], Stage]) -> None:
    gate = RunningGate(new_stage(), "gate-1", {"TOLLKEEPER_GATE_TRUSTED": "10.0.0.1/8"})
    assert gate.process.wait(timeout=10) == 2
    [line] = gate.log.read_text().splitlines()
    assert "TOLLKEEPER_GATE_TRUSTED must be networks" in line
