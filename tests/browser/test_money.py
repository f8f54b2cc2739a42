"""Money on its way, by hand: a refund, a dispute won, a renewal, seen by customer and operator."""

from __future__ import annotations

import base64
import hmac
import json
import re
import secrets
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.test_purchase import PASSWORD, sign_up
from tests.services.running import RunningShop

OPERATOR = "desk@example.com"
PATIENCE_S = 60.0
KEY: list[str] = []
"""The operator's authenticator key, as the command printed it."""


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningShop]:
    """A shop for one test: its Stripe's clock is moved on by a month."""
    with RunningShop(tmp_path_factory.mktemp("money") / "home") as running:
        told = subprocess.run(
            [sys.executable, "-m", "tollkeeper", "operator", "add", OPERATOR],
            env={**running.environment, "TOLLKEEPER_OPERATOR_PASSWORD": PASSWORD},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        KEY[:] = re.findall(r"secret=([A-Z2-7]+)", told)
        yield running


def stripe(shop: RunningShop, path: str, **body: Any) -> dict[str, Any]:
    """Ask FakeStripe for something that the real one does by itself."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{shop.port + 2}/fake/{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def visitor(browser: Browser) -> Page:
    return browser.new_context(locale="en").new_page()


def buy(page: Page, shop: RunningShop, plan: str) -> str:
    """A new customer buys a plan; answers the order's number."""
    storefront = shop.address("storefront")
    page.goto(f"{storefront}/plans/")
    page.get_by_role("link", name=plan).first.click()
    sign_up(page, shop.home, f"money-{secrets.token_hex(4)}@example.com")
    page.get_by_role("button", name=re.compile("Order and pay")).click()
    page.get_by_label("Card number").fill("4242 4242 4242 4242")
    page.get_by_role("button", name=re.compile("^Pay")).click()
    expect(page.locator('#purchase[data-state="delivered"]')).to_be_visible(timeout=PATIENCE_S * 1000)
    found = re.search(r"/checkout/([^/]+)/", page.url)
    assert found is not None
    return found[1]


def sign_in(page: Page, shop: RunningShop) -> None:
    """The operator signs in."""
    page.goto(f"{shop.address('storefront')}/accounts/login/")
    page.get_by_label("Email").fill(OPERATOR)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("Sign in")).first.click()
    page.wait_for_url(re.compile("/2fa/"))
    for _ in range(3):  # a code whose half minute ends on the way is refused; the next one is not
        page.locator("input[name=code]").fill(code_of(KEY[0]))
        with page.expect_navigation():
            page.locator("form:has(input[name=code]) button[type=submit]").first.click()
        if "/2fa/" not in page.url:
            break
    page.wait_for_url(re.compile("/console/"))


def code_of(key: str) -> str:
    """What an authenticator app shows now (RFC 6238)."""
    count = int(time.time() // 30).to_bytes(8, "big")
    mac = hmac.digest(base64.b32decode(key), count, "sha1")
    start = mac[-1] & 15
    return f"{(int.from_bytes(mac[start : start + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06d}"


def until_shown(page: Page, what: Locator) -> None:
    """Look at the page again until it shows something that a worker does."""
    deadline = time.monotonic() + PATIENCE_S
    while not what.first.is_visible():
        assert time.monotonic() < deadline, f"{page.url} never shows {what}"
        page.wait_for_timeout(300)
        page.reload()


def payment_of(shop: RunningShop, number: str) -> str:
    """Stripe's id of the payment of an order."""
    with sqlite3.connect(shop.home / "book.sqlite3") as book:
        rows = book.execute(
            "SELECT a.payment FROM payments_attempt a JOIN sales_order o ON o.id = a.order_id "
            "WHERE o.number = ? AND a.payment <> ''",
            [number],
        ).fetchall()
    return str(rows[0][0])


def test_a_refund_a_dispute_and_a_renewal(browser: Browser, shop: RunningShop) -> None:
    storefront = shop.address("storefront")
    desk, first, second, third = (visitor(browser) for _ in range(4))
    sign_in(desk, shop)

    # a refund: asked for at the desk, seen by the customer with its credit note
    number = buy(first, shop, "10,000 calls")
    desk.goto(f"{storefront}/desk/orders/{number}/")
    desk.get_by_role("button", name="Refund", exact=True).click()
    until_shown(desk, desk.get_by_role("cell", name="Succeeded").nth(1))
    first.goto(f"{storefront}/console/orders/{number}/")
    until_shown(first, first.get_by_role("link", name=re.compile("Credit note")))
    expect(first.get_by_role("heading", name="Refunded")).to_be_visible()

    # a dispute: keys rest at once, evidence is handed in, and a win gives everything again
    number = buy(second, shop, "10,000 calls")
    made = stripe(shop, "acts", act="dispute", payment_intent=payment_of(shop, number))
    second.goto(f"{storefront}/console/orders/{number}/")
    until_shown(second, second.get_by_role("heading", name="Disputed"))
    second.goto(f"{storefront}/console/keys/")
    until_shown(second, second.get_by_text("Suspended"))
    desk.goto(f"{storefront}/desk/money/")
    until_shown(desk, desk.get_by_role("button", name="Hand it in"))
    desk.get_by_role("button", name="Hand it in").click()
    until_shown(desk, desk.get_by_text("Under review"))
    stripe(shop, "acts", act="decide", dispute=made["id"], status="won")
    second.goto(f"{storefront}/console/orders/{number}/")
    until_shown(second, second.get_by_role("heading", name="All set"))
    second.goto(f"{storefront}/console/keys/")
    until_shown(second, second.get_by_text("Active", exact=True))

    # a renewal: a month passes at Stripe, and the paid period opens with a receipt of its own
    number = buy(third, shop, "Choose Pro")
    stripe(shop, "clock", advance_s=32 * 86_400)
    third.goto(f"{storefront}/console/orders/")
    until_shown(third, third.get_by_role("link", name=re.compile("^TK-")).nth(1))
    renewal = third.get_by_role("link", name=re.compile("^TK-")).first
    assert renewal.inner_text() != number
    renewal.click()
    until_shown(third, third.get_by_role("link", name=re.compile("Receipt")))
    expect(third.get_by_text("$29.00").first).to_be_visible()


def test_a_trial_is_begun_and_becomes_a_plan(browser: Browser, shop: RunningShop) -> None:
    storefront = shop.address("storefront")
    page = visitor(browser)
    page.goto(f"{storefront}/plans/")
    expect(page.get_by_text("14 days free").first).to_be_visible()
    page.get_by_role("link", name="Choose Business").first.click()
    sign_up(page, shop.home, f"money-{secrets.token_hex(4)}@example.com")
    expect(page.get_by_text(re.compile("14 days free. Then it renews for"))).to_be_visible()
    page.get_by_role("button", name="Start the trial").click()
    page.get_by_label("Card number").fill("4242 4242 4242 4242")
    page.get_by_role("button", name="Start trial").click()
    expect(page.locator('#purchase[data-state="delivered"]')).to_be_visible(timeout=PATIENCE_S * 1000)
    page.goto(f"{storefront}/console/orders/")
    page.locator("main").get_by_role("link", name="Business").click()
    expect(page.get_by_text(re.compile("You are trying this plan until"))).to_be_visible()
    stripe(shop, "clock", advance_s=15 * 86_400)
    page.goto(f"{storefront}/console/orders/")
    until_shown(page, page.get_by_role("link", name=re.compile("^TK-")).nth(1))
    until_shown(page, page.get_by_text("$99.00"))
