"""Money that does not match its order: held, then let pass or sent back by a person."""

from __future__ import annotations

import pytest

from tests.services.money import Till
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import purchase, refund
from tollkeeper.kit.trail.models import Entry
from tollkeeper.payments.models import Document, Refund
from tollkeeper.sales import queries as sales


def order_of(till: Till, number: str) -> sales.OrderView:
    found = sales.find_order(number)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("amount_total", 499, "amount"),
        ("currency", "eur", "currency"),
        ("livemode", True, "mode"),
        ("client_reference_id", "TK-22222-22222", "order"),
    ],
)
def test_money_that_does_not_match_waits_for_a_person(
    till: Till, field: str, value: object, reason: str
) -> None:
    number = till.order(till.customer())
    till.pay(number)
    session = till.engine.store.get("session", till.session(number))
    assert session is not None
    session[field] = value
    purchase.reconcile(order_of(till, number).order_id)
    order = order_of(till, number)
    assert (order.review, order.status) == (reason, "in_review")
    assert (till.jobs("fulfil_line"), Document.objects.count()) == (0, 0)


def mangled(till: Till, number: str, **fields: object) -> int:
    """Pay an order with a session that says something else than was asked; the order's id."""
    till.pay(number)
    session = till.engine.store.get("session", till.session(number))
    assert session is not None
    session.update(fields)
    order_id = order_of(till, number).order_id
    purchase.reconcile(order_id)
    return order_id


@pytest.mark.parametrize("field", [{"currency": "eur"}, {"livemode": True}])
def test_money_that_cannot_pay_goes_back_and_the_order_can_be_paid_again(
    till: Till, field: dict[str, object]
) -> None:
    number = till.order(till.customer())
    order_id = mangled(till, number, **field)
    with pytest.raises(Refused, match="send it back"):
        purchase.clear_review(order_id)
    assert refund.strays(order_id) == ((500, "EUR" if "currency" in field else "USD"),)
    (made,) = refund.return_strays(number)
    till.work()
    till.engine.bank.advance(60)
    till.deliver()
    assert Refund.objects.get(pk=made).state == "succeeded"
    assert refund.strays(order_id) == ()
    with pytest.raises(refund.CannotRefund):
        refund.return_strays(number)
    order = order_of(till, number)
    assert (order.review, order.money, order.refunded_minor, order.status) == (
        "",
        "unpaid",
        0,
        "awaiting_payment",
    )
    assert Document.objects.count() == 0
    till.pay(number)
    till.deliver()
    till.hand_over()
    assert order_of(till, number).status == "delivered"
    assert till.spendable(order.customer_id) == 10_000


@pytest.mark.parametrize("field", [{"amount_total": 499}, {"client_reference_id": "TK-22222-22222"}])
def test_what_an_operator_lets_pass_is_delivered(till: Till, field: dict[str, object]) -> None:
    number = till.order(till.customer())
    order_id = mangled(till, number, **field)
    purchase.clear_review(order_id)
    till.hand_over()
    assert order_of(till, number).status == "delivered"
    invoiced = sum(Document.objects.values_list("total_minor", flat=True))
    assert invoiced == order_of(till, number).captured_minor
    assert Entry.objects.filter(verb="order.accepted", object=f"sales.Order:{number}").count() == 1


def test_an_operator_clears_a_review(till: Till) -> None:
    number = till.order(till.customer())
    till.pay(number)
    session = till.engine.store.get("session", till.session(number))
    assert session is not None
    session["amount_total"] = 600
    order_id = order_of(till, number).order_id
    purchase.reconcile(order_id)
    purchase.clear_review(order_id)
    assert order_of(till, number).review == ""
    assert till.jobs("fulfil_line") == 1
