"""Changing plans costs what the seconds cost, and never more."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from tests.services.money import Till, open_till, price_of
from tollkeeper.catalog import services as catalog
from tollkeeper.config import environment
from tollkeeper.core.money import split
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import plan_change, purchase
from tollkeeper.sales import changes, plans, queries
from tollkeeper.sales.models import Order, PlanChange

DAY = 86_400
SCALE = """
[plans.scale]
kind = "subscription"
name = "Scale"
summary = "More of it."
features = ["1,000,000 calls a month"]
period = "month"
prices = [{ currency = "USD", amount = "99.00", period = "month" }]
grants = [{ unit = "calls", amount = 1_000_000, per = "period" }]
limits = [{ name = "second", unit = "requests", amount = 50, window = "1s", burst = 100 }]

[plans.top]
kind = "subscription"
name = "Top"
summary = "All of it."
features = ["5,000,000 calls a month"]
period = "month"
prices = [{ currency = "USD", amount = "499.00", period = "month" }]
grants = [{ unit = "calls", amount = 5_000_000, per = "period" }]

"""


@pytest.fixture
def till(transactional_db: None, tmp_path: Path) -> Iterator[Till]:
    folder = tmp_path / "twtapi"
    shutil.copytree(environment.repository() / "shops" / "twtapi", folder)
    file = folder / "shop.toml"
    file.write_text(re.sub(r"(?m)^\[plans\.pack-10k\]", SCALE + "[plans.pack-10k]", file.read_text()))
    with open_till(tmp_path) as opened:
        catalog.load_shop(folder)
        yield opened


def plan_of(customer: int) -> queries.PlanView:
    found = queries.current_plan(customer)
    assert found is not None
    return found


def halfway(till: Till, plan: str = "pro") -> tuple[int, str]:
    """A customer in the middle of the first period."""
    customer = till.customer()
    till.bought(customer, plan)
    till.age_plan(customer, days=15)
    return customer, plan_of(customer).subscription


def test_an_upgrade_costs_the_difference_of_the_seconds_left(till: Till) -> None:
    customer, name = halfway(till)
    quote = plan_change.quote_change(customer, name, "scale", price_of("scale"))
    plan = plan_of(customer)
    assert plan.starts_at is not None
    assert plan.ends_at is not None
    whole = (plan.ends_at - plan.starts_at).total_seconds()
    left = whole - 15 * DAY
    assert quote.kind == "upgrade"
    assert quote.due_minor == pytest.approx((9900 - 2900) * left / whole, abs=2)
    assert quote.due_minor + quote.credit_minor == pytest.approx(9900 * left / whole, abs=1)
    assert sum(split(2900, (15 * DAY, int(left)))) == 2900
    assert not PlanChange.objects.exists()


def test_a_paid_upgrade_gives_the_rest_of_the_period_and_asks_the_new_price(till: Till) -> None:
    customer, name = halfway(till)
    before = till.spendable(customer)
    number = plan_change.change_plan(customer, name, "scale", price_of("scale"))
    assert plan_of(customer).plan == "pro"
    till.pay(number)
    till.deliver()
    till.hand_over()
    plan = plan_of(customer)
    assert (plan.plan, plan.amount_minor, plan.subscription) == ("scale", 9900, name)
    gained = till.spendable(customer) - before
    assert 900_000 * 0.4 < gained < 900_000 * 0.6
    (sub,) = till.engine.store.all("subscription")
    assert sub["items"]["data"][0]["price"]["unit_amount"] == 9900
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    newest = Order.objects.get(kind="renewal")
    assert (newest.total_minor, newest.money, newest.review) == (9900, "paid", "")


def test_an_upgrade_that_is_not_paid_changes_nothing(till: Till) -> None:
    customer, name = halfway(till)
    number = plan_change.change_plan(customer, name, "scale", price_of("scale"))
    purchase.begin_payment(number)
    till.deliver()
    assert plan_of(customer).plan == "pro"
    again = plan_change.change_plan(customer, name, "scale", price_of("scale"))
    assert again != number
    assert queries.find_order(number).lifecycle == "cancelled"  # type: ignore[union-attr]
    assert sorted(PlanChange.objects.values_list("state", flat=True)) == ["requested", "withdrawn"]


def test_a_downgrade_waits_for_the_next_period(till: Till) -> None:
    customer, name = halfway(till, "scale")
    assert plan_change.change_plan(customer, name, "pro", price_of("pro")) == ""
    till.deliver()
    assert (plan_of(customer).plan, plan_of(customer).pending_plan) == ("scale", "Pro")
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    assert (plan_of(customer).plan, plan_of(customer).pending_plan) == ("pro", "")
    newest = Order.objects.get(kind="renewal")
    assert (newest.total_minor, newest.money, newest.review) == (2900, "paid", "")


def test_a_downgrade_can_be_taken_back(till: Till) -> None:
    customer, name = halfway(till, "scale")
    plan_change.change_plan(customer, name, "pro", price_of("pro"))
    till.work()
    assert plan_change.keep_present_plan(customer, name) is True
    till.work()
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    newest = Order.objects.get(kind="renewal")
    assert (plan_of(customer).plan, newest.total_minor, newest.review) == ("scale", 9900, "")


def test_what_cannot_be_changed_is_said(till: Till) -> None:
    customer, name = halfway(till)
    with pytest.raises(changes.CannotChange) as no:
        plan_change.change_plan(customer, name, "pro", price_of("pro"))
    assert no.value.code == "same"


def test_what_costs_more_than_was_seen_is_not_ordered(till: Till) -> None:
    customer, name = halfway(till)
    seen = plan_change.quote_change(customer, name, "scale", price_of("scale")).due_minor
    with pytest.raises(changes.CannotChange) as no:
        plan_change.change_plan(customer, name, "scale", price_of("scale"), seen_minor=seen - 1)
    assert no.value.code == "moved"
    assert not PlanChange.objects.exists()
    assert plan_change.change_plan(customer, name, "scale", price_of("scale"), seen_minor=seen)


def test_a_downgrade_that_an_upgrade_replaces_is_taken_back_at_the_provider(till: Till) -> None:
    customer, name = halfway(till, "scale")
    plan_change.change_plan(customer, name, "pro", price_of("pro"))
    till.work()
    (sub,) = till.engine.store.all("subscription")
    assert sub["items"]["data"][0]["price"]["unit_amount"] == 2900
    plan_change.change_plan(customer, name, "top", price_of("top"))  # and is never paid
    till.work()
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    newest = Order.objects.get(kind="renewal")
    assert (newest.total_minor, newest.money, newest.review) == (9900, "paid", "")


def test_close_to_the_end_an_upgrade_waits(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    till.age_plan(customer, days=30)
    plan = plan_of(customer)
    with pytest.raises(changes.CannotChange):
        plan_change.change_plan(customer, plan.subscription, "scale", price_of("scale"))
    assert not Order.objects.filter(kind="change").exists()


def test_nobody_changes_the_plan_of_another(till: Till) -> None:
    _, name = halfway(till)
    with pytest.raises(plans.NoSuchPlan):
        plan_change.quote_change(till.customer(), name, "scale", price_of("scale"))


def test_nobody_changes_to_a_plan_that_is_not_sold_or_pays_for_one_that_was_stopped(till: Till) -> None:
    customer, name = halfway(till)
    order = plan_change.change_plan(customer, name, "scale", price_of("scale"))
    delivery.stop_plan("scale", "Its models are being repaired.", timezone.now())
    with pytest.raises(purchase.CannotPay) as unpaid:
        purchase.begin_payment(order)
    assert unpaid.value.code == "not_sold"
    with pytest.raises(changes.CannotChange) as refused:
        plan_change.quote_change(customer, name, "scale", price_of("scale"))
    assert refused.value.code == "not_sold"
    delivery.resume_plan("scale")
    assert purchase.begin_payment(order)
