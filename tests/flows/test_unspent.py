"""What was bought and not used goes back: stopped first, counted when it stands still, paid last."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from samples.relays.litellm import LiteLLM
from tests.contracts.test_provisioners import Line
from tests.samples.asgi import call
from tests.services.money import Till, open_till
from tollkeeper.config import environment
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import registry
from tollkeeper.delivery.models import Delivery, Key
from tollkeeper.delivery.provisioners import Door, litellm
from tollkeeper.flows import relaying, unspent
from tollkeeper.flows.refund import CannotRefund
from tollkeeper.kit.models import Job
from tollkeeper.payments import queries as payments
from tollkeeper.sales import queries as sales
from tollkeeper.sales.models import Order
from tollkeeper.sales.services import NoSuchOrder
from tollkeeper.usage import queries as usage_queries
from tollkeeper.usage.services import check_book

USD = 1_000_000


def order_of(number: str) -> sales.OrderView:
    found = sales.find_order(number)
    assert found is not None
    return found


def finish(till: Till) -> None:
    """Let everything happen that follows, waits included."""
    for _ in range(4):
        till.wake()
        till.work(also={"fulfil_line"})
        till.deliver()


def faults() -> list[str]:
    """What is wrong in the book, but for use that no call stands behind (``Till.spend``)."""
    return [fault.code for fault in check_book() if fault.code != "used"]


def state_of(number: str) -> str:
    row = delivery.find_delivery(order_of(number).lines[0].line_id)
    assert row is not None
    return row.state


# ---- on our own gate


def test_the_unused_share_goes_back_and_the_key_stops_at_once(till: Till) -> None:
    customer = till.customer()
    number = till.bought(customer)
    till.spend(customer, 2_501)
    unspent.give_back(number, origin="customer")
    assert till.spendable(customer) == 0
    assert [key.state for key in Key.objects.all()] == ["suspended"], "before the money is even reckoned"
    assert state_of(number) == "suspended"
    finish(till)
    order = order_of(number)
    (refund,) = payments.list_refunds(order.order_id)
    assert (refund.reason, refund.origin, refund.state) == ("unspent", "customer", "succeeded")
    assert (order.captured_minor, order.refunded_minor) == (500, 374), "7,499 of 10,000, rounded down"
    assert state_of(number) == "revoked"
    assert faults() == []


def test_what_else_was_bought_goes_on(till: Till) -> None:
    customer = till.customer()
    kept = till.bought(customer)
    number = till.bought(customer)
    unspent.give_back(number, origin="operator")
    assert [key.state for key in Key.objects.all()] == ["active"]
    finish(till)
    assert till.spendable(customer) == 10_000
    assert (order_of(number).refunded_minor, order_of(kept).refunded_minor) == (500, 0)
    assert faults() == []


def test_it_waits_for_what_gates_hold(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = till.customer()
    number = till.bought(customer)
    out = [True]
    monkeypatch.setattr(usage_queries, "has_open_leases", lambda _: out[0])
    unspent.give_back(number, origin="operator")
    finish(till)
    assert order_of(number).refunded_minor == 0
    out[0] = False
    finish(till)
    assert order_of(number).refunded_minor == 500


def test_a_gate_that_never_returns_is_not_waited_for_for_ever(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = till.bought(till.customer())
    monkeypatch.setattr(usage_queries, "has_open_leases", lambda _: True)
    monkeypatch.setattr(unspent, "LEASES_WAIT", dt.timedelta(0))
    unspent.give_back(number, origin="operator")
    finish(till)
    assert order_of(number).refunded_minor == 500


def test_a_refund_that_fails_gives_everything_again(till: Till) -> None:
    customer = till.customer()
    number = till.order(customer)
    till.pay(number, "refund_fails")
    till.deliver()
    till.hand_over()
    till.spend(customer, 1_000)
    unspent.give_back(number, origin="operator")
    finish(till)
    assert till.spendable(customer) == 0
    till.engine.bank.advance(30)
    finish(till)
    assert order_of(number).money == "paid"
    assert till.spendable(customer) == 9_000
    assert [key.state for key in Key.objects.all()] == ["active"]
    assert state_of(number) == "delivered"
    assert faults() == []
    till.spend(customer, 3_000)
    unspent.give_back(number, origin="operator")  # counted anew, not by what was withheld before
    finish(till)
    assert {r.amount_minor for r in payments.list_refunds(order_of(number).order_id)} == {450, 300}


def test_all_spent_means_nothing_goes_back_and_nothing_changes(till: Till) -> None:
    customer = till.customer()
    number = till.bought(customer)
    till.spend(customer, 10_000)
    unspent.give_back(number, origin="operator")
    finish(till)
    assert order_of(number).refunded_minor == 0
    assert state_of(number) == "delivered"
    assert [key.state for key in Key.objects.all()] == ["active"]


@pytest.mark.parametrize("again", ["same", "refunded", "unpaid", "plan"])
def test_what_cannot_be_given_back(till: Till, again: str) -> None:
    customer = till.customer()
    if again == "plan":
        number = till.bought(customer, "pro")
    elif again == "unpaid":
        number = till.order(customer)
    else:
        number = till.bought(customer)
        unspent.give_back(number, origin="operator")
        if again == "refunded":
            finish(till)
    code = {
        "same": "not_returnable",
        "refunded": "nothing_left",
        "unpaid": "not_paid",
        "plan": "not_returnable",
    }
    with pytest.raises(CannotRefund) as refused:
        unspent.give_back(number, origin="operator")
    assert refused.value.code == code[again]
    with pytest.raises(NoSuchOrder):
        unspent.give_back("T-NOBODY", origin="operator")


def test_customers_may_as_long_as_the_plan_said(till: Till) -> None:
    shop = till.folder / "shop.toml"
    shop.write_text(
        shop.read_text().replace("[plans.pack-10k]\n", '[plans.pack-10k]\nrefund_unspent = "14d"\n')
    )
    before = till.bought(till.customer())
    till.reload()
    number = till.bought(till.customer())
    until = unspent.returnable_until(order_of(number))
    paid_at = order_of(number).paid_at
    assert paid_at is not None
    assert until == paid_at + dt.timedelta(days=14)
    assert unspent.returnable_until(order_of(before)) is None, "bought before the plan said so"
    Order.objects.filter(number=number).update(paid_at=timezone.now() - dt.timedelta(days=15))
    assert unspent.returnable_until(order_of(number)) is None


# ---- at a relay


@pytest.fixture
def relay() -> LiteLLM:
    made = LiteLLM("adm")
    made.spend_delay_s = 10
    return made


@pytest.fixture
def abroad(
    transactional_db: None, tmp_path: Path, relay: LiteLLM, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Till]:
    shutil.copytree(environment.repository() / "shops" / "gettoken", tmp_path / "twtapi")
    target = TargetTerms("relay", "litellm", "http://relay.test", "X", resale_allowed=True)
    monkeypatch.setattr(relaying, "_targets", lambda: ["relay"])
    with (
        registry.stand_in("relay", litellm.build(Door(timezone.now, target, "adm", Line(relay.app)))),
        open_till(tmp_path) as opened,
    ):
        yield opened


def chat(relay: LiteLLM, secret: str, tokens: int = 1000) -> int:
    body: dict[str, Any] = {
        "model": "heron-1",
        "messages": [{"role": "user", "content": "terns " * tokens}],
        "max_tokens": 500,
    }
    headers = {"authorization": f"Bearer {secret}"}
    return call(relay.app, "POST", relay.chat_paths[0], headers=headers, body=body).status


def secret_of(relay: LiteLLM) -> str:
    return list(relay.keys.values())[-1].secret


def test_at_a_relay_late_spend_is_waited_for(abroad: Till, relay: LiteLLM) -> None:
    number = abroad.bought(abroad.customer(), "relay-10")
    finish(abroad)
    secret = secret_of(relay)
    for _ in range(100):
        assert chat(relay, secret) == 200
    [key] = relay.keys.values()
    assert key.pending
    assert not key.spent
    unspent.give_back(number, origin="customer")
    finish(abroad)
    assert chat(relay, secret) in (401, 403), "stopped there although nothing is refunded yet"
    assert order_of(number).refunded_minor == 0
    relay.offset_s += 60
    spent = key.used
    Delivery.objects.update(stopped_at=timezone.now() - dt.timedelta(minutes=5))
    Job.objects.filter(kind="return_unspent").update(run_at=timezone.now())
    finish(abroad)
    order = order_of(number)
    assert 0 < order.refunded_minor == 1100 * (10 * USD - spent) // (10 * USD) < 1100
    assert state_of(number) == "revoked"
    assert relay.keys == {}


def test_another_line_on_the_same_key_keeps_its_units(abroad: Till, relay: LiteLLM) -> None:
    relay.spend_delay_s = 0
    customer = abroad.customer()
    first = abroad.bought(customer, "relay-10")
    finish(abroad)
    secret = secret_of(relay)
    for _ in range(50):
        chat(relay, secret)
    second = abroad.bought(customer, "relay-10")
    finish(abroad)
    [key] = relay.keys.values()
    assert key.cap == 20 * USD
    Delivery.objects.update(created_at=timezone.now() - dt.timedelta(hours=2))
    unspent.give_back(first, origin="operator")
    Delivery.objects.filter(state="suspended").update(stopped_at=timezone.now() - dt.timedelta(minutes=5))
    finish(abroad)
    refunded = order_of(first).refunded_minor
    assert refunded == 1100 * (10 * USD - key.used) // (10 * USD)
    assert order_of(second).refunded_minor == 0
    assert key.cap is not None
    assert abs(key.cap - key.used - 10 * USD) <= 2, "the second line is untouched by what the first had spent"
    assert chat(relay, secret) == 200
    assert state_of(second) == "delivered"


def test_a_relay_that_does_not_know_pays_nothing_by_itself(
    abroad: Till, relay: LiteLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = abroad.bought(abroad.customer(), "relay-10")
    finish(abroad)
    monkeypatch.setattr(litellm, "from_usd", lambda amount: None)
    unspent.give_back(number, origin="operator")
    Delivery.objects.update(stopped_at=timezone.now() - dt.timedelta(minutes=5))
    finish(abroad)
    assert order_of(number).refunded_minor == 0
    assert Job.objects.get(kind="return_unspent").state == "dead"
    assert chat(relay, secret_of(relay)) in (401, 403)
