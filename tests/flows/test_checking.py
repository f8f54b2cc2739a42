"""The checker of money finds every fault that is put into a sound book, and none in a sound one."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.db.models import F

from tests.services.money import Till
from tollkeeper.flows import bank, checking, purchase, refund
from tollkeeper.kit.jobs import Context, GiveUp
from tollkeeper.payments.models import Attempt, Document, Refund, Series
from tollkeeper.sales.models import Order, OrderLine, SubscriptionPeriod

DAY = 86_400


def codes() -> list[str]:
    return sorted({fault.code for fault in checking.check_money()})


@pytest.fixture
def busy(till: Till) -> Till:
    """A shop in which much has happened: renewals, refunds, a dispute, a transfer that came late."""
    customer = till.customer()
    till.bought(customer, "pro")
    number = till.bought(customer)
    refund.request_refund(number, 200)
    till.work()
    other = till.order(till.customer())
    till.pay(other, "dispute")
    till.deliver()
    till.hand_over()
    till.engine.bank.advance(60)
    till.deliver()
    late = till.order(till.customer())
    purchase.begin_payment(late, "invoice")
    till.shift(late, dt.timedelta(days=15))
    purchase.expire_orders(None)  # type: ignore[arg-type]
    till.work()
    bank.confirm_transfer(late, 480, dt.date(2027, 1, 31), mark="a")
    bank.take_for_the_whole(late)
    till.hand_over()
    waiting = till.order(till.customer())
    purchase.begin_payment(waiting, "invoice")
    till.engine.bank.advance(31 * DAY)
    till.deliver()
    till.hand_over()
    return till


def test_a_busy_shop_is_sound(busy: Till) -> None:
    assert checking.check_money() == []
    checking.check_money_nightly(Context.__new__(Context))


def forge(table: str, change: str) -> None:
    """Change rows behind the back of the models, which would refuse it."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {change}")


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (
            lambda: Order.objects.filter(captured_minor=2900).update(captured_minor=2901), ["captured"],
        ),
        (lambda: Order.objects.filter(refunded_minor=200).update(refunded_minor=0), ["invoiced", "refunded"]),
        (lambda: Refund.objects.update(amount_minor=9_999), ["refunded", "refunded_more"]),
        (
            lambda: Attempt.objects.filter(provider="stripe").update(state="failed"),
            ["captured", "refunded_more"],
        ),
        (lambda: Series.objects.update(next_number=F("next_number") + 1), ["next_number"]),
        (lambda: forge("payments_document", "number = number + 100"), ["next_number", "numbers_gap"]),
        (lambda: forge("payments_document", "snapshot = '{}'"), ["document_changed"]),
        (lambda: forge("payments_document", "total_minor = total_minor + 1"), ["invoiced"]),
        (
            lambda: Order.objects.filter(kind="purchase", money="paid").update(money="unpaid"),
            ["unpaid_delivery"],
        ),
        (
            lambda: SubscriptionPeriod.objects.filter(number=1).update(
                starts_at=F("starts_at") - dt.timedelta(seconds=1)
            ),
            ["periods_overlap"],
        ),
    ],
    ids=[
        "captured", "refunded", "more went back", "payment gone", "next number", "gap", "changed", "sum",
        "unpaid", "periods",
    ],
)  # fmt: skip
def test_every_fault_is_found(busy: Till, fault: object, found: list[str]) -> None:
    assert OrderLine.objects.exists()
    assert Document.objects.exists()
    fault()  # type: ignore[operator]
    assert codes() == found
    with pytest.raises(GiveUp):
        checking.check_money_nightly(Context.__new__(Context))
