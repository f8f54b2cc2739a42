"""Use beyond a plan: off until its customer allows it, never above the cap, billed when the round ends."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.money import Till
from tollkeeper.accounts import services as accounts
from tollkeeper.core import period as periods
from tollkeeper.core.ledger import Leg
from tollkeeper.core.terms import MICRO
from tollkeeper.flows import alerts, overage, purchase
from tollkeeper.kit.models import Job
from tollkeeper.payments.models import Attempt, Document
from tollkeeper.sales import allowances, queries
from tollkeeper.sales.models import Allowance, Order, Subscription
from tollkeeper.usage import services as usage
from tollkeeper.usage.booking import Posting, post
from tollkeeper.usage.models import Alert, Grant, Lease

DAY = 86_400
TRIAL = "trial = { days = 14, units = 10_000 }"


@pytest.fixture
def till(till: Till) -> Till:
    """A shop without trials, where 10,000 calls beyond the plan cost $2.50."""
    file = till.folder / "shop.toml"
    file.write_text(file.read_text().replace(TRIAL, ""))
    till.reload()
    return till


def holder(till: Till, plan: str = "business") -> tuple[int, str]:
    customer = accounts.ensure_customer(accounts.create_person("planted@example.org", None))
    till.bought(customer, plan)
    return customer, plan_of(customer).subscription


def plan_of(customer: int) -> queries.PlanView:
    found = queries.current_plan(customer)
    assert found is not None
    return found


def beyond(units: int) -> None:
    """Use up units of the allowance, as if a gate had leased and settled them."""
    grant = Grant.objects.get(source="overage")
    legs = (Leg(f"grant:{grant.pk}", -units * MICRO), Leg("used", units * MICRO))
    key = f"test:{grant.pk}:{grant.remaining}"
    post([Posting((grant.customer_id, grant.unit), key, "use", legs, "")], timezone.now())


def faults() -> list[str]:
    """What is wrong in the book, but for the calls that these tests do not make."""
    return [fault.code for fault in usage.check_book() if fault.code != "used"]


def end_round(till: Till) -> None:
    """The time of the round is up."""
    Job.objects.filter(kind="close_allowance").update(run_at=timezone.now())
    till.work()


def bill() -> Order:
    return Order.objects.get(kind="overage")


def test_nothing_is_used_beyond_a_plan_unless_it_is_allowed(till: Till) -> None:
    holder(till)
    till.wake()
    till.work()
    assert not Allowance.objects.exists()
    assert not Grant.objects.filter(source="overage").exists()


def test_a_cap_opens_an_allowance_of_what_it_pays_for(till: Till) -> None:
    customer, name = holder(till)
    assert overage.set_cap(customer, name, 1000) == 1000
    grant = Grant.objects.get(source="overage")
    assert grant.amount == 40_000 * MICRO
    assert grant.expires_at == plan_of(customer).ends_at
    assert overage.set_cap(customer, name, 1000) == 1000
    assert Allowance.objects.count() == 1


def test_what_was_used_is_billed_and_charged_without_the_payer(till: Till) -> None:
    customer, name = holder(till)
    overage.set_cap(customer, name, 1000)
    beyond(24_000)
    end_round(till)
    till.deliver()
    order = bill()
    assert (order.total_minor, order.money, order.lifecycle) == (600, "paid", "closed")
    assert Allowance.objects.get().state == "billed"
    assert Attempt.objects.get(order=order).reference.startswith("in_")
    invoice = till.engine.store.get("invoice", Attempt.objects.get(order=order).reference)
    assert invoice is not None
    assert [line["amount"] for line in invoice["lines"]["data"]] == [600]
    assert "24,000 calls" in invoice["lines"]["data"][0]["description"]
    assert Document.objects.filter(order=order).get().total_minor == 600
    assert faults() == []
    till.wake()
    till.work()
    assert Order.objects.filter(kind="overage").count() == 1


def test_what_the_sweeper_booked_as_expired_is_not_billed(till: Till) -> None:
    """The rest of an allowance runs out at the same instant at which it is billed."""
    customer, name = holder(till)
    overage.set_cap(customer, name, 1000)
    beyond(24_000)
    ends = Grant.objects.get(source="overage").expires_at
    assert ends is not None
    usage.expire_grants(ends)
    assert Grant.objects.get(source="overage").remaining == 0
    end_round(till)
    assert bill().total_minor == 600


def test_all_of_it_used_costs_the_cap_and_no_more(till: Till) -> None:
    customer, name = holder(till)
    overage.set_cap(customer, name, 1000)
    beyond(40_000)
    end_round(till)
    assert bill().total_minor == 1000


def test_a_trifle_is_not_billed(till: Till) -> None:
    customer, name = holder(till)
    overage.set_cap(customer, name, 1000)
    beyond(1_000)
    end_round(till)
    assert not Order.objects.filter(kind="overage").exists()
    assert (Allowance.objects.get().state, Allowance.objects.get().used) == ("closed", 1_000 * MICRO)


def test_nothing_is_billed_while_a_gate_holds_some(till: Till) -> None:
    customer, name = holder(till)
    overage.set_cap(customer, name, 1000)
    beyond(24_000)
    grant = Grant.objects.get(source="overage")
    now = timezone.now()
    Lease.objects.create(
        id="l1", gate_id="g", customer_id=customer, unit="calls", amount=MICRO,
        sources=f"[[{grant.pk}, {MICRO}]]", drawn_at=now, expires_at=now + dt.timedelta(minutes=1),
    )  # fmt: skip
    end_round(till)
    assert Allowance.objects.get().state == "open"
    Lease.objects.all().delete()
    end_round(till)
    assert bill().total_minor == 600


def test_a_lowered_cap_counts_what_is_used_and_a_raised_one_gives_more(till: Till) -> None:
    customer, name = holder(till)
    overage.set_cap(customer, name, 1000)
    beyond(24_000)
    assert overage.set_cap(customer, name, 2000) == 2000
    assert Grant.objects.get(source="overage").remaining == 56_000 * MICRO
    assert overage.set_cap(customer, name, 300) == 600
    assert Grant.objects.get(source="overage").remaining == 0
    assert overage.set_cap(customer, name, 0) == 600
    end_round(till)
    assert bill().total_minor == 600
    assert Subscription.objects.get().overage_cap_minor == 0


def test_a_declined_card_stops_it_tells_and_leaves_the_plan(till: Till, mailoutbox: list) -> None:  # type: ignore[type-arg]
    customer, name = holder(till)
    (sub,) = till.engine.store.all("subscription")
    till.engine.bank.use_card(sub["id"], "declines_later")
    overage.set_cap(customer, name, 1000)
    beyond(24_000)
    end_round(till)
    till.deliver()
    order = bill()
    assert (order.money, order.lifecycle) == ("unpaid", "open")
    assert Attempt.objects.get(order=order).url.endswith(Attempt.objects.get(order=order).reference)
    assert [m.subject for m in mailoutbox if "collect" in m.subject]
    assert plan_of(customer).state == "active"
    with pytest.raises(allowances.CannotAllow) as no:
        overage.set_cap(customer, name, 500)
    assert no.value.code == "unpaid"
    # paid by hand on the invoice's own page, it goes on
    assert purchase.begin_payment(order.number) == Attempt.objects.get(order=order).url
    assert till.engine.bank.pay_bill(Attempt.objects.get(order=order).reference, "ok")
    till.deliver()
    assert bill().money == "paid"
    overage.set_cap(customer, name, 500)
    assert Subscription.objects.get().overage_cap_minor == 500
    before = len(mailoutbox)
    till.wake()
    till.work()
    assert len(mailoutbox) == before


def test_the_provider_tries_again_and_a_better_card_pays(till: Till) -> None:
    customer, name = holder(till)
    (sub,) = till.engine.store.all("subscription")
    till.engine.bank.use_card(sub["id"], "declines_later")
    overage.set_cap(customer, name, 1000)
    beyond(24_000)
    end_round(till)
    till.engine.bank.use_card(sub["id"], "ok")
    till.engine.bank.advance(4 * DAY)
    till.deliver()
    assert bill().money == "paid"


@pytest.mark.parametrize("lost", range(1, 8))
def test_an_answer_that_is_lost_charges_once(till: Till, lost: int) -> None:
    """Any request of the bill may go unanswered: it is written and charged once."""
    customer, name = holder(till)
    overage.set_cap(customer, name, 1000)
    beyond(24_000)
    Job.objects.filter(kind="close_allowance").update(run_at=timezone.now())
    seen = len(till.engine.requests)
    till.engine.lose_next = 0
    real = till.engine.serve

    def serve(*args: object, **kwargs: object) -> object:
        if len(till.engine.requests) - seen == lost - 1:
            till.engine.lose_next = 3
        return real(*args, **kwargs)  # type: ignore[arg-type]

    till.engine.serve = serve  # type: ignore[method-assign, assignment]
    for _ in range(4):
        till.work()
        till.wake()
    till.engine.serve = real  # type: ignore[method-assign]
    till.wake()
    till.work()
    bills = [row for row in till.engine.store.all("invoice") if row["billing_reason"] == "manual"]
    assert [row["status"] for row in bills] == ["paid"]
    assert [row["amount_paid"] for row in bills] == [600]
    assert bill().money == "paid"


def test_levels_of_the_cap_are_told_once(till: Till, mailoutbox: list) -> None:  # type: ignore[type-arg]
    customer, name = holder(till)
    overage.set_cap(customer, name, 1000)
    for units in (21_000, 0, 12_000, 7_000):
        if units:
            beyond(units)
        alerts.tell({(customer, "calls")})
        till.work({"mail_alert"})
    told = [m.subject for m in mailoutbox if "cap" in m.subject]
    assert [text.partition(" ")[0] for text in told] == ["50", "80", "100"]
    assert "$10.00" in mailoutbox[-1].body
    assert sorted(Alert.objects.filter(kind__startswith="over").values_list("kind", flat=True)) == [
        "over_100", "over_50", "over_80",
    ]  # fmt: skip


def test_the_next_round_has_its_own_allowance(till: Till) -> None:
    customer, name = holder(till)
    overage.set_cap(customer, name, 1000)
    _next_month(till, customer)
    assert Allowance.objects.count() == 2
    assert Grant.objects.filter(source="overage").count() == 2


@pytest.mark.parametrize(
    ("plan", "cap", "code"),
    [("pro", 1000, "not_offered"), ("business", 10**9, "too_large")],
)
def test_what_cannot_be_allowed_is_refused(till: Till, plan: str, cap: int, code: str) -> None:
    customer, name = holder(till, plan)
    with pytest.raises(allowances.CannotAllow) as no:
        overage.set_cap(customer, name, cap)
    assert no.value.code == code


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 60_000)), min_size=1, max_size=5))
def test_whatever_is_wished_and_used_no_bill_is_above_the_highest_cap(
    till: Till, story: list[tuple[int, int]]
) -> None:
    customer = till.customer()
    till.bought(customer, "business")
    name = plan_of(customer).subscription
    held = Subscription.objects.get(number=name)
    highest = 0
    for cap, units in story:
        now_cap = overage.set_cap(customer, name, cap)
        highest = max(highest, cap)
        assert now_cap <= highest
        for allowance in Allowance.objects.filter(subscription=held):
            grant = Grant.objects.get(pk=allowance.grant_id)
            part = min(units * MICRO, grant.remaining)
            if part:
                legs = (Leg(f"grant:{grant.pk}", -part), Leg("used", part))
                key = f"test:{grant.pk}:{grant.remaining}:{grant.clawed}"
                post([Posting((customer, "calls"), key, "use", legs, "")], timezone.now())
    end_round(till)
    for order in Order.objects.filter(subscription=held, kind="overage"):
        assert order.total_minor <= highest
    assert faults() == []


def test_what_is_left_moves_to_the_next_month_up_to_the_bound(till: Till) -> None:
    customer, _ = holder(till)
    till.spend(customer, 400_000)
    _next_month(till, customer)
    carried = Grant.objects.get(source="carry")
    assert carried.amount == 100_000 * MICRO
    fresh = Grant.objects.get(
        key__startswith="line:", effective_at__gt=carried.effective_at - dt.timedelta(days=5), remaining__gt=0
    )
    assert carried.expires_at == fresh.expires_at
    assert carried.priority < fresh.priority
    till.wake()
    till.work()
    assert Grant.objects.filter(source="carry").count() == 1
    assert faults() == []


def test_no_more_than_the_bound_moves(till: Till) -> None:
    customer, _ = holder(till)
    _next_month(till, customer)
    assert Grant.objects.get(source="carry").amount == 250_000 * MICRO


def test_a_plan_without_it_carries_nothing(till: Till) -> None:
    customer, _ = holder(till, "pro")
    _next_month(till, customer)
    assert not Grant.objects.filter(source="carry").exists()


def _next_month(till: Till, customer: int) -> None:
    """A month passes at the provider and here."""
    till.age_plan(customer, 31)
    held = Subscription.objects.get(customer_id=customer)
    end = periods.nth(held.anchor_at, "month", 0).ends_at
    held.periods.update(starts_at=held.anchor_at, ends_at=end)
    Allowance.objects.update(ends_at=end)
    Grant.objects.filter(customer_id=customer).update(effective_at=held.anchor_at, expires_at=end)
    till.engine.bank.advance(31 * DAY)
    for bill in till.engine.store.all("invoice"):
        if bill["billing_reason"] == "subscription_cycle":
            bill["lines"]["data"][0]["period"]["start"] = int(end.timestamp())
    till.deliver()
    till.hand_over()
    till.wake()
    till.work()
