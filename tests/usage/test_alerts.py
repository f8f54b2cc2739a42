"""Each level is told once, until new units come; what ends soon is told once."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.utils import timezone

from tests.services.gates import UNIT, Gate
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage import queries, services
from tollkeeper.usage.models import Alert

pytestmark = pytest.mark.django_db
OWNER = (7, UNIT)


def give(amount: int, **more: object) -> int:
    key = f"g{timezone.now().timestamp()}{amount}"
    return services.issue_grant(key=key, customer_id=7, unit=UNIT, amount=amount, source="test", **more)  # type: ignore[arg-type]


def spend(units: int) -> None:
    gate, now = Gate(first_call=Alert.objects.count() * 1000 + units), to_micros(timezone.now())
    drawn = gate.draw(7, units, units, now)
    assert drawn.amount >= units
    offset = queries.position("gate-1", "1")
    records = [*gate.call(7, drawn.lease_id, units, now), gate.close(drawn.lease_id, 7, now)]
    services.take_in("gate-1", "1", offset, records, offset + 1)


def kinds(ids: list[int]) -> list[str]:
    return [queries.get_alert(number).kind for number in ids]


def test_each_level_is_told_once_as_it_is_reached() -> None:
    give(100)
    told = []
    for units in (49, 1, 10, 20, 5, 15):
        spend(units)
        told.append(kinds(services.raise_alerts([OWNER])))
    assert told == [[], ["used_50"], [], ["used_80"], [], ["used_100"]]
    assert services.raise_alerts([OWNER]) == []


def test_levels_passed_at_once_are_told_as_one() -> None:
    give(100)
    spend(100)
    assert kinds(services.raise_alerts([OWNER])) == ["used_100"]
    assert set(Alert.objects.values_list("kind", flat=True)) == {"used_50", "used_80", "used_100"}


def test_new_units_make_room_for_new_alerts() -> None:
    give(100)
    spend(60)
    assert kinds(services.raise_alerts([OWNER])) == ["used_50"]
    give(100)
    assert services.raise_alerts([OWNER]) == []
    spend(60)
    assert kinds(services.raise_alerts([OWNER])) == ["used_50"]


def test_what_a_gate_has_borrowed_is_not_spent() -> None:
    give(100)
    Gate().draw(7, 90, 90, to_micros(timezone.now()))
    assert services.raise_alerts([OWNER]) == []


def test_an_allowance_does_not_count() -> None:
    give(100)
    services.open_allowance(
        key="p1", customer_id=7, unit=UNIT, cap=10_000, ends_at=timezone.now() + dt.timedelta(days=1)
    )
    spend(80)
    assert kinds(services.raise_alerts([OWNER])) == ["used_80"]
    [balance] = queries.balances(7)
    assert (balance.spendable, balance.allowance, balance.used_percent) == (20, 10_000, 80)


def test_a_customer_without_units_is_told_nothing() -> None:
    assert services.raise_alerts([OWNER, (8, "tokens")]) == []


def test_units_that_end_soon_are_told_once_if_it_is_worth_a_letter() -> None:
    now = timezone.now()
    wanted = give(100, expires_at=now + dt.timedelta(days=30))
    give(101, expires_at=now + dt.timedelta(days=30), renews=True)
    give(102)
    with time_machine.travel(now + dt.timedelta(days=28), tick=False):
        give(103, expires_at=timezone.now() + dt.timedelta(days=2))
        [first] = services.raise_endings()
        assert services.raise_endings() == []
    alert = queries.get_alert(first)
    assert (alert.kind, alert.grant_id) == ("ending", wanted)
