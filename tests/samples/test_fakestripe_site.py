"""The hosted pages, as a browser without script sees them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe

from samples.fakestripe.app import Site, build
from samples.fakestripe.client import InProcess
from tests.samples.asgi import Answer, call

LINE = {
    "quantity": 1,
    "price_data": {"currency": "eur", "unit_amount": 900, "product_data": {"name": "P<b>ack"}},
}


@pytest.fixture
def site() -> Site:
    return build("http://checkout.invalid", "", "whsec_site")


@pytest.fixture
def path(site: Site) -> str:
    client = stripe.StripeClient("sk_test_x", http_client=InProcess(site.engine))
    params: Any = {
        "mode": "payment",
        "success_url": "http://shop.invalid/ok?s={CHECKOUT_SESSION_ID}",
        "cancel_url": "http://shop.invalid/no",
        "client_reference_id": "TK-1",
        "line_items": [LINE],
    }
    return str(client.v1.checkout.sessions.create(params).url).removeprefix("http://checkout.invalid")


def text_of(answer: Answer) -> str:
    return answer.body.decode()


def submit(site: Site, path: str, token: str, **fields: str) -> Answer:
    body = urlencode({"token": token, **fields}).encode()
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return call(site.app(), "POST", path, headers=kind, body=body)


def token_of(site: Site, path: str) -> str:
    found = re.search(r'name="token" value="(\w+)"', text_of(call(site.app(), "GET", path)))
    assert found
    return found[1]


def test_the_page_shows_what_is_bought_and_escapes_it(site: Site, path: str) -> None:
    answer = call(site.app(), "GET", path)
    text = text_of(answer)
    assert answer.status == 200
    assert "P&lt;b&gt;ack" in text
    assert "€9.00" in text
    assert "http://shop.invalid/no" in text
    assert "<script" not in text
    assert "style=" not in text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_good_card_goes_back_to_the_shop_with_the_sessions_id(site: Site, path: str) -> None:
    answer = submit(site, path, token_of(site, path), number="4242 4242 4242 4242", expiry="12/34")
    assert answer.status == 303
    assert answer.headers["location"] == f"http://shop.invalid/ok?s={path.split('/')[-1]}"
    assert call(site.app(), "GET", path).status == 410


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"number": "4000000000000002"}, "declined"),
        ({"number": "4000000000009995"}, "insufficient"),
        ({"number": "4111111111111111"}, "never a real card"),
        ({"number": ""}, "never a real card"),
        ({"number": "4242424242424242", "expiry": "01/20"}, "in the past"),
        ({"number": "4242424242424242", "expiry": "nonsense"}, "in the past"),
    ],
)
def test_a_card_that_is_not_good_is_told_why(
    site: Site, path: str, fields: dict[str, str], words: str
) -> None:
    answer = submit(site, path, token_of(site, path), **fields)
    assert answer.status == 402
    assert words in text_of(answer)


def test_the_second_step_decides(site: Site, path: str) -> None:
    token = token_of(site, path)
    assert "Your bank asks" in text_of(submit(site, path, token, number="4000002500003155"))
    assert submit(site, path + "/second-step", token, answer="no").status == 402
    assert submit(site, path + "/second-step", token, answer="yes").status == 303


def test_a_form_without_the_pages_token_pays_nothing(site: Site, path: str) -> None:
    assert submit(site, path, "0" * 32, number="4242424242424242").status == 402
    assert submit(site, path + "/second-step", "0" * 32, answer="yes").status == 402


def test_a_page_that_does_not_exist(site: Site) -> None:
    assert call(site.app(), "GET", "/c/pay/cs_test_0").status == 404
    assert call(site.app(), "GET", "/p/session/bps_0").status == 404


@pytest.mark.parametrize("where", ["/fake/knobs", "/fake/clock", "/fake/acts"])
@pytest.mark.parametrize("body", [b"{", b"[]", b'{"advance_s": -1}', b'{"act": "x"}', b'{"drop": "x"}'])
def test_wrong_knobs_are_answered_with_400(site: Site, where: str, body: bytes) -> None:
    assert call(site.app(), "POST", where, body=body).status == 400


@pytest.fixture
def portal(site: Site) -> str:
    client = stripe.StripeClient("sk_test_x", http_client=InProcess(site.engine))
    price = {**LINE["price_data"], "recurring": {"interval": "month"}}  # type: ignore[dict-item]
    params: Any = {
        "mode": "subscription",
        "success_url": "http://shop.invalid/ok",
        "line_items": [{"quantity": 1, "price_data": price}],
    }
    made = client.v1.checkout.sessions.create(params)
    site.engine.bank.pay(made.id, "ok")
    customer = str(client.v1.checkout.sessions.retrieve(made.id).customer)
    found = client.v1.billing_portal.sessions.create(
        {"customer": customer, "return_url": "http://shop.invalid/"}
    )
    return str(found.url).removeprefix("http://checkout.invalid")


def the_subscription(site: Site) -> dict[str, Any]:
    (sub,) = site.engine.store.all("subscription")
    return sub


def test_the_portal_ends_and_resumes_a_plan(site: Site, portal: str) -> None:
    assert "€9.00 per month" in text_of(call(site.app(), "GET", portal))
    token, name = token_of(site, portal), the_subscription(site)["id"]
    assert submit(site, portal, token, subscription=name, act="cancel").status == 303
    assert the_subscription(site)["cancel_at_period_end"] is True
    assert submit(site, portal, token, subscription=name, act="resume").status == 303
    assert the_subscription(site)["cancel_at_period_end"] is False


def test_the_portal_takes_another_card(site: Site, portal: str) -> None:
    token, name = token_of(site, portal), the_subscription(site)["id"]
    submit(site, portal, token, subscription=name, act="card_bad")
    body = b'{"advance_s": 2764800}'
    assert call(site.app(), "POST", "/fake/clock", body=body).status == 200
    assert the_subscription(site)["status"] == "past_due"
    submit(site, portal, token, subscription=name, act="card_good")
    assert the_subscription(site)["status"] == "active"


def test_the_portal_is_closed_to_strangers(site: Site, portal: str) -> None:
    name = the_subscription(site)["id"]
    assert submit(site, portal, "0" * 32, subscription=name, act="cancel").status == 404
    assert the_subscription(site)["cancel_at_period_end"] is False


def test_acts_of_a_bank_can_be_asked_for(site: Site, path: str) -> None:
    submit(site, path, token_of(site, path), number="4242424242424242", expiry="12/34")
    (payment,) = site.engine.store.all("intent")
    asked = {"act": "dispute", "payment_intent": payment["id"]}
    made = call(site.app(), "POST", "/fake/acts", body=asked).json()
    assert made["status"] == "needs_response"
    decided = {"act": "decide", "dispute": made["id"], "status": "lost"}
    assert call(site.app(), "POST", "/fake/acts", body=decided).json()["status"] == "lost"
