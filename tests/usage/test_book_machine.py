"""Whole room: any history of grants, leases, journals and claw-backs leaves a sound book."""

from __future__ import annotations

import datetime as dt
import os

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.services.gates import UNIT, Gate
from tollkeeper.core.journal import Admitted, Record
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage import services
from tollkeeper.usage.intake import lease_text
from tollkeeper.usage.lapse import GRACE_S
from tollkeeper.usage.models import Balance, Call, Entry, Grant, Lease

CUSTOMER, NOBODY = 7, 99
START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
AMOUNTS = st.integers(1, 60)


class BookMachine(RuleBasedStateMachine):
    """Invariants 1 to 9 on the tables themselves, with the gate's own SQL drawing the leases."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = time_machine.travel(START, tick=False)
        self.time = self.clock.start()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.gate = Gate()
        self.leases: list[tuple[bytes, int]] = []
        self.open: list[Admitted] = []
        self.offset = 0
        self.buffer: list[Record] = []
        self.spent = 0
        self.serial = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)
        self.clock.stop()

    def us(self) -> int:
        return to_micros(timezone.now())

    def next(self) -> str:
        self.serial += 1
        return str(self.serial)

    @rule(
        amount=AMOUNTS, priority=st.integers(0, 2), lasts=st.none() | st.integers(1, 90), twice=st.booleans()
    )
    def give(self, amount: int, priority: int, lasts: int | None, twice: bool) -> None:
        key = self.next()
        ends = None if lasts is None else timezone.now() + dt.timedelta(seconds=lasts)
        made = [
            services.issue_grant(
                key=key,
                customer_id=CUSTOMER,
                unit=UNIT,
                amount=amount,
                priority=priority,
                expires_at=ends,
                source="test",
            )
            for _ in range(1 + twice)
        ]
        assert len(set(made)) == 1

    @rule(need=AMOUNTS, want=AMOUNTS)
    def draw(self, need: int, want: int) -> None:
        drawn = self.gate.draw(CUSTOMER, need, want, self.us())
        if drawn.amount:
            assert drawn.amount >= need
            self.leases.append((drawn.lease_id, drawn.amount))

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), units=st.integers(0, 70))
    def admit(self, data: st.DataObject, units: int) -> None:
        lease, _ = data.draw(st.sampled_from(self.leases))
        admitted = self.gate.admit(CUSTOMER, ((lease, units),), self.us())
        self.open.append(admitted)
        self.buffer.append(admitted)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), units=st.integers(0, 70))
    def settle(self, data: st.DataObject, units: int) -> None:
        admitted = data.draw(st.sampled_from(self.open))
        self.open.remove(admitted)
        self.buffer.append(self.gate.settle(admitted, ((admitted.parts[0][0], units),)))
        self.spent += units

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        lease, _ = data.draw(st.sampled_from(self.leases))
        self.buffer.append(self.gate.close(lease, CUSTOMER, self.us()))

    @rule(part=st.floats(0, 1), twice=st.booleans())
    def take_in(self, part: float, twice: bool) -> None:
        count = max(1, int(len(self.buffer) * part))
        batch, self.buffer = self.buffer[:count], self.buffer[count:]
        after = self.offset + len(batch)
        if batch:
            assert services.take_in("gate-1", "1", self.offset, batch, after).booked
            if twice:
                assert not services.take_in("gate-1", "1", self.offset, batch, after).booked
        self.offset = after

    @precondition(lambda self: Grant.objects.filter(customer_id=CUSTOMER).exists())
    @rule(data=st.data(), amount=st.none() | AMOUNTS, twice=st.booleans(), won=st.booleans())
    def claw(self, data: st.DataObject, amount: int | None, twice: bool, won: bool) -> None:
        mine = Grant.objects.filter(customer_id=CUSTOMER)
        chosen = data.draw(st.sampled_from(sorted(mine.values_list("pk", flat=True))))
        key = self.next()
        clawed = services.claw_back(key=key, grant_id=chosen, amount=amount)
        if twice:
            assert services.claw_back(key=key, grant_id=chosen, amount=amount) == 0
        if won:
            assert services.restore_claw(key=key) == clawed
            assert services.restore_claw(key=key) == 0

    @precondition(lambda self: Grant.objects.filter(customer_id=CUSTOMER).exists())
    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        mine = Grant.objects.filter(customer_id=CUSTOMER)
        chosen = data.draw(st.sampled_from(sorted(mine.values_list("pk", flat=True))))
        services.void_grant(chosen)
        assert Grant.objects.get(pk=chosen).remaining == 0

    @rule(account=st.sampled_from(["debt", "overage"]))
    def forgive(self, account: str) -> None:
        services.forgive(key=self.next(), customer_id=CUSTOMER, unit=UNIT, account=account)

    @rule(seconds=st.integers(1, 40), old_s=st.none() | st.integers(0, 60))
    def wait(self, seconds: int, old_s: int | None) -> None:
        """And sometimes old pages lose their person: nothing booked before stays with the customer."""
        self.time.shift(seconds)
        if old_s is None:
            return
        before = timezone.now() - dt.timedelta(seconds=old_s)
        services.carry_forward((CUSTOMER, UNIT), before, NOBODY)
        assert not Entry.objects.filter(customer_id=CUSTOMER, txn__booked_at__lt=before).exists()
        assert services.carry_forward((CUSTOMER, UNIT), before, NOBODY) == (0, 0)

    @rule()
    def sweep(self) -> None:
        services.expire_grants()
        over = Grant.objects.filter(expires_at__lte=timezone.now())
        assert not over.filter(remaining__gt=0).exists()

    @rule()
    def gate_dies(self) -> None:
        """All that it wrote is taken in, its leases' time passes, a new process begins."""
        if self.buffer:
            self.take_in(1.0, twice=False)
        left = len(self.open)
        before = Call.objects.count()
        self.time.shift(31 + GRACE_S)
        services.lapse_leases("gate-1", drawn_before=timezone.now())
        assert Call.objects.count() == before + left
        assert not Lease.objects.filter(state="open").exists()
        self.open, self.leases = [], []

    @invariant()
    def the_book_is_sound(self) -> None:
        assert services.check_book() == []

    @invariant()
    def nothing_is_oversold(self) -> None:
        balance = Balance.objects.filter(customer_id=CUSTOMER).first()
        if balance is None:
            return
        given = sum(Grant.objects.values_list("amount", flat=True))
        total = {"used": 0, "expired": 0, "clawed": 0}
        for account, amount in Entry.objects.values_list("account", "amount"):
            head = account.partition(":")[0]
            if head in total:
                total[head] += amount
        lent = balance.spendable + balance.held - balance.debt - balance.overage
        forgiven = sum(
            Entry.objects.filter(txn__kind="forgive", amount__gt=0).values_list("amount", flat=True)
        )
        assert given + forgiven == sum(total.values()) + lent

    @invariant()
    def every_settled_unit_is_used_once(self) -> None:
        pending = sum(r.units for r in self.buffer if not isinstance(r, Admitted) and hasattr(r, "units"))
        used = sum(Entry.objects.filter(account="used").values_list("amount", flat=True))
        assert used == self.spent - pending

    @rule()
    def rebuild(self) -> None:
        assert services.rebuild() == 0, "a projection differed from its entries"


EXAMPLES = int(os.environ.get("TOLLKEEPER_EXAMPLES", "10"))
"""More of them in the nightly run."""


@pytest.mark.timeout(60 + 8 * EXAMPLES)
@pytest.mark.django_db
def test_any_history_leaves_a_sound_book() -> None:
    run_state_machine_as_test(
        BookMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.django_db
def test_the_book_of_two_customers_is_kept_apart() -> None:
    for customer in (1, 2):
        services.issue_grant(key=f"g{customer}", customer_id=customer, unit=UNIT, amount=10, source="test")
    gate = Gate()
    now = to_micros(timezone.now())
    drawn = gate.draw(1, 4, 4, now)
    services.take_in("gate-1", "1", 0, gate.call(1, drawn.lease_id, 3, now), 100)
    rows = {b.customer_id: (b.spendable, b.held) for b in Balance.objects.all()}
    assert rows == {1: (10 - drawn.amount, drawn.amount - 3), 2: (10, 0)}
    assert Lease.objects.get(pk=lease_text(drawn.lease_id)).settled == 3
    assert services.check_book() == []
