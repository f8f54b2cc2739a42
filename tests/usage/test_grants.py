"""Giving, taking back, letting expire: each once, and owed units are paid by what comes."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from tests.services.gates import UNIT, Gate
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage import queries, services
from tollkeeper.usage.models import Balance, Grant, Txn

pytestmark = pytest.mark.django_db


def give(amount: int = 100, key: str = "a", **more: object) -> int:
    return services.issue_grant(key=key, customer_id=7, unit=UNIT, amount=amount, source="test", **more)  # type: ignore[arg-type]


def spend(units: int) -> None:
    gate, now = Gate(), to_micros(timezone.now())
    drawn = gate.draw(7, units, units, now)
    records = [*gate.call(7, drawn.lease_id, units, now), gate.close(drawn.lease_id, 7, now)]
    services.take_in("gate-1", "1", 0, records, 1)


@pytest.mark.parametrize(
    "wrong",
    [{"amount": 0}, {"amount": -1}, {"expires_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}],
)
def test_a_grant_that_cannot_be_is_refused_and_books_nothing(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="grant"):
        give(**wrong)  # type: ignore[arg-type]
    assert not Txn.objects.exists()


def test_a_future_grant_is_there_and_cannot_be_spent_yet() -> None:
    begins = timezone.now() + dt.timedelta(days=1)
    give(effective_at=begins)
    assert queries.balances(7)[0].spendable == 0
    assert Gate().draw(7, 1, 1, to_micros(timezone.now())).amount == 0
    assert [grant.state for grant in queries.grants(7)] == ["future"]
    with time_machine.travel(begins + dt.timedelta(seconds=1)):
        assert queries.balances(7)[0].spendable == 100


def test_what_is_owed_is_paid_by_a_grant_as_soon_as_it_begins() -> None:
    grant = give(100)
    spend(100)
    services.claw_back(key="chargeback", grant_id=grant)
    begins = timezone.now() + dt.timedelta(days=1)
    give(150, key="b", effective_at=begins)
    assert queries.balances(7)[0].owed == 100
    with time_machine.travel(begins + dt.timedelta(seconds=1)):
        services.expire_grants()
        [balance] = queries.balances(7)
        assert (balance.spendable, balance.owed) == (50, 0)
    assert services.check_book() == []


def test_a_chargeback_takes_the_own_grant_then_others_then_is_owed() -> None:
    one, two = give(100), give(30, key="b")
    spend(90)
    assert services.claw_back(key="c", grant_id=one) == 100
    rows = {row.id: (row.remaining, row.clawed) for row in queries.grants(7)}
    assert rows == {one: (0, 100), two: (0, 0)}
    assert queries.balances(7)[0].owed == 60
    assert services.restore_claw(key="c") == 100
    rows = {row.id: (row.remaining, row.clawed) for row in queries.grants(7)}
    assert rows == {one: (10, 0), two: (30, 0)}
    assert queries.balances(7)[0].owed == 0


def test_debt_can_be_written_off_once() -> None:
    grant = give(100)
    spend(100)
    services.claw_back(key="c", grant_id=grant)
    wish = {"key": "w", "customer_id": 7, "unit": UNIT, "account": "debt"}
    assert services.forgive(amount=40, **wish) == 40  # type: ignore[arg-type]
    assert services.forgive(amount=40, **wish) == 0  # type: ignore[arg-type]
    assert queries.balances(7)[0].owed == 60
    assert services.check_book() == []


def test_expiry_is_booked_once_however_late_the_sweeper_is() -> None:
    ends = timezone.now() + dt.timedelta(hours=1)
    give(expires_at=ends)
    with time_machine.travel(ends + dt.timedelta(days=9)):
        assert queries.balances(7)[0].spendable == 0, "nothing is given away before the sweep"
        assert services.expire_grants() == 1
        assert services.expire_grants() == 0
    assert services.check_book() == []


@pytest.mark.parametrize("field", ["spendable", "held", "debt", "overage"])
def test_the_tables_themselves_refuse_a_balance_below_zero(field: str) -> None:
    give()
    with pytest.raises(IntegrityError), transaction.atomic():
        Balance.objects.update(**{field: -1})


@pytest.mark.parametrize("fields", [{"remaining": -1}, {"clawed": 101}, {"remaining": 101}])
def test_the_tables_themselves_refuse_an_impossible_grant(fields: dict[str, int]) -> None:
    give()
    with pytest.raises(IntegrityError), transaction.atomic():
        Grant.objects.update(**fields)
