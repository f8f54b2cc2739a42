"""A coupon on a plan that renews takes off what it says, as long as it says, and no minor unit more."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.money import Till, price_of
from tollkeeper.core.discounts import Discount
from tollkeeper.flows import plan_change, purchase
from tollkeeper.payments import queries as payments
from tollkeeper.sales import coupons, queries, records
from tollkeeper.sales.models import CouponUse, Order, Subscription
from tollkeeper.sales.services import CannotOrder

DAY = 86_400
HALF = Discount(percent_bp=5_000)


def plan_of(customer: int) -> queries.PlanView:
    found = queries.current_plan(customer)
    assert found is not None
    return found


def bought(till: Till, code: str, plan: str = "pro", customer: int | None = None) -> tuple[int, str]:
    customer = customer or till.customer()
    number = purchase.start_order(customer, plan, price_of(plan), coupon=code)
    till.pay(number)
    till.deliver()
    till.hand_over()
    return customer, number


def collected(till: Till) -> list[int]:
    return [c["amount"] for c in till.engine.store.all("charge") if c["paid"]]


def months(till: Till, count: int) -> None:
    for _ in range(count):
        till.engine.bank.advance(31 * DAY)
        till.deliver()


@pytest.mark.parametrize(
    ("duration", "length", "sums"),
    [
        ("once", None, [1450, 2900, 2900, 2900]),
        ("months", 2, [1450, 1450, 2900, 2900]),
        ("forever", None, [1450, 1450, 1450, 1450]),
    ],
)
def test_it_holds_as_long_as_it_says(till: Till, duration: str, length: int | None, sums: list[int]) -> None:
    coupons.make("HALF", HALF, duration=duration, months=length)
    customer, number = bought(till, "half")
    months(till, 3)
    assert collected(till) == sums
    orders = Order.objects.order_by("pk")
    assert [o.total_minor for o in orders] == sums
    assert {o.money for o in orders} == {"paid"}
    assert {o.review for o in orders} == {""}
    receipts = [payments.get_receipt(customer, o.number) for o in orders]
    assert [r.facts["lines"][0]["off_minor"] for r in receipts] == [2900 - paid for paid in sums]
    assert CouponUse.objects.get(order__number=number).state == "used"


def test_stripe_is_told_the_exact_sum_under_one_name(till: Till) -> None:
    coupons.make("ODD", Discount(percent_bp=3_333), duration="forever")
    bought(till, "ODD")
    bought(till, "ODD")
    (row,) = till.engine.store.all("coupon")
    assert (row["amount_off"], row["duration"]) == (967, "forever")
    assert collected(till) == [2900 - 967] * 2


def test_everything_off_is_not_charged_and_renews_at_its_price(till: Till) -> None:
    coupons.make("FREE", Discount(percent_bp=10_000))
    customer, number = bought(till, "FREE")
    assert Order.objects.get(number=number).total_minor == 0
    assert plan_of(customer).state == "active"
    months(till, 1)
    assert Order.objects.get(kind="renewal").total_minor == 2900


def test_the_next_sum_is_told_with_the_coupon_as_long_as_it_holds(till: Till) -> None:
    for duration, asked in (("forever", 1450), ("once", 2900)):
        code = f"NEXT{duration.upper()}"
        coupons.make(code, HALF, duration=duration)
        customer, _ = bought(till, code)
        assert records.next_minor(plan_of(customer).subscription_id) == asked


def test_a_plan_that_begins_with_a_trial_takes_none(till: Till) -> None:
    coupons.make("HALF", HALF)
    with pytest.raises(CannotOrder) as no:
        purchase.start_order(till.customer(), "business", price_of("business"), coupon="HALF")
    assert no.value.code == "coupon_after_trial"
    with pytest.raises(CannotOrder):
        purchase.quote(till.customer(), "business", price_of("business"), coupon="HALF")


def test_it_is_quoted_with_what_follows(till: Till) -> None:
    coupons.make("HALF", HALF, duration="months", months=3)
    quote = purchase.quote(till.customer(), "pro", price_of("pro"), coupon="HALF")
    assert (quote.price_minor, quote.off_minor, quote.total_minor, quote.later_minor) == (
        2900,
        1450,
        1450,
        2900,
    )
    assert quote.lasts == ("months", 3)


@pytest.mark.parametrize("duration", ["once", "forever"])
def test_an_upgrade_credits_what_was_paid_and_keeps_what_lasts(till: Till, duration: str) -> None:
    coupons.make("HALF", HALF, duration=duration)
    customer, _ = bought(till, "HALF")
    till.age_plan(customer, days=15)
    held = plan_of(customer)
    quote = plan_change.quote_change(customer, held.subscription, "business", price_of("business"))
    assert held.starts_at is not None
    assert held.ends_at is not None
    left = 1 - 15 * DAY / (held.ends_at - held.starts_at).total_seconds()
    assert quote.credit_minor == pytest.approx(1450 * left, abs=1)
    assert quote.due_minor == pytest.approx((4950 - 1450) * left, abs=2)
    number = plan_change.change_plan(customer, held.subscription, "business", price_of("business"))
    till.pay(number)
    till.deliver()
    row = Subscription.objects.get()
    assert (row.amount_minor, row.off_minor) == (9900, 4950)
    (sub,) = till.engine.store.all("subscription")
    held_off = till.engine.store.get("discount", sub["id"]) or {}
    assert held_off.get("off", 0) == (4950 if duration == "forever" else 0)


def test_a_coupon_for_some_plans_ends_with_them(till: Till) -> None:
    coupons.make("PRO", HALF, plans=("pro",), duration="forever")
    customer, _ = bought(till, "PRO")
    till.age_plan(customer, days=15)
    name = plan_of(customer).subscription
    till.pay(plan_change.change_plan(customer, name, "business", price_of("business")))
    till.deliver()
    assert Subscription.objects.get().off_minor == 0
    (sub,) = till.engine.store.all("subscription")
    assert not till.engine.store.get("discount", sub["id"])


@pytest.mark.parametrize(
    ("duration", "length"), [("weekly", None), ("months", None), ("months", 0), ("once", 3)]
)
def test_what_cannot_last_is_refused(till: Till, duration: str, length: int | None) -> None:
    with pytest.raises(coupons.BadCoupon):
        coupons.make("BAD", HALF, duration=duration, months=length)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 10_000), st.sampled_from(["once", "forever"]))
def test_what_is_ordered_is_what_is_collected(till: Till, percent: int, duration: str) -> None:
    code = f"P{percent}-{duration}".upper()
    if not any(row.code == code for row in coupons.list_coupons()):
        coupons.make(code, Discount(percent_bp=percent), duration=duration)
    _, number = bought(till, code)
    order = Order.objects.get(number=number)
    assert order.review == ""
    assert order.total_minor == 2900 - Discount(percent_bp=percent).off(2900)
