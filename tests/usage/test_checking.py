"""The checker finds what is wrong in the book, and a rebuild mends what can be made anew."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from tests.services.gates import UNIT, Gate
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage import services
from tollkeeper.usage.models import Balance, Day

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _book() -> None:
    """A sound book with a grant, two leases (one closed), a claw-back and an overage."""
    gate, now = Gate(), to_micros(timezone.now())
    grant = services.issue_grant(key="a", customer_id=7, unit=UNIT, amount=100, source="test")
    now = to_micros(timezone.now())
    first, second = gate.draw(7, 30, 30, now), gate.draw(7, 20, 20, now)
    records = [*gate.call(7, first.lease_id, 10, now), gate.close(first.lease_id, 7, now)]
    records += gate.call(7, second.lease_id, 5, now)
    services.take_in("gate-1", "1", 0, records, 1)
    services.claw_back(key="r1", grant_id=grant, amount=25)
    assert services.check_book() == []


FAULTS = {
    "grant": "UPDATE usage_grant SET remaining = remaining - 1",
    "clawed": "UPDATE usage_grant SET clawed = clawed - 1",
    "spendable": "UPDATE usage_balance SET spendable = spendable + 1",
    "held": "UPDATE usage_balance SET held = 0",
    "debt": "UPDATE usage_balance SET debt = 3",
    "overage": "UPDATE usage_balance SET overage = 3",
    "lease": "UPDATE usage_lease SET settled = settled + 1 WHERE state = 'open'",
    "lease state": "UPDATE usage_lease SET state = 'returned' WHERE state = 'open'",
    "unbalanced": "UPDATE usage_entry SET amount = amount + 1 WHERE account = 'used'",
    "lost entry": "DELETE FROM usage_entry WHERE id = (SELECT max(id) FROM usage_entry)",
    "lost transaction": "DELETE FROM usage_txn WHERE id = (SELECT max(id) FROM usage_txn)",
    "lost lease": "DELETE FROM usage_lease WHERE state = 'open'",
    "lost grant": "DELETE FROM usage_grant",
    "lost balance": "DELETE FROM usage_balance",
    "lost day": "UPDATE usage_day SET units = units - 1",
    "day too much": "UPDATE usage_day SET units = units + 1",
    "another customer": "UPDATE usage_entry SET customer_id = 8 WHERE account = 'used'",
}
MENDED = ("grant", "clawed", "spendable", "held", "debt", "overage", "lease")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_found(fault: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FAULTS[fault])
    found = services.check_book()
    assert found, fault
    assert all(str(one) for one in found)


@pytest.mark.parametrize("fault", MENDED)
def test_projections_are_made_anew_from_the_entries(fault: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FAULTS[fault])
    assert services.rebuild() >= 1
    assert services.check_book() == []
    assert services.rebuild() == 0


def test_sums_deleted_by_age_are_no_fault_and_sums_too_high_are() -> None:
    with time_machine.travel(timezone.now() + dt.timedelta(days=500)):
        Day.objects.all().delete()
        assert services.check_book() == []
        Day.objects.create(customer_id=7, day=timezone.now().date(), key_id=1, route="x", unit=UNIT, units=99)
        assert [fault.code for fault in services.check_book()] == ["used"]


def test_what_an_erased_customer_left_is_no_fault_unless_it_could_be_spent() -> None:
    services.issue_grant(key="b", customer_id=9, unit=UNIT, amount=5, source="test")
    services.claw_back(
        key="r2", grant_id=services.issue_grant(key="b", customer_id=9, unit=UNIT, amount=5, source="test")
    )
    Balance.objects.filter(customer_id=9).delete()
    assert services.check_book() == []
