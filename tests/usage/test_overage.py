"""An allowance is drawn last, never passed, and billed for what was used of it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tests.services.gates import UNIT, Gate
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage import queries, services
from tollkeeper.usage.models import Grant

pytestmark = pytest.mark.django_db


def allow(cap: int = 50, key: str = "p1") -> int:
    ends = timezone.now() + dt.timedelta(days=30)
    return services.open_allowance(key=key, customer_id=7, unit=UNIT, cap=cap, ends_at=ends)


def spend(gate: Gate, units: int, *, close: bool = True) -> bytes:
    now = to_micros(timezone.now())
    drawn = gate.draw(7, units, units, now)
    records = gate.call(7, drawn.lease_id, units, now)
    if close:
        records.append(gate.close(drawn.lease_id, 7, now))
    offset = queries.position(gate.gate_id, "1")
    services.take_in(gate.gate_id, "1", offset, records, offset + 1)
    return drawn.lease_id


def test_it_is_drawn_last_and_ends_at_its_cap() -> None:
    allowance = allow(50)
    services.issue_grant(key="plan", customer_id=7, unit=UNIT, amount=100, source="line:1")
    gate = Gate()
    spend(gate, 100)
    assert Grant.objects.get(pk=allowance).remaining == 50
    spend(gate, 30)
    assert gate.draw(7, 21, 21, to_micros(timezone.now())).amount == 0
    assert services.close_allowance(allowance) == 30
    assert services.close_allowance(allowance) == 30
    assert gate.draw(7, 1, 1, to_micros(timezone.now())).amount == 0
    assert services.check_book() == []


def test_nothing_is_billed_while_a_gate_holds_some() -> None:
    allowance = allow(50)
    gate = Gate()
    lease = spend(gate, 10, close=False)
    assert services.close_allowance(allowance) is None
    offset = queries.position("gate-1", "1")
    end = gate.close(lease, 7, to_micros(timezone.now()))
    services.take_in("gate-1", "1", offset, [end], offset + 1)
    assert services.close_allowance(allowance) == 10
    assert services.check_book() == []


def test_the_cap_can_be_raised_and_lowered_but_not_below_what_is_used() -> None:
    allowance = allow(50)
    gate = Gate()
    spend(gate, 20)
    assert services.change_cap(key="a", grant_id=allowance, cap=80) == 80
    assert services.change_cap(key="a", grant_id=allowance, cap=500) == 80, "the same wish twice"
    assert services.change_cap(key="b", grant_id=allowance, cap=30) == 30
    assert services.change_cap(key="c", grant_id=allowance, cap=5) == 20
    assert queries.balances(7)[0].allowance == 0
    assert services.change_cap(key="d", grant_id=allowance, cap=25) == 25
    spend(gate, 5)
    assert services.close_allowance(allowance) == 25
    assert services.check_book() == []


def test_only_allowances_have_caps() -> None:
    plan = services.issue_grant(key="plan", customer_id=7, unit=UNIT, amount=100, source="line:1")
    with pytest.raises(Grant.DoesNotExist):
        services.change_cap(key="a", grant_id=plan, cap=80)


def test_what_ran_out_before_it_is_closed_is_not_counted_as_used() -> None:
    allowance = allow(50)
    spend(Gate(), 30)
    ends = Grant.objects.get(pk=allowance).expires_at
    assert ends is not None
    services.expire_grants(ends)
    assert queries.allowance_used(allowance) == 30
    assert services.close_allowance(allowance) == 30
    assert services.check_book() == []
