"""Upstreams that accept calls and are not well: found by their health path, passed over, and taken back."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gate.stage import RunningGate, Stage, problem, request, statuses
from tests.gate.upstream import OK, ScriptedUpstream, Seen
from tollkeeper.core.terms import UpstreamTerms
from tollkeeper.gate.wire.pool import Target


class Patient(ScriptedUpstream):
    """An upstream whose health path says what it is told to."""

    well = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.scripts["/base/health"] = self._tell

    def _tell(self, connection: socket.socket, _: Seen) -> bool:
        connection.sendall(OK % 0 if self.well else b"HTTP/1.1 500 Ill\r\nContent-Length: 0\r\n\r\n")
        return True

    def terms(self, weight: int = 1) -> UpstreamTerms:
        return UpstreamTerms(
            "main",
            f"http://127.0.0.1:{self.port}/base",
            credential="TEST_CREDENTIAL",
            weight=weight,
            health_path="/health",
            health_interval_s=0.1,
            health_timeout_s=0.5,
        )


@pytest.fixture
def patients() -> Iterator[tuple[Patient, Patient]]:
    pair = Patient(), Patient()
    yield pair
    for one in pair:
        one.close()


def told(gate: RunningGate) -> list[int]:
    """What the metrics say of each address."""
    return [int(n) for n in re.findall(rb"upstream_well\{[^}]*\} (\d)", gate.page("/metrics"))]


def until(gate: RunningGate, wanted: list[int]) -> None:
    ends = time.monotonic() + 20
    while told(gate) != wanted:
        assert time.monotonic() < ends, gate.log.read_text()
        time.sleep(0.05)


def test_the_unwell_get_no_calls(new_stage: Callable[[], Stage], patients: tuple[Patient, Patient]) -> None:
    stage = new_stage()
    first, second = patients
    stage.publish(upstreams=(first.terms(), second.terms()))
    customer, key = stage.customer(100)
    gate = stage.run_gate()
    until(gate, [1, 1])
    assert statuses(gate.talk(request(key, "/n") * 10)) == [200] * 10
    assert (len(first.on("/base/n")), len(second.on("/base/n"))) == (5, 5)
    assert b"upstream-secret" in first.on("/base/health")[0].head
    first.well = False
    until(gate, [0, 1])
    assert statuses(gate.talk(request(key, "/n") * 10)) == [200] * 10
    assert (len(first.on("/base/n")), len(second.on("/base/n"))) == (5, 15)
    second.well = False
    until(gate, [0, 0])
    refused = gate.talk(request(key, "/n"))
    assert statuses(refused) == [503]
    assert problem(refused) == "upstream_down"
    assert b"Retry-After: 1\r\n" in refused
    stage.publish(upstreams=(first.terms(), second.terms()), docs_url="https://docs.example")
    ends = time.monotonic() + 10
    while b"docs.example" not in (refused := gate.talk(request(key, "/n"))):
        assert time.monotonic() < ends
    assert problem(refused) == "upstream_down", "a new snapshot heals nobody"
    first.well = True
    until(gate, [1, 0])
    assert statuses(gate.talk(request(key, "/n"))) == [200]
    assert len(stage.settled(customer)) == 21, "what was refused was never admitted"


def test_an_address_without_weight_stands_in(
    new_stage: Callable[[], Stage], patients: tuple[Patient, Patient]
) -> None:
    stage = new_stage()
    first, spare = patients
    stage.publish(upstreams=(first.terms(), spare.terms(weight=0)))
    _, key = stage.customer(100)
    gate = stage.run_gate()
    assert statuses(gate.talk(request(key, "/n") * 4)) == [200] * 4
    assert not spare.on("/base/n")
    first.well = False
    until(gate, [0, 1])
    assert statuses(gate.talk(request(key, "/n") * 4)) == [200] * 4
    assert len(spare.on("/base/n")) == 4


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 4), st.integers(1, 4))
def test_a_change_needs_so_many_in_a_row(answers: list[bool], fails: int, passes: int) -> None:
    terms = UpstreamTerms(
        "x", "http://127.0.0.1:1", health_path="/h", health_fails=fails, health_passes=passes
    )
    target = Target(cast("Any", SimpleNamespace()), terms, {})
    for number, well in enumerate(answers):
        was = target.sick
        changed = target.heard(well)
        assert changed is (target.sick is not was)
        needed = passes if was else fails
        last = answers[max(0, number + 1 - needed) : number + 1]
        if changed:
            assert last == [was] * needed
    for _ in range(passes):
        target.heard(True)
    assert not target.sick
