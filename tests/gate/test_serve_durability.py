"""Nothing is lost, sold twice, or given away: kills, drains, several gates, a book that is away."""

from __future__ import annotations

import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing

from tests.gate.stage import RunningGate, Stage, problem, request, statuses
from tollkeeper.core.charges import Outcome
from tollkeeper.core.journal import Admitted, LeaseClosed, Settled
from tollkeeper.core.terms import MICRO

NewStage = Callable[[], Stage]


def _hammer(gate: RunningGate, key: bytes, seconds: float, answers: list[int], path: str = "/n") -> None:
    until = time.monotonic() + seconds
    try:
        with closing(socket.create_connection(("127.0.0.1", gate.port))) as connection:
            connection.settimeout(3)
            while time.monotonic() < until:
                connection.sendall(request(key, path))
                received = b""
                while not received.endswith(path.encode()):
                    data = connection.recv(65536)
                    if not data:
                        return
                    received += data
                    if b" 402 " in received:
                        return
                answers.append(200)
    except OSError:
        return


def _hammer_all(gates: list[RunningGate], key: bytes, seconds: float, threads: int) -> list[int]:
    answers: list[int] = []
    crowd = [
        threading.Thread(target=_hammer, args=(gates[number % len(gates)], key, seconds, answers))
        for number in range(threads)
    ]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return answers


def test_kill_9_loses_no_answered_call(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish()
    customer, key = stage.customer(1_000_000)
    answers: list[int] = []
    for _ in range(3):
        gate = stage.run_gate()
        crowd = [threading.Thread(target=_hammer, args=(gate, key, 5, answers)) for _ in range(8)]
        for thread in crowd:
            thread.start()
        time.sleep(0.7)
        gate.stop(signal.SIGKILL)
        for thread in crowd:
            thread.join()
    records = stage.records()
    settled = [r for r in records if isinstance(r, Settled)]
    admitted = [r for r in records if isinstance(r, Admitted)]
    assert len(answers) > 100
    assert 0 <= len(settled) - len(answers) <= 3 * 8
    assert len({r.call_id for r in settled}) == len(settled), "none settled twice"
    assert {r.call_id for r in settled} <= {r.call_id for r in admitted}
    assert len({r.call_id for r in admitted}) == len(admitted), "call ids are never used again"
    assert customer == settled[0].customer_id


def test_many_gates_never_sell_a_unit_twice(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish()
    _, key = stage.customer(500)
    gates = [stage.run_gate("gate-1"), stage.run_gate("gate-2")]
    answers = _hammer_all(gates, key, 6, 16)
    settled = [r for g in ("gate-1", "gate-2") for r in stage.records(g) if isinstance(r, Settled)]
    assert sum(r.units for r in settled) == len(answers) * MICRO
    assert 450 <= len(answers) <= 500
    [(left,)] = stage.sql("SELECT sum(remaining) FROM usage_grant")
    leased = stage.sql("SELECT sum(amount) FROM usage_lease")[0][0]
    assert int(str(left)) + int(str(leased)) == 500 * MICRO
    by_lease: dict[bytes, int] = {}
    for record in settled:
        for lease_id, part in record.parts:
            by_lease[lease_id] = by_lease.get(lease_id, 0) + part
    drawn = {row[0]: row[1] for row in stage.sql("SELECT id, amount FROM usage_lease")}
    assert sum(by_lease.values()) <= sum(int(str(amount)) for amount in drawn.values())
    assert stage.sql("SELECT sum(amount) FROM usage_entry") == [(0,)]


def test_idle_leases_are_closed_after_their_last_settlement(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish()
    _, key = stage.customer(100)
    gate = stage.run_gate()
    gate.talk(request(key, "/n") * 3)
    time.sleep(4.5)
    records = stage.records()
    leases = {lease_id for r in records if isinstance(r, Settled) for lease_id, _ in r.parts}
    closed = [r.lease_id for r in records if isinstance(r, LeaseClosed)]
    assert leases <= set(closed)
    assert len(closed) == len(set(closed))
    assert statuses(gate.talk(request(key, "/n"))) == [200], "a new lease is drawn"


def test_drain_finishes_calls_and_returns_leases(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish()
    customer, key = stage.customer(100)
    gate = stage.run_gate()
    with closing(socket.create_connection(("127.0.0.1", gate.port))) as busy:
        busy.settimeout(5)
        busy.sendall(request(key, "/slow"))
        time.sleep(0.2)
        idle = socket.create_connection(("127.0.0.1", gate.port))
        gate.process.send_signal(signal.SIGTERM)
        answer = b""
        while data := busy.recv(65536):
            answer += data
        assert b"slow" in answer
        assert b"Connection: close" in answer
        assert idle.recv(10) == b""
        idle.close()
    assert gate.stop() == 0
    drawn = stage.sql("SELECT count(*) FROM usage_lease")[0][0]
    closed = [r for r in stage.records() if isinstance(r, LeaseClosed)]
    assert len(closed) == drawn
    assert [s.outcome for s in stage.settled(customer)] == [Outcome.OK]


def test_without_the_book_it_serves_what_is_leased_then_says_503(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish()
    _, key = stage.customer(1000)
    gate = stage.run_gate()
    assert statuses(gate.talk(request(key, "/n"))) == [200]
    with closing(sqlite3.connect(stage.database, isolation_level=None)) as book:
        book.execute("BEGIN EXCLUSIVE")
        answers = gate.talk(request(key, "/n") * 400, wait_s=4)
        book.execute("ROLLBACK")
    codes = statuses(answers)
    assert codes[0] == 200
    assert codes[-1] == 503
    assert problem(answers) == "book_unreachable"
    assert set(codes) == {200, 503}


def test_a_second_gate_of_the_same_name_does_not_start(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish()
    stage.run_gate()
    second = RunningGate(stage, "gate-1", {})
    assert second.process.wait(timeout=10) == 2
    assert "another gate already writes" in second.log.read_text().splitlines()[-1]


def test_a_busy_port_and_missing_secrets_are_one_sentence(new_stage: NewStage) -> None:
    stage = new_stage()
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        gate = RunningGate(stage, "gate-1", {"TOLLKEEPER_GATE_PORT": str(taken.getsockname()[1])})
        assert gate.process.wait(timeout=10) == 2
    assert "address already in use" in gate.log.read_text()
    (stage.home / "secrets" / "pepper").unlink()
    gate = RunningGate(stage, "gate-2", {})
    assert gate.process.wait(timeout=10) == 2
    lines = gate.log.read_text().splitlines()
    assert len(lines) == 1
    assert "run `tollkeeper migrate`" in lines[0]


def test_a_gate_waits_for_the_book_to_exist(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.database.rename(stage.home / "later")
    gate = RunningGate(stage, "gate-1", {})
    stage.gates.append(gate)
    until = time.monotonic() + 15
    page = b""
    while not page and time.monotonic() < until:
        try:
            page = gate.page("/readyz")
        except OSError:
            time.sleep(0.1)
    assert b" 503 " in page
    assert problem(gate.talk(request(b"k", "/n"))) == "not_ready"
    (stage.home / "later").rename(stage.database)
    stage.publish()
    gate.wait_ready()
