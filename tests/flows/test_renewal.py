"""Every month once: periods open when they are paid, and only then."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest

from tests.services.money import Till, now, price_of
from tollkeeper.accounts import services as accounts
from tollkeeper.flows import purchase, renewal
from tollkeeper.kit.models import Job
from tollkeeper.payments import queries as payments
from tollkeeper.payments.models import Document
from tollkeeper.payments.providers import Refused
from tollkeeper.sales import changes, plans, queries
from tollkeeper.sales.models import Order, Subscription, SubscriptionPeriod

DAY = 86_400
HOUR = dt.timedelta(hours=1)


def plan_of(customer: int) -> queries.PlanView:
    found = queries.current_plan(customer)
    assert found is not None
    return found


def periods() -> list[SubscriptionPeriod]:
    return list(SubscriptionPeriod.objects.order_by("number"))


def outcome(till: Till, text: str) -> None:
    (sub,) = till.engine.store.all("subscription")
    till.engine.bank.use_card(sub["id"], text)


def test_each_month_is_an_order_a_period_and_a_receipt(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    for _ in range(3):
        till.engine.bank.advance(31 * DAY)
        till.deliver()
    found = periods()
    assert [p.number for p in found] == [0, 1, 2, 3]
    assert all(one.ends_at == two.starts_at for one, two in pairwise(found))
    assert Document.objects.count() == Order.objects.filter(money="paid").count() == 4
    assert till.jobs("fulfil_line") == 4
    assert [o.kind for o in Order.objects.order_by("pk")] == ["purchase", "renewal", "renewal", "renewal"]


def test_its_receipts_are_in_the_language_of_the_purchase(till: Till) -> None:
    customer = till.customer()
    number = purchase.start_order(customer, "pro", price_of("pro"), language="zh-hans")
    till.pay(number)
    till.deliver()
    till.engine.bank.advance(31 * DAY)
    till.deliver()
    receipts = [payments.document_by_id(pk) for pk in Document.objects.values_list("pk", flat=True)]
    assert [row.facts["language"] for row in receipts] == ["zh-hans", "zh-hans"]


def test_a_renewal_gives_the_units_of_its_own_period(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    assert till.spendable(customer) == 100_000
    till.engine.bank.advance(31 * DAY)
    till.deliver()
    till.hand_over()
    line = Order.objects.get(kind="renewal").lines.get()
    two = periods()[1]
    assert (line.starts_at, line.ends_at) == (two.starts_at, two.ends_at)
    # the clock of this machine has not moved: the next month's units are not spendable yet
    assert till.spendable(customer) == 100_000


def test_events_twice_and_shuffled_open_a_period_once(till: Till) -> None:
    till.courier.knobs.set({"duplicate": 1.0, "reorder": 1.0})
    till.bought(till.customer(), "pro")
    for _ in range(2):
        till.engine.bank.advance(31 * DAY)
        till.deliver()
        till.wake()
        till.work()
    assert [p.number for p in periods()] == [0, 1, 2]
    assert Order.objects.count() == 3


def test_lost_events_are_made_up_for_by_a_look(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    till.courier.knobs.drop = 1.0
    till.engine.bank.advance(31 * DAY)
    plan = plan_of(customer)
    renewal.look_at_subscription(plan.provider, plan.reference)
    assert [p.number for p in periods()] == [0, 1]


def test_events_that_could_not_be_delivered_are_fetched(till: Till) -> None:
    till.bought(till.customer(), "pro")
    till.courier.knobs.drop = 1.0
    till.engine.bank.advance(31 * DAY)
    till.catch_up()
    assert [p.number for p in periods()] == [0, 1]


def test_an_unpaid_renewal_is_past_due_reminded_and_paid_later(till: Till, mailoutbox: list) -> None:  # type: ignore[type-arg]
    person = accounts.create_person("planted@example.org", None)
    customer = accounts.ensure_customer(person)
    till.bought(customer, "pro")
    outcome(till, "declines_later")
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    plan = plan_of(customer)
    assert plan.state == "past_due"
    assert plan.past_due_at is not None
    assert [p.number for p in periods()] == [0]
    assert [m.to for m in mailoutbox] == [["planted@example.org"]]
    assert "$29.00" in mailoutbox[0].body
    outcome(till, "ok")
    till.deliver()
    assert plan_of(customer).state == "active"
    assert [p.number for p in periods()] == [0, 1]
    till.wake()
    till.work()
    assert len(mailoutbox) == 1


def test_grace_ends_in_suspension_then_in_the_end(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    outcome(till, "declines_later")
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    till.wake()
    till.work()
    assert plan_of(customer).state == "suspended"
    till.engine.bank.advance(30 * DAY)
    till.deliver()
    assert queries.current_plan(customer) is None
    assert Subscription.objects.get().ended_at is not None


def test_a_renewal_that_the_bank_wants_to_ask_about_is_paid_by_hand(till: Till, mailoutbox: list) -> None:  # type: ignore[type-arg]
    customer = accounts.ensure_customer(accounts.create_person("planted@example.org", None))
    till.bought(customer, "pro")
    name = plan_of(customer).subscription
    assert renewal.pay_url(customer, name, "http://shop.invalid/").startswith("http://fakestripe.invalid/p/")
    outcome(till, "3ds_always")
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    assert plan_of(customer).state == "past_due"
    assert f"/console/plans/{name}/" in mailoutbox[0].body
    url = renewal.pay_url(customer, name, "http://shop.invalid/")
    bill = url.removeprefix("http://fakestripe.invalid/i/")
    assert not till.engine.bank.pay_bill(bill, "generic_decline")
    assert till.engine.bank.pay_bill(bill, "ok")
    till.deliver()
    assert plan_of(customer).state == "active"
    assert [p.number for p in periods()] == [0, 1]
    assert Document.objects.count() == 2


def test_suspension_ends_when_it_is_paid(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    outcome(till, "declines_later")
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    till.wake()
    till.work()
    assert plan_of(customer).state == "suspended"
    url = renewal.pay_url(customer, plan_of(customer).subscription, "http://shop.invalid/")
    assert till.engine.bank.pay_bill(url.rpartition("/")[2], "ok")
    till.deliver()
    till.hand_over()
    assert plan_of(customer).state == "active"
    assert [p.number for p in periods()] == [0, 1]
    assert Order.objects.get(kind="renewal").lines.get().delivered_at is not None


def test_nobody_pays_the_plan_of_another(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    with pytest.raises(plans.NoSuchPlan):
        renewal.pay_url(till.customer(), plan_of(customer).subscription, "http://shop.invalid/")


def test_a_cancelled_plan_lasts_to_the_end_of_its_period(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    renewal.cancel_plan(customer, plan_of(customer).subscription)
    till.deliver()
    assert plan_of(customer).ends_with_period
    assert plan_of(customer).state == "active"
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    assert queries.current_plan(customer) is None
    assert [p.number for p in periods()] == [0]
    assert till.order(customer, "pro")


def test_a_cancellation_can_be_taken_back(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    name = plan_of(customer).subscription
    renewal.cancel_plan(customer, name)
    renewal.keep_plan(customer, name)
    till.deliver()
    till.engine.bank.advance(32 * DAY)
    till.deliver()
    assert plan_of(customer).state == "active"


def test_nobody_ends_the_plan_of_another(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    with pytest.raises(plans.NoSuchPlan):
        renewal.cancel_plan(till.customer(), plan_of(customer).subscription)


def test_a_free_plan_renews_by_itself_and_ends_when_wished(till: Till) -> None:
    customer = till.customer()
    renewal.begin_payment(till.order(customer, "free"))
    till.hand_over()
    till.age_plan(customer, days=40)
    till.renew()
    assert [p.number for p in periods()] == [0, 1]
    assert till.jobs("fulfil_line") == 2
    till.renew()
    assert len(periods()) == 2
    renewal.cancel_plan(customer, plan_of(customer).subscription)
    till.work()
    till.age_plan(customer, days=40)
    till.renew()
    assert queries.current_plan(customer) is None


def test_the_portal_is_for_those_who_pay(till: Till) -> None:
    customer = till.customer()
    with pytest.raises(Refused):
        renewal.portal_url(customer, "http://shop.invalid/")
    till.bought(customer, "pro")
    assert renewal.portal_url(customer, "http://shop.invalid/").startswith("http://fakestripe.invalid/p/")


def test_a_period_billed_twice_waits_for_a_person(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    till.engine.bank.advance(31 * DAY)
    till.deliver()
    (sub,) = till.engine.store.all("subscription")
    bill = till.engine.bank.bill(sub, 2900, "subscription_cycle")
    till.engine.bank.collect(sub)
    till.deliver()
    assert bill["status"] == "paid"
    assert [o.review for o in Order.objects.order_by("pk")] == ["", "", "period_twice"]
    assert till.jobs("fulfil_line") == 2


def test_a_plan_that_rests_is_not_charged_and_goes_on(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    plan = plan_of(customer)
    renewal.pause_plan(customer, plan.subscription)
    till.deliver()
    assert plan_of(customer).state == "paused"
    with pytest.raises(changes.CannotChange):
        renewal.pause_plan(customer, plan.subscription)
    till.engine.bank.advance(62 * DAY)
    till.deliver()
    assert plan_of(customer).state == "paused"
    assert len(periods()) == 1
    assert len(list(till.engine.store.all("invoice"))) == 1
    renewal.unpause_plan(customer, plan.subscription)
    till.deliver()
    assert plan_of(customer).state == "active"
    till.engine.bank.advance(31 * DAY)
    till.deliver()
    assert [p.number for p in periods()] == [0, 3]
    assert Order.objects.filter(kind="renewal", money="paid").count() == 1


def test_a_free_plan_that_rests_opens_no_period(till: Till) -> None:
    customer = till.customer()
    number = till.order(customer, "free")
    renewal.begin_payment(number)
    till.hand_over()
    plan = plan_of(customer)
    renewal.pause_plan(customer, plan.subscription)
    till.age_plan(customer, 40)
    till.renew()
    assert len(periods()) == 1
    renewal.unpause_plan(customer, plan.subscription)
    till.renew()
    assert len(periods()) == 2


def test_wishes_that_change_places_end_as_the_last_one(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    name = plan_of(customer).subscription
    renewal.cancel_plan(customer, name)
    renewal.keep_plan(customer, name)
    last, first = Job.objects.filter(kind="push_wish").order_by("-pk")
    for row in (last, first):  # the newer one is done before the older one
        Job.objects.filter(pk=row.pk).update(run_at=now())
        Job.objects.filter(kind="push_wish", state="ready").exclude(pk=row.pk).update(run_at=now() + HOUR)
        till.work()
    (sub,) = till.engine.store.all("subscription")
    assert not sub["cancel_at_period_end"]
    assert not plan_of(customer).ends_with_period
