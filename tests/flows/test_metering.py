"""Journals into the book: each byte once, whatever dies in between; what dead gates left."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import random
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone

from tests.services.gates import UNIT, Gate, Journal, unknown_lease
from tests.services.lines import PRO, customer
from tollkeeper.core.journal import Admitted, Record
from tollkeeper.delivery import services as delivery
from tollkeeper.delivery.models import Key
from tollkeeper.flows import metering
from tollkeeper.flows.metering import Intake
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage import queries, services
from tollkeeper.usage.models import Admission, Call, Cursor, Grant, Lease

pytestmark = pytest.mark.django_db
CUSTOMER = 7


@pytest.fixture
def intake(tmp_path: Path) -> Intake:
    return Intake(tmp_path)


@pytest.fixture
def gate() -> Gate:
    return Gate()


def now_us() -> int:
    return to_micros(timezone.now())


def give(amount: int = 1000, **more: object) -> int:
    key = f"g{Grant.objects.count()}"
    return services.issue_grant(
        key=key, customer_id=CUSTOMER, unit=UNIT, amount=amount, source="test", **more
    )  # type: ignore[arg-type]


def spendable() -> int:
    return queries.balances(CUSTOMER)[0].spendable


def test_calls_units_days_and_closed_leases_reach_the_book(
    intake: Intake, gate: Gate, tmp_path: Path
) -> None:
    give()
    lease = gate.draw(CUSTOMER, 100, 100, now_us())
    journal = Journal(tmp_path / "gate-1", now_us())
    journal.write(*gate.call(CUSTOMER, lease.lease_id, 3, now_us()))
    journal.write(*gate.call(CUSTOMER, lease.lease_id, 4, now_us()))
    assert intake.turn()
    assert not intake.turn()
    assert queries.totals(CUSTOMER).units == {UNIT: 7}
    assert [row.units for row in queries.recent_calls(CUSTOMER)] == [4, 3]
    assert spendable() == 1000 - lease.amount
    journal.write(gate.close(lease.lease_id, CUSTOMER, now_us()))
    intake.turn()
    assert spendable() == 993
    assert Lease.objects.get().state == "returned"
    assert services.check_book() == []
    assert not Admission.objects.exists()


def test_two_workers_book_everything_once(gate: Gate, tmp_path: Path) -> None:
    give()
    lease = gate.draw(CUSTOMER, 500, 500, now_us())
    journal = Journal(tmp_path / "gate-1", now_us())
    workers = [Intake(tmp_path), Intake(tmp_path)]
    for number in range(30):
        journal.write(*gate.call(CUSTOMER, lease.lease_id, 2, now_us()))
        workers[number % 3 % 2].turn()
    for worker in workers:
        worker.turn()
    assert queries.totals(CUSTOMER).calls == 30
    assert services.check_book() == []


def test_a_torn_tail_is_waited_for_and_read_once_whole(intake: Intake, gate: Gate, tmp_path: Path) -> None:
    give()
    lease = gate.draw(CUSTOMER, 100, 100, now_us())
    journal = Journal(tmp_path / "gate-1", now_us())
    whole = journal.write(*gate.call(CUSTOMER, lease.lease_id, 3, now_us()))
    journal.path.write_bytes(whole[:-7])
    assert not intake.turn()
    journal.path.write_bytes(whole)
    assert intake.turn()
    assert Call.objects.count() == 1


def test_frames_bigger_than_a_chunk_are_read(
    intake: Intake, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metering, "CHUNK", 64)
    give()
    lease = gate.draw(CUSTOMER, 500, 500, now_us())
    journal = Journal(tmp_path / "gate-1", now_us())
    for _ in range(3):
        records: list[Record] = []
        for _ in range(20):
            records += gate.call(CUSTOMER, lease.lease_id, 1, now_us())
        journal.write(*records)
    intake.turn()
    assert queries.totals(CUSTOMER).units == {UNIT: 60}


def test_damage_in_the_middle_stops_that_segment_and_calls_an_operator(
    intake: Intake, gate: Gate, tmp_path: Path
) -> None:
    give()
    lease = gate.draw(CUSTOMER, 100, 100, now_us())
    journal = Journal(tmp_path / "gate-1", 1)
    first = journal.write(*gate.call(CUSTOMER, lease.lease_id, 3, now_us()))
    second = journal.write(*gate.call(CUSTOMER, lease.lease_id, 3, now_us()))
    third = journal.write(*gate.call(CUSTOMER, lease.lease_id, 3, now_us()))
    broken = bytearray(second)
    broken[-3] ^= 1
    journal.path.write_bytes(first + bytes(broken) + third)
    other = Journal(tmp_path / "gate-2", 1)
    other.write(*Gate("gate-2").call(CUSTOMER, lease.lease_id, 5, now_us()))
    intake.turn()
    intake.turn()
    assert [row.reason for row in queries.strays()] == ["corrupt journal "]
    assert not intake.drained("gate-1", now_us())
    assert Call.objects.filter(gate_id="gate-2").count() == 1


@pytest.mark.parametrize("seed", range(4))
def test_any_cut_of_the_stream_gives_the_same_book(gate: Gate, tmp_path: Path, seed: int) -> None:
    """The file grows by random bytes, read after each growth by a worker that may be a new one."""
    chance = random.Random(seed)
    give(2000)
    leases = [gate.draw(CUSTOMER, 50, 100, now_us()) for _ in range(4)]
    stream, spent, open_calls = b"", 0, []
    scratch = Journal(tmp_path / "scratch", 1)
    for _ in range(60):
        lease = chance.choice(leases)
        admitted = gate.admit(CUSTOMER, ((lease.lease_id, 5),), now_us())
        open_calls.append(admitted)
        stream += scratch.write(admitted)
        if chance.random() < 0.8:
            ended = open_calls.pop(chance.randrange(len(open_calls)))
            units = chance.choice([0, 1, 5])
            spent += units
            stream += scratch.write(gate.settle(ended, ((ended.parts[0][0], units),)))
    for ended in open_calls:
        stream += scratch.write(gate.settle(ended, ((ended.parts[0][0], 1),)))
        spent += 1
    for lease in leases:
        stream += scratch.write(gate.close(lease.lease_id, CUSTOMER, now_us()))
    folder = tmp_path / "home"
    live = Journal(folder / "gate-1", 2)
    worker = Intake(folder)
    at = 0
    while at < len(stream):
        step = chance.randrange(1, 700)
        with live.path.open("ab") as file:
            file.write(stream[at : at + step])
        at += step
        if chance.random() < 0.3:
            worker = Intake(folder)
        worker.turn()
    assert queries.totals(CUSTOMER).units == {UNIT: spent}
    assert spendable() == 2000 - spent
    assert services.check_book() == []
    assert not Admission.objects.exists()


def test_what_comes_after_closing_goes_to_grants_and_then_overage(
    intake: Intake, gate: Gate, tmp_path: Path
) -> None:
    give(10)
    lease = gate.draw(CUSTOMER, 10, 10, now_us())
    late = gate.admit(CUSTOMER, ((lease.lease_id, 4),), now_us())
    journal = Journal(tmp_path / "gate-1", now_us())
    journal.write(late, gate.close(lease.lease_id, CUSTOMER, now_us()))
    intake.turn()
    assert spendable() == 10
    journal.write(gate.settle(late, ((lease.lease_id, 14),)))
    intake.turn()
    [balance] = queries.balances(CUSTOMER)
    assert (balance.spendable, balance.owed) == (0, 4)
    give(100)
    [balance] = queries.balances(CUSTOMER)
    assert (balance.spendable, balance.owed) == (96, 0)
    assert services.check_book() == []


def test_what_comes_back_to_a_grant_that_is_over_expires(intake: Intake, gate: Gate, tmp_path: Path) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        give(10, expires_at=timezone.now() + dt.timedelta(seconds=5))
        lease = gate.draw(CUSTOMER, 10, 10, now_us())
        clock.shift(6)
        journal = Journal(tmp_path / "gate-1", now_us())
        journal.write(
            *gate.call(CUSTOMER, lease.lease_id, 4, now_us()), gate.close(lease.lease_id, CUSTOMER, now_us())
        )
        intake.turn()
        assert Grant.objects.get().remaining == 0
        assert services.check_book() == []


def test_records_that_contradict_the_book_are_put_aside(intake: Intake, gate: Gate, tmp_path: Path) -> None:
    give(10)
    journal = Journal(tmp_path / "gate-1", now_us())
    stray = gate.call(CUSTOMER, unknown_lease(), 3, now_us())
    journal.write(*stray)
    intake.turn()
    journal.write(*stray)
    intake.turn()
    assert sorted(row.reason.partition(" ")[0] for row in queries.strays()) == ["repeated", "unknown"]
    assert queries.totals(CUSTOMER).units == {UNIT: 3}
    assert services.check_book() == []


def test_a_used_key_is_marked_with_the_day(intake: Intake, gate: Gate, tmp_path: Path) -> None:
    key_id, _ = delivery.create_key(customer(), name="a", terms=PRO)
    journal = Journal(tmp_path / "gate-1", now_us())
    admitted = gate.admit(CUSTOMER, (), now_us(), key_id=key_id)
    journal.write(admitted, gate.settle(admitted, ()))
    intake.turn()
    assert Key.objects.get().last_used_on == timezone.now().date()


def test_anything_else_in_the_folder_is_left_alone(intake: Intake, tmp_path: Path) -> None:
    assert not Intake(tmp_path / "missing").turn()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "gate-1").mkdir()
    (tmp_path / "gate-1" / "old.log").write_text("hello")
    assert not intake.turn()
    assert not Cursor.objects.exists()


class DeadOrAlive:
    """The lock of a gate, held or not."""

    def __init__(self, folder: Path, began_us: int) -> None:
        self.path = folder / "lock"
        self.path.write_text(f"{began_us}\n")
        self.held = os.open(self.path, os.O_RDWR)
        fcntl.flock(self.held, fcntl.LOCK_EX)

    def die(self) -> None:
        os.close(self.held)


@pytest.fixture
def crashed(gate: Gate, tmp_path: Path) -> tuple[DeadOrAlive, list[Admitted], time_machine.Traveller]:
    """A gate with a lease of 100, 30 of it spent, one call open, its last frame torn; 60 s pass."""
    with time_machine.travel(timezone.now(), tick=False) as clock:
        journal = Journal(tmp_path / "gate-1", now_us())
        lock = DeadOrAlive(tmp_path / "gate-1", now_us())
        clock.shift(1)
        give(1000)
        lease = gate.draw(CUSTOMER, 100, 100, now_us())
        open_call = gate.admit(CUSTOMER, ((lease.lease_id, 5),), now_us())
        journal.write(*gate.call(CUSTOMER, lease.lease_id, 30, now_us()), open_call)
        torn = journal.write(gate.close(lease.lease_id, CUSTOMER, now_us()))
        data = journal.path.read_bytes()
        journal.path.write_bytes(data[: len(data) - len(torn) // 2])
        clock.shift(60)
        yield lock, [open_call], clock
    lock.die() if lock.held else None


def test_a_dead_gates_lease_lapses_and_its_open_calls_end_by_rule(intake: Intake, crashed) -> None:
    lock, [open_call], _ = crashed
    assert metering.lapse(intake) == 0, "its process holds the lock: it is slow, not dead"
    lock.die()
    assert metering.lapse(intake) == 1
    lock.held = 0
    assert spendable() == 970
    ended = Call.objects.get(request_id__endswith=f"{open_call.call_id:x}")
    assert (ended.outcome, ended.units, ended.estimated) == (11, 0, True)
    assert Lease.objects.get().state == "lapsed"
    assert services.check_book() == []
    assert metering.lapse(intake) == 0


def test_a_later_process_of_the_same_gate_shows_that_the_first_is_dead(
    intake: Intake, crashed, tmp_path: Path, gate: Gate
) -> None:
    lock, _, clock = crashed
    lock.die()
    fresh = DeadOrAlive(tmp_path / "gate-1", now_us())
    clock.shift(1)
    mine = gate.draw(CUSTOMER, 10, 10, now_us())
    assert metering.lapse(intake) == 1
    assert Lease.objects.filter(state="open").get().amount == mine.amount
    fresh.die()
    lock.held = 0


def test_a_journal_that_is_not_here_lapses_nothing(intake: Intake, gate: Gate) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        give(10)
        gate.draw(CUSTOMER, 10, 10, now_us())
        clock.shift(600)
        assert metering.lapse(intake) == 0
        assert Lease.objects.get().state == "open"


def test_a_gate_whose_disk_is_lost_can_be_written_off(gate: Gate) -> None:
    with time_machine.travel(timezone.now(), tick=False) as clock:
        give(10)
        gate.draw(CUSTOMER, 10, 10, now_us())
        assert metering.write_off("gate-1") == 0, "it may still be alive"
        clock.shift(600)
        assert metering.write_off("gate-1") == 1
        assert spendable() == 10


def test_segments_stay_until_they_are_in_the_book_for_a_day(
    intake: Intake, gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give()
    lease = gate.draw(CUSTOMER, 100, 100, now_us())
    segments = [Journal(tmp_path / "gate-1", number) for number in (1, 2, 3)]
    for segment in segments:
        segment.write(*gate.call(CUSTOMER, lease.lease_id, 1, now_us()))
    monkeypatch.setattr(metering, "_intake", intake)
    old = timezone.now().timestamp() - 2 * metering.KEEP_DRAINED_S
    for segment in segments:
        os.utime(segment.path, (old, old))
    metering.remove_drained(None)  # type: ignore[arg-type]
    assert len(list(tmp_path.glob("gate-1/*.log"))) == 3
    intake.turn()
    metering.remove_drained(None)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.glob("gate-1/*.log")] == ["3.log"]


def test_one_look_at_the_journals_also_lapses_and_the_sweep_expires(
    intake: Intake, crashed, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, _, clock = crashed
    lock.die()
    lock.held = 0
    monkeypatch.setattr(metering, "_intake", intake)
    for _ in range(20):
        metering.meter(None)  # type: ignore[arg-type]
    assert spendable() == 970
    Grant.objects.update(expires_at=timezone.now() + dt.timedelta(seconds=1))
    clock.shift(2)
    metering.expire(None)  # type: ignore[arg-type]
    assert Grant.objects.get().remaining == 0
