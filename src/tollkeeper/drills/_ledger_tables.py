"""The ledger's tables under random histories: grants, a gate's leases and journal, refunds, crashes.

The gate is played here by its own words: leases are drawn by the rules it uses, its
journal is what it would write. After every step the book is checked against itself.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
import uuid
from dataclasses import dataclass, field
from unittest import mock

from django.db import connection, transaction
from django.utils import timezone

from tollkeeper.core.charges import Outcome as Ending
from tollkeeper.core.journal import Admitted, LeaseClosed, Record, Settled
from tollkeeper.core.ledger import GrantView, carve, is_live, lease_legs
from tollkeeper.core.rehearsal import Scene
from tollkeeper.drills._shop import open_shop
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage import queries, services

CUSTOMER, UNIT, GATE = 4242, "calls", "gate-drill"
STEPS = 60
START = dt.datetime(2027, 3, 1, tzinfo=dt.UTC)


@dataclass
class Tables:
    """What was found over all histories."""

    histories: int = 0
    steps: int = 0
    faults: int = 0
    oversold: int = 0
    calls: int = 0
    lost: int = 0
    double: int = 0


@dataclass
class _Play:
    chance: random.Random
    now: dt.datetime
    customer: int
    gate_id: str
    leases: list[bytes] = field(default_factory=list)
    open: list[Admitted] = field(default_factory=list)
    buffer: list[Record] = field(default_factory=list)
    grants: list[int] = field(default_factory=list)
    offset: int = 0
    given: int = 0
    settled: int = 0
    written: int = 0
    serial: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def us(self) -> int:
        return to_micros(self.now)


def play(scene: Scene, count: int) -> Tables:
    """Play ``count`` histories in the scene's own book."""
    open_shop()
    found = Tables()
    for number in range(count):
        chance = random.Random(scene.seed * 49_979_687 + number)  # noqa: S311
        one = _Play(chance, START, CUSTOMER + number, f"{GATE}-{number}")
        with mock.patch.object(timezone, "now", lambda one=one: one.now):
            _history(one, found)
        scene.say(number + 1, count, "histories of the tables")
    found.faults += len(services.check_book())
    return found


def _history(one: _Play, found: Tables) -> None:
    moves = (
        _give,
        _give,
        _draw,
        _draw,
        _admit,
        _admit,
        _settle,
        _settle,
        _close,
        _take_in,
        _claw,
        _wait,
        _die,
    )
    found.histories += 1
    for _ in range(STEPS):
        one.chance.choice(moves)(one)
        found.steps += 1
        found.faults += len(services.check_book()) if one.chance.random() < 0.2 else 0
    _take_in(one, all_of_it=True)
    _die(one)
    total = queries.totals(one.customer)
    found.calls += one.written
    found.lost += max(0, one.written - total.calls)
    found.double += max(0, total.calls - one.written)
    used = sum(total.units.values())
    owed = sum(row.owed for row in queries.balances(one.customer))
    found.oversold += max(0, used - one.given - owed)
    found.faults += used != one.settled


def _give(one: _Play) -> None:
    amount = one.chance.randint(1, 60)
    ends = None if one.chance.random() < 0.4 else one.now + dt.timedelta(seconds=one.chance.randint(1, 90))
    key = f"{one.gate_id}:{next(one.serial)}"
    for _ in range(one.chance.randint(1, 2)):
        grant = services.issue_grant(
            key=key,
            customer_id=one.customer,
            unit=UNIT,
            amount=amount,
            priority=one.chance.randint(0, 2),
            expires_at=ends,
            source="drill",
        )
    one.given += amount
    one.grants.append(grant)


def _draw(one: _Play) -> None:
    """As a gate draws: the same rules, the same tables, one transaction."""
    need, now_us = one.chance.randint(1, 60), one.us()
    owner = (one.customer, UNIT)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, remaining, priority, effective_at, expires_at, created_at FROM usage_grant"
            " WHERE customer_id = %s AND unit = %s AND voided_at IS NULL AND remaining > 0",
            owner,
        )
        grants = [GrantView(*row) for row in cursor.fetchall()]
        if sum(grant.remaining for grant in grants if is_live(grant, now_us)) < need:
            return
        lease = uuid.UUID(int=one.chance.getrandbits(128), version=4)
        sources = carve(grants, need, now_us)
        for grant, part in sources:
            cursor.execute("UPDATE usage_grant SET remaining = remaining - %s WHERE id = %s", [part, grant])
        cursor.execute(
            "INSERT INTO usage_txn (key, kind, ref, booked_at) VALUES (%s, 'lease', %s, %s) RETURNING id",
            [f"lease:{lease}", str(lease), now_us],
        )
        txn = cursor.fetchone()[0]
        cursor.executemany(
            "INSERT INTO usage_entry (txn_id, customer_id, account, unit, amount)"
            " VALUES (%s, %s, %s, %s, %s)",
            [(txn, one.customer, leg.account, UNIT, leg.amount) for leg in lease_legs(str(lease), sources)],
        )
        cursor.execute(
            "INSERT INTO usage_lease (id, gate_id, customer_id, unit, amount, settled, state, sources,"
            " drawn_at, expires_at) VALUES (%s, %s, %s, %s, %s, 0, 'open', %s, %s, %s)",
            [str(lease), one.gate_id, *owner, need, json.dumps(sources), now_us, now_us + 30_000_000],
        )
        cursor.execute(
            "UPDATE usage_balance SET spendable = spendable - %s, held = held + %s, version = version + 1"
            " WHERE customer_id = %s AND unit = %s",
            [need, need, *owner],
        )
    one.leases.append(lease.bytes)


def _admit(one: _Play) -> None:
    if one.leases:
        parts = ((one.chance.choice(one.leases), one.chance.randint(0, 70)),)
        made = Admitted(next(one.serial), 1, one.customer, one.us(), 1, parts, "posts", UNIT)
        one.open.append(made)
        one.buffer.append(made)
        one.written += 1


def _settle(one: _Play) -> None:
    if not one.open:
        return
    call = one.open.pop(one.chance.randrange(len(one.open)))
    units = one.chance.randint(0, 70)
    parts = ((call.parts[0][0], units),)
    one.settled += units
    ended = Settled(
        call_id=call.call_id,
        key_id=1,
        customer_id=one.customer,
        at=call.at,
        latency_us=900,
        status=200,
        outcome=Ending.OK,
        flags=0,
        method=1,
        bytes_in=0,
        bytes_out=10,
        tokens_in=0,
        tokens_out=0,
        cache_read=0,
        cache_write=0,
        unpaid=0,
        parts=parts,
        route="posts",
        unit=UNIT,
        model="",
    )
    one.buffer.append(ended)


def _close(one: _Play) -> None:
    if one.leases:
        one.buffer.append(LeaseClosed(one.chance.choice(one.leases), one.customer, one.us()))


def _take_in(one: _Play, all_of_it: bool = False) -> None:
    """A batch of the journal, cut anywhere, sometimes brought twice."""
    count = len(one.buffer) if all_of_it else one.chance.randint(0, len(one.buffer))
    batch, one.buffer = one.buffer[:count], one.buffer[count:]
    if batch:
        after = one.offset + len(batch)
        for _ in range(one.chance.randint(1, 2)):
            services.take_in(one.gate_id, "1", one.offset, batch, after)
        one.offset = after


def _claw(one: _Play) -> None:
    if one.grants:
        key, grant = f"{one.gate_id}:{next(one.serial)}", one.chance.choice(one.grants)
        services.claw_back(key=key, grant_id=grant, amount=one.chance.choice((None, 5, 40)))
        if one.chance.random() < 0.5:
            services.restore_claw(key=key)


def _wait(one: _Play) -> None:
    one.now += dt.timedelta(seconds=one.chance.randint(1, 40))
    if one.chance.random() < 0.5:
        services.expire_grants(one.now)


def _die(one: _Play) -> None:
    """The gate is killed; its journal is whole; its leases' time passes."""
    _take_in(one, all_of_it=True)
    one.now += dt.timedelta(seconds=40)
    services.lapse_leases(one.gate_id, drawn_before=one.now)
    one.open, one.leases = [], []
