"""The stand-in says no where Stripe says no, and tells what happened as Stripe tells it."""

from __future__ import annotations

import random
import re
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import stripe

from samples.fakestripe.bank import NotOpen
from samples.fakestripe.client import InProcess
from samples.fakestripe.courier import Courier, sign
from samples.fakestripe.engine import Engine
from samples.fakestripe.store import Store

GOOD: dict[str, Any] = {
    "mode": "payment",
    "success_url": "http://shop.invalid/ok?s={CHECKOUT_SESSION_ID}",
    "cancel_url": "http://shop.invalid/no",
    "client_reference_id": "TK-1",
    "line_items": [
        {
            "quantity": 1,
            "price_data": {"currency": "eur", "unit_amount": 900, "product_data": {"name": "Pack"}},
        }
    ],
}


@pytest.fixture
def engine() -> Engine:
    return Engine(chance=random.Random(3))


@pytest.fixture
def client(engine: Engine) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_x", http_client=InProcess(engine), max_network_retries=0)


def session(client: stripe.StripeClient, key: str = "", **changes: Any) -> Any:
    options: Any = {"idempotency_key": key} if key else {}
    return client.v1.checkout.sessions.create({**GOOD, **changes}, options)  # type: ignore[typeddict-item]


def monthly(client: stripe.StripeClient) -> Any:
    price = {**GOOD["line_items"][0]["price_data"], "recurring": {"interval": "month"}}
    return session(client, mode="subscription", line_items=[{"quantity": 1, "price_data": price}])


def tried(client: stripe.StripeClient, **changes: Any) -> Any:
    price = {**GOOD["line_items"][0]["price_data"], "recurring": {"interval": "month"}}
    data = {
        "trial_period_days": 14,
        "trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}},
    }
    given = {"subscription_data": data, "payment_method_collection": "if_required", **changes}
    return session(client, mode="subscription", line_items=[{"quantity": 1, "price_data": price}], **given)


def kinds(engine: Engine) -> list[str]:
    return [row["type"] for row in engine.store.all("event")]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"modee": "payment"}, "modee"),
        ({"mode": "paymant"}, "mode"),
        ({"line_items": [{"quantity": "many"}]}, "line_items"),
        ({"line_items": []}, "mode"),
        ({"payment_intent_data": {"capture": "now"}}, "payment_intent_data"),
        ({"customer": "cus_nobody"}, "id"),
        ({"expires_at": 1}, "expires_at"),
        ({"mode": "subscription"}, "mode"),
    ],
)
def test_a_wrong_request_is_refused_by_the_sdks_own_types(
    client: stripe.StripeClient, changes: dict[str, Any], param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as no:
        session(client, **changes)
    assert (no.value.param or "").startswith(param)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"subscription_data": {"trial_period_days": 0}}, "subscription_data"),
        ({"subscription_data": {"trial_period_days": 14}}, "subscription_data"),
        ({"subscription_data": {"trial_days": 14}}, "subscription_data"),
        ({"payment_method_collection": "never"}, "payment_method_collection"),
    ],
)
def test_a_wrong_trial_is_refused(client: stripe.StripeClient, changes: dict[str, Any], param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as no:
        tried(client, **changes)
    assert (no.value.param or "").startswith(param)


def test_a_trial_is_told_of_before_it_ends_and_is_charged_then(
    client: stripe.StripeClient, engine: Engine
) -> None:
    name = tried(client, payment_method_collection="always").id
    engine.bank.pay(name, "ok")
    (sub,) = engine.store.all("subscription")
    assert (sub["status"], sub["billing_cycle_anchor"]) == ("trialing", sub["trial_end"])
    engine.bank.advance(12 * 86_400)
    assert "customer.subscription.trial_will_end" in kinds(engine)
    assert "charge.succeeded" not in kinds(engine)
    engine.bank.advance(3 * 86_400)
    assert sub["status"] == "active"
    assert [c["amount"] for c in engine.store.all("charge")] == [900]


def test_a_wrong_key_is_refused(engine: Engine) -> None:
    with pytest.raises(stripe.AuthenticationError):
        session(stripe.StripeClient("sk_live_x", http_client=InProcess(engine)))


def test_an_idempotency_key_gives_the_same_object(client: stripe.StripeClient) -> None:
    assert session(client, "k1").id == session(client, "k1").id
    assert session(client, "k1").id != session(client, "k2").id
    with pytest.raises(stripe.IdempotencyError):
        session(client, "k1", cancel_url="http://shop.invalid/other")


@pytest.mark.parametrize("outcome", ["generic_decline", "insufficient_funds", "expired_card"])
def test_a_declined_card_leaves_the_session_open(
    engine: Engine, client: stripe.StripeClient, outcome: str
) -> None:
    made = session(client)
    assert engine.bank.pay(made.id, outcome) == outcome
    assert client.v1.checkout.sessions.retrieve(made.id).status == "open"
    assert kinds(engine)[-1] == "payment_intent.payment_failed"
    assert engine.bank.pay(made.id, "ok") == "paid"
    with pytest.raises(NotOpen):
        engine.bank.pay(made.id, "ok")


def test_a_refund_never_exceeds_what_is_left(engine: Engine, client: stripe.StripeClient) -> None:
    made = session(client)
    engine.bank.pay(made.id, "ok")
    payment = client.v1.checkout.sessions.retrieve(made.id).payment_intent
    client.v1.refunds.create({"payment_intent": str(payment), "amount": 400})
    with pytest.raises(stripe.InvalidRequestError, match="500"):
        client.v1.refunds.create({"payment_intent": str(payment), "amount": 501})
    client.v1.refunds.create({"payment_intent": str(payment)})
    with pytest.raises(stripe.InvalidRequestError) as no:
        client.v1.refunds.create({"payment_intent": str(payment)})
    assert no.value.code == "charge_already_refunded"


def test_a_disputed_charge_cannot_be_refunded_until_it_is_won(
    engine: Engine, client: stripe.StripeClient
) -> None:
    made = session(client)
    engine.bank.pay(made.id, "dispute")
    engine.bank.advance(60)
    assert "charge.dispute.created" in kinds(engine)
    (dispute,) = engine.store.all("dispute")
    payment = dispute["payment_intent"]
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": payment})
    engine.bank.decide(dispute["id"], "won")
    assert client.v1.refunds.create({"payment_intent": payment}).status == "succeeded"


def test_a_subscription_renews_on_its_anchor(engine: Engine, client: stripe.StripeClient) -> None:
    made = monthly(client)
    engine.bank.pay(made.id, "ok")
    engine.bank.advance(370 * 86_400)
    bills = list(engine.store.all("invoice"))
    assert len(bills) == 13
    assert [b["status"] for b in bills] == ["paid"] * 13
    spans = [(b["period_start"], b["period_end"]) for b in bills]
    assert all(one[1] == two[0] for one, two in pairwise(spans))


@pytest.mark.parametrize("tried", [True, False])
def test_another_interval_is_billed_at_once_or_after_a_trial_to_it(
    engine: Engine, client: stripe.StripeClient, tried: bool
) -> None:
    engine.bank.pay(monthly(client).id, "ok")
    (sub,) = engine.store.all("subscription")
    now, item = engine.bank.now(), sub["items"]["data"][0]
    price = {"currency": "eur", "product": item["price"]["product"], "unit_amount": 9_000}
    change: Any = {"items": [{"id": item["id"], "price_data": {**price, "recurring": {"interval": "year"}}}]}
    ends = now + 40 * 86_400
    client.v1.subscriptions.update(sub["id"], change | ({"trial_end": ends} if tried else {}))
    (row,) = engine.store.all("subscription")
    bill = list(engine.store.all("invoice"))[-1]
    assert (row["status"], bill["amount_paid"]) == (("trialing", 0) if tried else ("active", 9_000))
    assert row["billing_cycle_anchor"] == (ends if tried else now)
    engine.bank.advance(41 * 86_400)
    bills = [one["amount_paid"] for one in engine.store.all("invoice")]
    assert bills[1:] == ([0, 9_000] if tried else [9_000])
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscriptions.update(sub["id"], {"trial_end": now})


def test_a_renewal_that_fails_is_retried_then_ends(engine: Engine, client: stripe.StripeClient) -> None:
    made = monthly(client)
    engine.bank.pay(made.id, "ok")
    (sub,) = engine.store.all("subscription")
    engine.bank.use_card(sub["id"], "declines_later")
    engine.bank.advance(32 * 86_400)
    assert engine.bank.row("subscription", sub["id"])["status"] == "past_due"
    engine.bank.advance(20 * 86_400)
    assert engine.bank.row("subscription", sub["id"])["status"] == "canceled"
    assert kinds(engine).count("invoice.payment_failed") == 4


def test_lists_page_and_filter(client: stripe.StripeClient) -> None:
    made = [session(client, f"k{n}").id for n in range(5)]
    page = client.v1.checkout.sessions.list({"limit": 2})
    assert [row.id for row in page.auto_paging_iter()] == list(reversed(made))
    assert page.has_more


def test_expansion_is_refused_where_there_is_nothing_to_expand(client: stripe.StripeClient) -> None:
    made = session(client)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.retrieve(made.id, {"expand": ["nonsense"]})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.retrieve(made.id, {"expand": ["a.b.c.d.e"]})


def test_events_are_signed_as_the_sdk_checks_them() -> None:
    body = b'{"id":"evt_1"}'
    stripe.WebhookSignature.verify_header(body.decode(), sign(body, "whsec_x", 10), "whsec_x", None)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header("{}", sign(body, "whsec_x", 10), "whsec_x", None)


def test_the_courier_tries_again_and_gives_up_at_last() -> None:
    now, tries = [0.0], []

    def post(body: bytes, signature: str) -> int:
        tries.append(now[0])
        return 500

    store = Store()
    courier = Courier(store, "s", post, random.Random(1), lambda: now[0])
    store.put("event", "evt_1", {"id": "evt_1"})
    courier.take({"id": "evt_1"})
    for _ in range(3000):
        courier.deliver()
        now[0] += 0.25
    assert len(tries) == 10
    assert not courier.waiting()
    assert tries == sorted(tries)


@pytest.mark.parametrize("knob", ["duplicate", "drop"])
def test_knobs_do_what_they_say(knob: str) -> None:
    got: list[bytes] = []
    store = Store()
    courier = Courier(store, "s", lambda body, _: got.append(body) or 200, random.Random(1))
    courier.knobs.set({knob: 1})
    store.put("event", "evt_1", {"id": "evt_1"})
    courier.take({"id": "evt_1"})
    courier.deliver()
    assert len(got) == {"duplicate": 2, "drop": 0}[knob]


@pytest.mark.parametrize("wrong", [{"drop": 2}, {"drop": "x"}, {"nonsense": 1}, {"drop": -1}])
def test_a_knob_that_does_not_exist_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be one of"):
        Courier(Store()).knobs.set(wrong)


def test_a_restart_keeps_sessions_and_no_card_number(tmp_path: Path) -> None:
    path = tmp_path / "fakestripe.sqlite3"
    one = Engine(Store(path))
    made = session(stripe.StripeClient("sk_test_x", http_client=InProcess(one)), "k1")
    one.bank.pay(made.id, "dispute")
    one.store.close()
    two = Engine(Store(path))
    client = stripe.StripeClient("sk_test_x", http_client=InProcess(two))
    assert client.v1.checkout.sessions.retrieve(made.id).payment_status == "paid"
    assert session(client, "k1").id == made.id
    two.bank.advance(60)
    assert "charge.dispute.created" in kinds(two)
    two.store.close()
    with sqlite3.connect(path) as book:
        text = "".join(body for (body,) in book.execute("SELECT body FROM thing"))
    assert not re.search(r"\b4242\b|42424242", text)
    assert "@" not in text


@pytest.mark.parametrize("query", ["a[b=1", "a[b][c][d][e][f][g][h][i]=1", "expand=x&expand[0]=y"])
def test_broken_forms_are_refused(engine: Engine, query: str) -> None:
    status, text, _ = engine.serve(
        "get", f"http://x/v1/refunds?{query}", {"Authorization": "Bearer sk_test_x"}
    )
    assert status == 400, text
