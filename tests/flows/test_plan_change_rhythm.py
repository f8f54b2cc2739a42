"""From monthly to yearly and back: to the second, to the cent, and no day is paid for twice or not at all."""

from __future__ import annotations

import datetime as dt
import random
from itertools import pairwise

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.services.money import Till
from tollkeeper.catalog import queries as catalog
from tollkeeper.core import period as periods
from tollkeeper.core.handout import portions
from tollkeeper.core.money import split
from tollkeeper.core.period import Period
from tollkeeper.core.terms import MICRO, GrantTerms, KeyTerms, LineTerms
from tollkeeper.flows import overage, plan_change, purchase, renewal
from tollkeeper.flows.checking import check_money
from tollkeeper.payments import queries as payments
from tollkeeper.sales import allowances, changes, plans, queries, records
from tollkeeper.sales.models import Order, Subscription, SubscriptionPeriod
from tollkeeper.usage.services import check_book

DAY = 86_400


def price(plan: str, period: str) -> str:
    return next(one.id for one in catalog.get_plan(plan).prices if one.period == period)


def subscriber(till: Till, plan: str = "pro", period: str = "month") -> tuple[int, str]:
    customer = till.customer()
    till.pay(purchase.start_order(customer, plan, price(plan, period)))
    till.deliver()
    till.hand_over()
    till.age_plan(customer, days=0.01)
    return customer, plan_of(customer).subscription


def plan_of(customer: int) -> queries.PlanView:
    found = queries.current_plan(customer)
    assert found is not None
    return found


def to_year(till: Till, customer: int, name: str, plan: str = "pro") -> Order:
    number = plan_change.change_plan(customer, name, plan, price(plan, "year"))
    till.pay(number)
    till.deliver()
    till.hand_over()
    return Order.objects.get(number=number)


def sound(till: Till, customer: int) -> list[SubscriptionPeriod]:
    """The periods of the customer, which tile the time; nothing is held, the books agree with themselves."""
    spans = list(SubscriptionPeriod.objects.filter(subscription__customer_id=customer).order_by("number"))
    assert [row.number for row in spans] == list(range(len(spans)))
    assert all(one.ends_at == two.starts_at for one, two in pairwise(spans))
    assert not check_book()
    assert not check_money()
    assert not Order.objects.filter(customer_id=customer).exclude(review="").exists()
    paid = sum(row["amount"] for row in till.engine.store.all("charge") if row["paid"])
    assert paid == sum(Order.objects.values_list("captured_minor", flat=True))
    return spans


def test_a_year_begins_at_once_less_what_is_left_of_the_month(till: Till) -> None:
    customer, name = subscriber(till)
    till.age_plan(customer, days=10.1234)
    month = plan_of(customer)
    quote = plan_change.quote_change(customer, name, "pro", price("pro", "year"))
    assert month.starts_at is not None
    assert month.ends_at is not None
    span = Period(0, month.starts_at, month.ends_at)
    _, left = periods.prorate(2900, span, quote.at)
    assert (quote.kind, quote.credit_minor, quote.due_minor) == ("upgrade", left, 29_000 - left)
    assert quote.until == periods.add_months(quote.at, 12)
    before = till.spendable(customer)
    order = to_year(till, customer, name)
    assert order.total_minor == pytest.approx(quote.due_minor, abs=1)
    plan = plan_of(customer)
    assert (plan.period, plan.amount_minor, plan.state) == ("year", 29_000, "active")
    gained, asked = till.spendable(customer) - before, 100_000 * (1 - left / 2900)
    assert gained == pytest.approx(asked, abs=50)
    assert quote.units[0][1] / MICRO == pytest.approx(asked, abs=50)
    one, two = sound(till, customer)
    assert (one.ends_at, two.ends_at) == (plan.starts_at, plan.ends_at)
    assert two.order == order
    line = order.lines.get()
    assert (line.starts_at, line.ends_at, line.title) == (two.starts_at, two.ends_at, "Pro")
    (sub,) = till.engine.store.all("subscription")
    assert sub["trial_end"] == int(two.ends_at.timestamp())
    assert sub["items"]["data"][0]["price"]["recurring"] == {"interval": "year"}


def test_the_next_charge_is_a_year_away_and_opens_the_next_year(till: Till) -> None:
    customer, name = subscriber(till)
    till.age_plan(customer, days=3)
    to_year(till, customer, name)
    till.engine.bank.advance(300 * DAY)
    till.deliver()
    assert not Order.objects.filter(kind="renewal").exists()
    till.engine.bank.advance(70 * DAY)
    till.deliver()
    renewed = Order.objects.get(kind="renewal")
    assert (renewed.total_minor, renewed.money, renewed.review) == (29_000, "paid", "")
    spans = sound(till, customer)
    assert [row.number for row in spans] == [0, 1, 2]
    assert spans[2].ends_at == periods.add_months(spans[1].starts_at, 24)


def test_a_month_comes_when_the_year_is_over(till: Till) -> None:
    customer, name = subscriber(till, period="year")
    till.age_plan(customer, days=100)
    ends_at = plan_of(customer).ends_at
    quote = plan_change.quote_change(customer, name, "pro", price("pro", "month"))
    assert (quote.kind, quote.due_minor, quote.at) == ("downgrade", 0, ends_at)
    assert plan_change.change_plan(customer, name, "pro", price("pro", "month")) == ""
    till.deliver()
    plan = plan_of(customer)
    assert (plan.period, plan.pending_plan, plan.pending_period) == ("year", "Pro", "month")
    assert records.next_minor(plan.subscription_id) == 2900
    assert not Order.objects.filter(kind="renewal").exists(), "a bill over nothing opens no period"
    till.engine.bank.advance(266 * DAY)
    till.deliver()
    till.engine.bank.advance(31 * DAY)
    till.deliver()
    assert list(Order.objects.filter(kind="renewal").values_list("total_minor", "money")) == [
        (2900, "paid"),
        (2900, "paid"),
    ]
    assert plan_of(customer).period == "month"
    spans = sound(till, customer)
    assert [row.number for row in spans] == [0, 1, 2]
    assert spans[1].starts_at == ends_at
    assert spans[2].ends_at == periods.add_months(spans[1].starts_at, 2)


def test_who_takes_it_back_goes_on_by_the_year(till: Till) -> None:
    customer, name = subscriber(till, period="year")
    plan_change.change_plan(customer, name, "pro", price("pro", "month"))
    till.deliver()
    assert plan_change.keep_present_plan(customer, name)
    till.deliver()
    till.engine.bank.advance(367 * DAY)
    till.deliver()
    renewed = Order.objects.get(kind="renewal")
    assert (renewed.total_minor, renewed.money, renewed.review) == (29_000, "paid", "")
    assert [row.number for row in sound(till, customer)] == [0, 1]


def test_another_plan_by_the_year_gives_no_more_than_its_months(till: Till) -> None:
    customer, name = subscriber(till, plan="pro")
    till.age_plan(customer, days=14)
    before = till.spendable(customer)
    order = to_year(till, customer, name, plan="business")
    plan = plan_of(customer)
    assert (plan.plan, plan.period, plan.amount_minor) == ("business", "year", 99_000)
    assert order.lines.get().title == "Pro → Business"
    gained = till.spendable(customer) - before
    assert 500_000 - 60_000 < gained < 500_000 - 40_000
    sound(till, customer)


def test_a_year_that_is_not_paid_changes_nothing(till: Till) -> None:
    customer, name = subscriber(till)
    purchase.begin_payment(plan_change.change_plan(customer, name, "pro", price("pro", "year")))
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    renewed = Order.objects.get(kind="renewal")
    assert (renewed.total_minor, renewed.review) == (2900, "")
    assert plan_of(customer).period == "month"


def test_money_that_comes_after_the_month_is_over_is_held(till: Till) -> None:
    customer, name = subscriber(till)
    number = plan_change.change_plan(customer, name, "pro", price("pro", "year"))
    with transaction.atomic():
        row = plans.own_plan(customer, name)
        later = timezone.now() + dt.timedelta(days=32)
        plans.renew(row, instant=later, source="in_next", now=timezone.now())
    till.pay(number)
    till.deliver()
    assert Order.objects.get(number=number).review == "period_twice"
    assert plan_of(customer).period == "month"
    (sub,) = till.engine.store.all("subscription")
    assert sub["trial_end"] is None


def test_a_lost_answer_is_asked_for_again(till: Till) -> None:
    customer, name = subscriber(till)
    number = plan_change.change_plan(customer, name, "pro", price("pro", "year"))
    till.pay(number)
    till.deliver()
    change = queries.change_of(Order.objects.get(number=number).pk)
    assert change is not None
    assert plan_change.push(change) == "pushed"
    (sub,) = till.engine.store.all("subscription")
    ends_at = plan_of(customer).ends_at
    assert ends_at is not None
    assert sub["trial_end"] == int(ends_at.timestamp())


def test_units_beyond_the_month_are_billed_when_the_year_begins(till: Till) -> None:
    customer, name = subscriber(till, plan="business", period="month")
    Subscription.objects.update(state="active")
    SubscriptionPeriod.objects.update(number=0)
    overage.set_cap(customer, name, 2_000)
    held = plan_of(customer)
    first = allowances.present(held.subscription_id)
    assert first is not None
    to_year(till, customer, name, plan="business")
    till.work()
    second = allowances.present(held.subscription_id)
    assert second is not None
    assert second.allowance_id != first.allowance_id
    assert allowances.view(first.allowance_id).state == "closed"
    assert second.ends_at == periods.add_months(plan_of(customer).starts_at or timezone.now(), 1)


def test_what_was_sold_before_counts_its_months_as_before(till: Till) -> None:
    customer, name = subscriber(till, period="year")
    till.age_plan(customer, days=40)
    order = Order.objects.get()
    before = queries.get_line(order.lines.get().pk)
    plan_change.change_plan(customer, name, "pro", price("pro", "month"))
    till.deliver()
    till.engine.bank.advance(330 * DAY)
    till.deliver()
    after = queries.get_line(before.line_id)
    assert plan_of(customer).period == "month"
    assert after.anchor_at == before.anchor_at
    assert Subscription.objects.get().anchor_at != before.anchor_at
    assert payments.get_receipt(customer, order.number).total_minor == 29_000


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_the_instant_the_books_agree(till: Till, seed: int) -> None:
    chance = random.Random(seed)
    customer, name = subscriber(till)
    till.age_plan(customer, days=chance.uniform(0.0001, 26.9))
    to_year(till, customer, name)
    if chance.random() < 0.9:
        plan_change.change_plan(customer, name, "pro", price("pro", "month"))
        till.deliver()
    for days in (chance.randrange(366, 390), chance.randrange(20, 40)):
        till.engine.bank.advance(days * DAY)
        till.deliver()
    renewal.renew_plans(None)  # type: ignore[arg-type]
    till.work()
    assert len(sound(till, customer)) >= 3


@given(
    since=st.integers(0, 6 * 366 * DAY),
    part=st.integers(1, 10**9 - 1),
    month=st.integers(0, 40),
    cost=st.integers(1, 10**7),
    gives=st.integers(1, 10**12),
)
def test_what_is_taken_off_and_what_is_given_add_up(
    since: int, part: int, month: int, cost: int, gives: int
) -> None:
    anchor = dt.datetime(2027, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=since)
    span = periods.nth(anchor, "month", month)
    at = span.starts_at + dt.timedelta(seconds=max(1, span.seconds * part // 10**9))
    used, left = periods.prorate(cost, span, at)
    assert (used, left) == split(
        cost,
        ((at - span.starts_at) // dt.timedelta(seconds=1), (span.ends_at - at) // dt.timedelta(seconds=1)),
    )
    assert used + left == cost
    less = periods.prorate(gives, span, at)[1]
    grant = GrantTerms("calls", gives, per="period", less=less)
    terms = LineTerms("pro", "gate_key", KeyTerms("pro"), (grant,), period="year", units_every="month")
    year = periods.nth(at, "year", 0)
    given_out = portions(terms, 1, at, year.ends_at, at)
    assert sum(one.amount for one in given_out) == 12 * gives - less
    spans = [(one.begins, one.ends) for one in given_out]
    assert all(one[1] == two[0] for one, two in pairwise(spans))
    assert spans[-1][1] == year.ends_at
    assert changes.begins_at_once("month", cost, "year", cost)
    assert not changes.begins_at_once("year", cost, "month", cost + 1)
