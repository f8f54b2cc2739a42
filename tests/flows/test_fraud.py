"""A bank's warning is noted once; small sums go back by themselves, large ones wait for a person."""

from __future__ import annotations

import pytest

from tests.services.money import Till
from tollkeeper.flows import fraud, refund
from tollkeeper.kit.trail.models import Entry
from tollkeeper.payments.models import Refund
from tollkeeper.sales import queries as sales


def order_of(number: str) -> sales.OrderView:
    found = sales.find_order(number)
    assert found is not None
    return found


def bound(till: Till, amount: str) -> None:
    shop = till.folder / "shop.toml"
    line = f'refund_warned = [{{ currency = "USD", amount = "{amount}" }}]'
    shop.write_text(shop.read_text().replace("[payments]\n", f"[payments]\n{line}\n"))
    till.reload()


def called_fraud(till: Till) -> tuple[int, str]:
    customer = till.customer()
    number = till.order(customer)
    till.pay(number, "fraud_warning")
    till.deliver()
    till.hand_over()
    till.engine.bank.advance(60)
    till.deliver()
    till.work()
    till.engine.bank.advance(60)
    till.deliver()
    return customer, number


@pytest.mark.parametrize(("amount", "back"), [("", False), ("4.99", False), ("5.00", True)])
def test_small_sums_go_back_by_themselves(till: Till, amount: str, back: bool) -> None:
    if amount:
        bound(till, amount)
    customer, number = called_fraud(till)
    assert order_of(number).money == ("refunded" if back else "paid")
    assert till.spendable(customer) == (0 if back else 10_000)
    assert fraud.waiting() == ([] if back else [number])
    assert [row.reason for row in Refund.objects.all()] == (["fraud"] if back else [])


def test_a_warning_is_noted_once_and_ends_with_a_persons_word(till: Till) -> None:
    _, number = called_fraud(till)
    payment = till.payment(number)
    fraud.warned(order_of(number).order_id, "stripe", payment)
    assert Entry.objects.filter(verb="payment.warned").count() == 1
    assert fraud.trust(number)
    assert not fraud.trust(number)
    assert not fraud.trust("TK-22222-22222")
    assert fraud.waiting() == []
    fraud.warned(order_of(number).order_id, "stripe", payment)
    assert fraud.waiting() == []


def test_a_refund_ends_the_task_too(till: Till) -> None:
    _, number = called_fraud(till)
    refund.request_refund(number, reason="fraud", revokes=True)
    till.work()
    till.engine.bank.advance(60)
    till.deliver()
    assert fraud.waiting() == []
