"""The whole story, by hand: sign up, choose, pay, take the key, call, see the call."""

from __future__ import annotations

import email
import email.policy
import re
import secrets
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.services.running import RunningShop

PASSWORD = "a-long-enough-phrase-7"


def newest_code(home: Path, address: str, patience_s: float = 15.0) -> str:
    """The confirmation code that was mailed to ``address``."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        for path in sorted((home / "mail").glob("*.eml"), reverse=True):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if address not in str(message["To"]):
                continue
            body = message.get_body(("plain",))
            assert body is not None
            found = re.search(r"^\s*([A-Z0-9]{3,6}-?[A-Z0-9]{3,6})\s*$", body.get_content(), re.MULTILINE)
            if found:
                return found[1]
        time.sleep(0.1)
    raise AssertionError(f"no code was mailed within {patience_s} s")


def call(url: str, key: str) -> int:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


def sign_up(page: Page, home: Path, address: str) -> None:
    """From the sign-up form to a confirmed address."""
    page.get_by_label("Email").fill(address)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("or older").check()
    page.get_by_role("button", name="Create account").click()
    page.locator("input[name=code]").fill(newest_code(home, address))
    page.get_by_role("button", name="Confirm", exact=True).click()


def test_a_stranger_buys_a_plan_and_makes_a_call(running_shop: RunningShop, watched: Watched) -> None:
    shop = running_shop.address("storefront")
    gate = running_shop.address("gate")
    address = f"browser-{secrets.token_hex(4)}@example.com"
    page = watched.page

    page.goto(f"{shop}/")
    watched.check()
    page.get_by_role("link", name="Choose Pro").first.click()
    expect(page.get_by_role("heading", name="Create an account")).to_be_visible()
    expect(page.locator(".chosen")).to_contain_text("Pro")
    watched.check()
    sign_up(page, running_shop.home, address)

    # the plan chosen before there was an account leads straight to the checkout
    expect(page.get_by_role("heading", name="Check your order")).to_be_visible()
    watched.check()
    page.get_by_role("button", name=re.compile("Order and pay")).click()

    page.get_by_label("Card number").fill("4242 4242 4242 4242")
    page.get_by_role("button", name=re.compile("Pay")).click()

    expect(page.locator('#purchase[data-state="delivered"]')).to_be_visible(timeout=30_000)
    watched.check()
    page.get_by_role("link", name="Show my key").click()
    watched.check()
    page.get_by_role("button", name="Show my key").click()
    key = page.locator("[data-key]").inner_text().strip()
    assert re.fullmatch(r"tk_(live|test)_[0-9A-Za-z]{38}", key)
    watched.check()

    # once means once
    page.goto(f"{shop}/console/keys/")
    assert key not in page.content()
    expect(page.get_by_text("Show my key")).to_have_count(0)
    watched.check()

    page.goto(f"{shop}/console/")
    expect(page.get_by_text("Waiting for your first call")).to_be_visible()
    assert call(f"{gate}/v1/trends", key) == 200
    expect(page.get_by_role("heading", name="Latest calls")).to_be_visible(timeout=30_000)
    expect(page.locator("tbody").get_by_text("/v1/trends").first).to_be_visible()
    watched.check()

    page.goto(f"{shop}/console/orders/")
    page.get_by_role("link", name=re.compile("^TK-")).click()
    page.get_by_role("link", name=re.compile("Receipt")).click()
    expect(page.get_by_text("$29.00").first).to_be_visible()
    watched.check()


def test_everything_works_without_scripts(running_shop: RunningShop, plain: Page) -> None:
    shop = running_shop.address("storefront")
    address = f"plain-{secrets.token_hex(4)}@example.com"

    plain.goto(f"{shop}/plans/")
    plain.get_by_role("link", name="Start for free").click()
    sign_up(plain, running_shop.home, address)
    plain.get_by_role("button", name="Start for free").click()

    # the page of return reloads itself by its head until the key is there
    expect(plain.locator('#purchase[data-state="delivered"]')).to_be_visible(timeout=30_000)
    plain.get_by_role("link", name="Show my key").click()
    plain.get_by_role("button", name="Show my key").click()
    assert plain.locator("[data-key]").inner_text().strip().startswith("tk_")

    plain.goto(f"{shop}/console/keys/new/")
    plain.get_by_label("Name").fill("second")
    plain.get_by_role("button", name="Make key").click()
    expect(plain.locator("[data-key]")).to_be_visible()
    plain.goto(f"{shop}/console/keys/")
    plain.get_by_role("row", name=re.compile("second")).get_by_role("link", name="Revoke").click()
    plain.get_by_role("button", name="Revoke for good").click()
    expect(plain.get_by_text("is revoked")).to_be_visible()
