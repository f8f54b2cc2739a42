"""A plan that rested goes on: free within its paid period, for the seconds left after it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.services.money import Till
from tollkeeper.core import period as periods
from tollkeeper.flows import renewal, resuming
from tollkeeper.payments.models import Document
from tollkeeper.sales import changes, plans, queries
from tollkeeper.sales.models import Order, PlanChange, SubscriptionPeriod
from tollkeeper.usage.services import check_book


def plan_of(customer: int) -> queries.PlanView:
    found = queries.current_plan(customer)
    assert found is not None
    return found


def rested(till: Till, days: int = 45) -> tuple[int, str]:
    """A customer whose plan rests, some days after its beginning."""
    customer = till.customer()
    till.bought(customer, "pro")
    name = plan_of(customer).subscription
    renewal.pause_plan(customer, name)
    till.deliver()
    till.age_plan(customer, days=days)
    return customer, name


def test_within_the_paid_period_it_costs_nothing(till: Till) -> None:
    customer, name = rested(till, days=10)
    assert resuming.quote(customer, name) is None
    with pytest.raises(changes.CannotChange):
        resuming.go_on(customer, name)
    renewal.unpause_plan(customer, name)
    assert plan_of(customer).state == "active"


def test_after_it_the_seconds_left_are_paid_and_given(till: Till) -> None:
    customer, name = rested(till)
    quoted = resuming.quote(customer, name)
    assert quoted is not None
    number = resuming.go_on(customer, name)
    assert plan_of(customer).state == "paused", "nothing goes on before it is paid"
    before = till.spendable(customer)
    till.pay(number)
    till.deliver()
    till.hand_over()
    plan, order = plan_of(customer), Order.objects.get(number=number)
    assert plan.state == "active"
    assert (order.money, order.total_minor) == ("paid", quoted.due_minor)
    assert 2900 * 0.3 < quoted.due_minor < 2900 * 0.7
    gained = till.spendable(customer) - before
    assert abs(gained / 100_000 - quoted.due_minor / 2900) < 0.01
    (_, row) = SubscriptionPeriod.objects.order_by("number")
    assert (row.number, row.order.number, row.ends_at) == (1, number, quoted.until)
    (sub,) = till.engine.store.all("subscription")
    assert not sub["pause_collection"]
    assert Document.objects.filter(order=order).count() == 1
    assert not check_book()
    with pytest.raises(changes.CannotChange):
        resuming.go_on(customer, name)


def test_two_clicks_leave_one_order_that_can_be_paid(till: Till) -> None:
    customer, name = rested(till)
    first = resuming.go_on(customer, name)
    second = resuming.go_on(customer, name)
    assert first != second
    assert Order.objects.get(number=first).lifecycle == "cancelled"
    assert list(PlanChange.objects.order_by("pk").values_list("state", flat=True)) == [
        "withdrawn",
        "requested",
    ]


def test_who_waits_for_the_next_period_pays_nothing(till: Till) -> None:
    customer, name = rested(till)
    renewal.unpause_plan(customer, name)
    till.deliver()
    assert plan_of(customer).state == "active"
    assert Order.objects.filter(kind="change").count() == 0
    assert resuming.quote(customer, name) is None


def test_a_period_that_was_paid_meanwhile_is_not_paid_twice_unseen(till: Till) -> None:
    customer, name = rested(till)
    number = resuming.go_on(customer, name)
    with transaction.atomic():
        held = plans.own_plan(customer, name)
        plans.renew(held, instant=timezone.now(), source="in_other", now=timezone.now())
    till.pay(number)
    till.deliver()
    assert Order.objects.get(number=number).review == "period_twice"


def test_nobody_lets_the_plan_of_another_go_on(till: Till) -> None:
    _, name = rested(till)
    with pytest.raises(plans.NoSuchPlan):
        resuming.go_on(till.customer(), name)


@given(days=st.integers(0, 1500), seconds=st.integers(0, 86_399), price=st.integers(1, 10**7))
def test_what_is_paid_is_never_more_than_the_period(days: int, seconds: int, price: int) -> None:
    anchor = dt.datetime(2027, 1, 31, tzinfo=dt.UTC)
    instant = anchor + dt.timedelta(days=days, seconds=seconds)
    span = periods.at(anchor, "month", instant)
    used, left = periods.prorate(price, span, instant)
    assert used + left == price
    assert 0 <= left <= price
