"""A plan tried before it is paid: once for each customer, charged at its end or ended without a charge."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.services.money import Till, price_of
from tollkeeper.accounts import services as accounts
from tollkeeper.flows import plan_change, purchase, renewal
from tollkeeper.kit.models import Job
from tollkeeper.payments.models import Attempt, Document
from tollkeeper.sales import changes, queries
from tollkeeper.sales.models import Order, Subscription, SubscriptionPeriod

DAY = 86_400
PLAN = "business"


def card_free(till: Till) -> None:
    """The same trial, for which no card is asked."""
    file = till.folder / "shop.toml"
    file.write_text(file.read_text().replace("units = 10_000 }", "units = 10_000, card = false }"))
    till.reload()


def plan_of(customer: int) -> queries.PlanView:
    found = queries.current_plan(customer)
    assert found is not None
    return found


def charges(till: Till) -> list[int]:
    """What was really collected, in the order of time."""
    return [c["amount"] for c in till.engine.store.all("charge") if c["paid"]]


def test_a_trial_is_quoted_with_what_follows(till: Till) -> None:
    quote = purchase.quote(till.customer(), PLAN, price_of(PLAN))
    assert (quote.total_minor, quote.later_minor) == (0, 9900)
    assert quote.trial is not None
    assert quote.charged_at is not None


def test_a_trial_begins_with_a_card_and_charges_nothing(till: Till) -> None:
    customer = till.customer()
    number = till.bought(customer, PLAN)
    plan, row = plan_of(customer), Subscription.objects.get()
    assert plan.state == "trialing"
    assert plan.amount_minor == 9900
    assert charges(till) == []
    (period,) = SubscriptionPeriod.objects.all()
    assert period.number == -1
    assert period.ends_at - period.starts_at == dt.timedelta(days=14)
    assert period.ends_at == row.anchor_at == row.trial_ends_at
    assert till.spendable(customer) == 10_000
    assert Order.objects.get(number=number).total_minor == 0
    assert Document.objects.count() == 0
    (session,) = till.engine.store.all("session")
    assert session["payment_method_collection"] == "always"


def test_at_its_end_it_is_paid_and_the_first_period_follows_without_a_gap(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, PLAN)
    till.engine.bank.advance(15 * DAY)
    till.deliver()
    till.hand_over()
    assert charges(till) == [9900]
    assert plan_of(customer).state == "active"
    trial, first = SubscriptionPeriod.objects.order_by("number")
    assert (first.number, first.starts_at) == (0, trial.ends_at)
    order = Order.objects.get(kind="renewal")
    assert (order.total_minor, order.money) == (9900, "paid")
    assert queries.order_by_id(order.pk).lines[0].terms.grants[0].amount == 500_000 * 10**6
    assert Document.objects.get().total_minor == 9900
    till.engine.bank.advance(31 * DAY)
    till.deliver()
    assert charges(till) == [9900, 9900]


def test_cancelled_in_time_it_ends_without_a_charge(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, PLAN)
    renewal.cancel_plan(customer, plan_of(customer).subscription)
    till.deliver()
    till.engine.bank.advance(15 * DAY)
    till.deliver()
    assert queries.current_plan(customer) is None
    assert charges(till) == []


def test_without_a_card_it_ends_without_a_charge(till: Till) -> None:
    card_free(till)
    customer = till.customer()
    number = till.order(customer, PLAN)
    assert till.pay(number, "none") == "paid"
    till.deliver()
    assert plan_of(customer).state == "trialing"
    till.engine.bank.advance(15 * DAY)
    till.deliver()
    assert queries.current_plan(customer) is None
    assert charges(till) == []
    assert [p.number for p in SubscriptionPeriod.objects.all()] == [-1]


def test_a_card_given_during_a_trial_without_one_is_charged_at_its_end(till: Till) -> None:
    card_free(till)
    customer = till.customer()
    till.pay(till.order(customer, PLAN), "none")
    till.deliver()
    (sub,) = till.engine.store.all("subscription")
    till.engine.bank.use_card(sub["id"], "ok")
    till.engine.bank.advance(15 * DAY)
    till.deliver()
    assert plan_of(customer).state == "active"
    assert charges(till) == [9900]


def test_a_card_that_fails_at_the_end_is_an_overdue_plan(till: Till) -> None:
    customer = till.customer()
    till.pay(till.order(customer, PLAN), "declines_later")
    till.deliver()
    assert plan_of(customer).state == "trialing"
    till.engine.bank.advance(15 * DAY)
    till.deliver()
    assert plan_of(customer).state == "past_due"
    assert charges(till) == []


def test_a_declined_card_begins_no_trial(till: Till) -> None:
    customer = till.customer()
    assert till.pay(till.order(customer, PLAN), "generic_decline") == "generic_decline"
    till.deliver()
    assert queries.current_plan(customer) is None


def test_a_trial_comes_once(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, PLAN)
    renewal.cancel_plan(customer, plan_of(customer).subscription)
    till.deliver()
    till.engine.bank.advance(15 * DAY)
    till.deliver()
    again = purchase.quote(customer, PLAN, price_of(PLAN))
    assert (again.trial, again.total_minor) == (None, 9900)
    till.engine.store.put("clock", "clock", {"ahead_s": 0})
    till.pay(till.order(customer, PLAN))
    till.deliver()
    assert plan_of(customer).state == "active"
    assert charges(till) == [9900]


def test_who_paid_for_a_plan_before_gets_no_trial(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    assert purchase.quote(customer, PLAN, price_of(PLAN)).trial is None


def test_two_trials_begun_at_once_leave_one(till: Till) -> None:
    """A second plan with a trial, opened in another tab before the first one began."""
    file = till.folder / "shop.toml"
    text = file.read_text()
    start = text.index("[plans.business]")
    copy = text[start : text.index("[plans.pack-10k]")].replace("plans.business", "plans.other")
    file.write_text(text.replace("[plans.pack-10k]", copy + "[plans.pack-10k]"))
    till.reload()
    customer = till.customer()
    numbers = [till.order(customer, PLAN), till.order(customer, "other")]
    for number in numbers:
        till.pay(number)
    till.deliver()
    till.wake()
    till.work()
    assert Subscription.objects.count() == 1
    assert Order.objects.get(number=numbers[1]).review == "second_subscription"
    ended = [s["status"] for s in till.engine.store.all("subscription")]
    assert sorted(ended) == ["canceled", "trialing"]
    assert not Job.objects.filter(state="dead").exists()


def test_its_customer_is_reminded_in_time_and_not_after_cancelling(till: Till, mailoutbox: list) -> None:  # type: ignore[type-arg]
    customer = accounts.ensure_customer(accounts.create_person("planted@example.org", None))
    till.bought(customer, PLAN)
    letter = Job.objects.get(kind="mail_plan")
    row = Subscription.objects.get()
    assert row.trial_ends_at is not None
    assert abs(row.trial_ends_at - letter.run_at - dt.timedelta(days=7)) < dt.timedelta(minutes=1)
    till.wake()
    till.work()
    (mail,) = [m for m in mailoutbox if "trial" in m.subject]
    assert "$99.00" in mail.body
    assert f"/console/plans/{row.number}/" in mail.body
    assert "planted" not in "".join(map(str, till.raw("kit_job")))


def test_a_trial_that_will_not_go_on_is_not_reminded_of(till: Till, mailoutbox: list) -> None:  # type: ignore[type-arg]
    customer = accounts.ensure_customer(accounts.create_person("planted@example.org", None))
    till.bought(customer, PLAN)
    renewal.cancel_plan(customer, plan_of(customer).subscription)
    till.deliver()
    till.wake()
    till.work()
    assert [m for m in mailoutbox if "trial" in m.subject] == []


def test_a_plan_that_is_tried_cannot_be_changed_yet(till: Till) -> None:
    customer = till.customer()
    till.bought(customer, PLAN)
    with pytest.raises(changes.CannotChange) as no:
        plan_change.quote_change(customer, plan_of(customer).subscription, "pro", price_of("pro"))
    assert no.value.code == "trialing"


def test_no_order_of_a_trial_is_paid_by_the_free_provider(till: Till) -> None:
    till.bought(till.customer(), PLAN)
    assert Attempt.objects.get().provider == "stripe"


@pytest.mark.parametrize("lost", [0.0, 1.0])
def test_lost_events_of_a_trials_end_are_made_up_for(till: Till, lost: float) -> None:
    customer = till.customer()
    till.bought(customer, PLAN)
    till.courier.knobs.drop = lost
    till.engine.bank.advance(15 * DAY)
    till.catch_up()
    plan = plan_of(customer)
    renewal.look_at_subscription(plan.provider, plan.reference)
    assert plan_of(customer).state == "active"
    assert [p.number for p in SubscriptionPeriod.objects.order_by("number")] == [-1, 0]
