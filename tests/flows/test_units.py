"""A year paid at once, its units month by month: given, upgraded and given back by what is left."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest

from tests.services.money import Till
from tollkeeper.core.terms import MICRO
from tollkeeper.flows import plan_change, purchase, refund
from tollkeeper.sales import queries
from tollkeeper.sales.models import Order, SubscriptionPeriod
from tollkeeper.usage import queries as usage
from tollkeeper.usage import services as usage_verbs
from tollkeeper.usage.models import Grant

YEAR = "usd-year"
DAY = 86_400


def bought(till: Till, plan: str = "pro") -> tuple[int, str]:
    customer = till.customer()
    number = purchase.start_order(customer, plan, YEAR)
    till.pay(number)
    till.deliver()
    till.hand_over()
    return customer, number


def plan_of(customer: int) -> queries.PlanView:
    found = queries.current_plan(customer)
    assert found is not None
    return found


def months(customer: int) -> list[Grant]:
    return list(Grant.objects.filter(customer_id=customer).order_by("effective_at", "pk"))


def test_a_year_is_twelve_months_of_units(till: Till) -> None:
    customer, number = bought(till)
    (period,) = SubscriptionPeriod.objects.all()
    rows = months(customer)
    assert [row.amount for row in rows] == [100_000 * MICRO] * 12
    assert (rows[0].effective_at, rows[-1].expires_at) == (period.starts_at, period.ends_at)
    assert all(one.expires_at == two.effective_at for one, two in pairwise(rows))
    assert till.spendable(customer) == 100_000
    assert Order.objects.get(number=number).total_minor == 29_000
    (sub,) = till.engine.store.all("subscription")
    assert sub["items"]["data"][0]["price"]["recurring"] == {"interval": "year"}


def test_delivering_it_again_gives_nothing_more(till: Till) -> None:
    customer, _ = bought(till)
    till.wake()
    till.hand_over()
    assert len(months(customer)) == 12


def test_the_units_of_a_month_end_with_it(till: Till) -> None:
    customer, _ = bought(till)
    rows = months(customer)
    assert rows[0].expires_at is not None
    usage_verbs.expire_grants(rows[0].expires_at)
    assert [row.remaining for row in months(customer)] == [0, *[100_000 * MICRO] * 11]


def test_the_next_year_follows_without_a_gap(till: Till) -> None:
    customer, _ = bought(till)
    till.engine.bank.advance(366 * DAY)
    till.deliver()
    till.hand_over()
    rows = months(customer)
    assert len(rows) == 24
    assert all(one.expires_at == two.effective_at for one, two in pairwise(rows))


def test_a_part_that_goes_back_takes_the_months_to_come(till: Till) -> None:
    customer, number = bought(till)
    till.spend(customer, 60_000)
    refund.request_refund(number, 14_500)
    till.work()
    till.deliver()
    rows = months(customer)
    assert sum(row.clawed for row in rows) == 600_000 * MICRO
    assert [row.clawed // MICRO for row in rows] == [0] * 6 + [100_000] * 6
    assert usage.balances(customer)[0].owed == 0
    assert till.spendable(customer) == 40_000
    # once more, of the rest
    refund.request_refund(number, 7_250)
    till.work()
    till.deliver()
    assert [row.clawed // MICRO for row in months(customer)] == [0] * 3 + [100_000] * 9


def test_all_of_it_back_leaves_what_was_spent_owed(till: Till) -> None:
    customer, number = bought(till)
    till.spend(customer, 60_000)
    refund.request_refund(number)
    till.work()
    till.deliver()
    assert till.spendable(customer) == 0
    assert usage.balances(customer)[0].owed == 60_000 * MICRO


def test_a_refund_that_fails_gives_every_month_again(till: Till) -> None:
    customer = till.customer()
    number = purchase.start_order(customer, "pro", YEAR)
    till.pay(number, "refund_fails")
    till.deliver()
    till.hand_over()
    refund.request_refund(number, 14_500)
    till.work()
    till.deliver()
    assert sum(row.clawed for row in months(customer)) == 600_000 * MICRO
    till.engine.bank.advance(60)
    till.deliver()
    assert sum(row.clawed for row in months(customer)) == 0
    assert [row.remaining for row in months(customer)] == [100_000 * MICRO] * 12


@pytest.mark.parametrize("day", [0, 10, 100, 330])
def test_an_upgrade_adds_the_difference_of_the_months_left(till: Till, day: int) -> None:
    customer, _ = bought(till)
    till.age_plan(customer, days=day)
    ago = dt.timedelta(days=day)
    for row in months(customer):
        assert row.expires_at is not None
        Grant.objects.filter(pk=row.pk).update(
            effective_at=row.effective_at - ago, expires_at=row.expires_at - ago
        )
    held = plan_of(customer)
    quote = plan_change.quote_change(customer, held.subscription, "business", YEAR)
    assert held.starts_at is not None
    assert held.ends_at is not None
    left = 1 - dt.timedelta(days=day) / (held.ends_at - held.starts_at)
    assert quote.due_minor == pytest.approx((99_000 - 29_000) * left, abs=2)
    number = plan_change.change_plan(customer, held.subscription, "business", YEAR)
    till.pay(number)
    till.deliver()
    till.hand_over()
    extra = months(customer)
    added = [
        row for row in extra if row.key.startswith(f"line:{Order.objects.get(number=number).lines.get().pk}:")
    ]
    assert added[-1].expires_at == held.ends_at
    assert all(row.amount == 400_000 * MICRO for row in added[1:])
    assert added[0].amount <= 400_000 * MICRO
    ((unit, quoted),) = quote.units  # a moment before the order
    assert (unit, quoted) == ("calls", pytest.approx(added[0].amount, rel=0.001))
    assert sum(row.amount for row in added) == pytest.approx(12 * 400_000 * MICRO * left, rel=0.01)


def test_a_trial_of_a_yearly_price_gives_the_trials_units_only(till: Till) -> None:
    customer, _ = bought(till, "business")
    assert [row.amount for row in months(customer)] == [10_000 * MICRO]
    till.engine.bank.advance(15 * DAY)
    till.deliver()
    till.hand_over()
    assert [row.amount for row in months(customer)] == [10_000 * MICRO, *[500_000 * MICRO] * 12]
