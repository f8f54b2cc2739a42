"""Coupons and several pieces: reckoned once, reserved with the order, free again if it ends unpaid."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tests.services.money import Till, price_of
from tollkeeper.core.discounts import Discount
from tollkeeper.flows import purchase
from tollkeeper.payments import queries as payments
from tollkeeper.sales import coupons
from tollkeeper.sales import queries as sales
from tollkeeper.sales.models import Coupon
from tollkeeper.sales.services import CannotOrder

TENTH = Discount(percent_bp=1000)


def buy(customer: int, plan: str = "pack-10k", **wanted: object) -> str:
    return purchase.start_order(customer, plan, price_of(plan), **wanted)  # type: ignore[arg-type]


def order_of(number: str) -> sales.OrderView:
    found = sales.find_order(number)
    assert found is not None
    return found


def refused(customer: int, plan: str = "pack-10k", **wanted: object) -> str:
    with pytest.raises(CannotOrder) as no:
        buy(customer, plan, **wanted)
    return no.value.code


def used() -> int:
    return Coupon.objects.get().used_count


def test_three_packs_with_a_coupon(till: Till) -> None:
    coupons.make("spring", TENTH)
    customer = till.customer()
    told = purchase.quote(customer, "pack-10k", price_of("pack-10k"), quantity=3, coupon="Spring ")
    assert (told.price_minor, told.off_minor, told.total_minor) == (1500, 150, 1350)
    number = buy(customer, quantity=3, coupon="Spring ")
    assert order_of(number).total_minor == 1350
    till.pay(number)
    till.deliver()
    till.hand_over()
    assert till.spendable(customer) == 30_000
    receipt = payments.get_receipt(customer, number)
    assert receipt.total_minor == 1350
    assert receipt.facts["lines"][0]["quantity"] == 3
    assert refused(customer, coupon="SPRING") == "coupon_used"


def test_what_does_not_divide_is_paid_as_one_sum(till: Till) -> None:
    coupons.make("ODD", Discount(amount_minor=100, currency="USD"))
    number = buy(till.customer(), quantity=3, coupon="ODD")
    till.pay(number)
    till.deliver()
    assert order_of(number).captured_minor == 1400


def test_a_second_click_is_the_same_order(till: Till) -> None:
    coupons.make("SPRING", TENTH)
    customer = till.customer()
    first = buy(customer, coupon="SPRING")
    assert buy(customer, coupon="spring") == first
    assert used() == 1
    assert buy(customer) != first


def test_an_order_that_ends_unpaid_frees_its_coupon(till: Till) -> None:
    coupons.make("SPRING", TENTH, most_uses=1)
    customer, other = till.customer(), till.customer()
    number = buy(customer, coupon="SPRING")
    assert refused(other, coupon="SPRING") == "coupon_over"
    purchase.cancel_order(customer, number)
    assert used() == 0
    till.pay(buy(other, coupon="SPRING"))
    till.deliver()
    assert used() == 1
    assert refused(customer, coupon="SPRING") == "coupon_over"


def test_late_money_after_a_free_coupon_is_no_accident(till: Till) -> None:
    coupons.make("SPRING", TENTH)
    customer = till.customer()
    number = buy(customer, coupon="SPRING")
    till.pay(number)
    till.expire(number)
    till.deliver()
    assert order_of(number).money == "paid"


def test_everything_off_costs_nothing(till: Till) -> None:
    coupons.make("FREE", Discount(percent_bp=10_000))
    customer = till.customer()
    number = buy(customer, coupon="FREE")
    purchase.begin_payment(number)
    till.hand_over()
    assert order_of(number).status == "delivered"
    assert till.spendable(customer) == 10_000
    assert payments.find_receipt(customer, number) is None


def test_where_a_coupon_does_not_count(till: Till) -> None:
    customer = till.customer()
    now = timezone.now()
    coupons.make("OVER", TENTH, ends_at=now - dt.timedelta(seconds=1))
    coupons.make("OTHER", TENTH, plans=("some-pack",))
    coupons.make("EURO", Discount(amount_minor=100, currency="EUR"))
    gone = coupons.make("GONE", TENTH)
    coupons.cancel(gone)
    coupons.make("GOOD", TENTH)
    assert refused(customer, coupon="NONE") == "coupon_unknown"
    assert refused(customer, coupon="GONE") == "coupon_unknown"
    assert refused(customer, coupon="OVER") == "coupon_over"
    assert refused(customer, coupon="OTHER") == "coupon_not_here"
    assert refused(customer, coupon="EURO") == "coupon_not_here"
    assert refused(customer, "free", coupon="GOOD") == "coupon_not_here"
    assert refused(customer, "pro", quantity=2) == "quantity"
    assert refused(customer, quantity=0) == "quantity"
    assert refused(customer, quantity=101) == "quantity"


@pytest.mark.parametrize(("code", "most"), [("x", None), ("a b c", None), ("GOOD", 0), ("ü" * 5, None)])
def test_what_cannot_be_a_coupon(till: Till, code: str, most: int | None) -> None:
    with pytest.raises(coupons.BadCoupon):
        coupons.make(code, TENTH, most_uses=most)
    coupons.make("TWICE", TENTH)
    with pytest.raises(coupons.BadCoupon):
        coupons.make("twice", TENTH)
