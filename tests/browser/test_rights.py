"""Whole room: every right of the two policies, exercised by hand, on desk and phone, in both languages."""

from __future__ import annotations

import email
import email.policy
import json
import re
import secrets
import sqlite3
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched
from tests.services.running import RunningShop

PASSWORD = "a-long-enough-phrase-7"
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
FACES = [pytest.param((PHONE, "en"), id="phone-en"), pytest.param((DESK, "zh-CN"), id="desk-zh")]
"""Both sizes and both languages, in two visits."""
EVERY_FACE = [
    *FACES,
    pytest.param((PHONE, "zh-CN"), id="phone-zh"),
    pytest.param((DESK, "en"), id="desk-en"),
]
PATIENCE_S = 20.0


def forget_throttles(home: Path) -> None:
    """Nobody asked for anything yet, as far as the throttle knows."""
    with sqlite3.connect(home / "book.sqlite3", timeout=20) as book:
        book.execute("DELETE FROM accounts_cacheentry")


@pytest.fixture(autouse=True)
def fresh(running_shop: RunningShop) -> None:
    forget_throttles(running_shop.home)


@pytest.fixture
def face(browser: Browser, running_shop: RunningShop, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A fresh visitor of the given size and language."""
    size, language = request.param
    context = browser.new_context(
        base_url=running_shop.address("storefront"), viewport=size, locale=language, bypass_csp=True
    )
    context.set_default_timeout(15_000)
    yield Watched(context.new_page())
    context.close()


def next_mail(home: Path, address: str, pattern: str, seen: set[Path]) -> str:
    """What ``pattern`` finds in the next mail to an address that was not seen yet."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for path in sorted(set((home / "mail").glob("*.eml")) - seen):
            seen.add(path)
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = message.get_body(("plain",))
            text = body.get_content() if body is not None and address in str(message["To"]) else ""
            if (hit := re.search(pattern, text, re.MULTILINE)) is not None:
                return hit[1]
        time.sleep(0.1)
    raise AssertionError(f"no mail with {pattern} within {PATIENCE_S} s")


CODE = r"^\s*([A-Z0-9]{3,6}-[A-Z0-9]{3,6})\s*$"
CASE = r"(/privacy/request/\S+)"


def sign_up(page: Page, home: Path, address: str, seen: set[Path]) -> None:
    page.goto("/accounts/signup/")
    assert page.locator("details.notice, .notice, [class*=notice]").count(), "informed at the form"
    page.locator("input[name=email]").fill(address)
    page.locator("input[name=password1]").fill(PASSWORD)
    page.locator("input[type=checkbox]:visible").first.check()
    page.locator("main form button[type=submit]").first.click()
    page.locator("input[name=code]").fill(next_mail(home, address, CODE, seen))
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_url(lambda url: "/confirm" not in url and "/signup" not in url)


def again(page: Page) -> None:
    """Give the password once more where the page asks for it."""
    if "reauthenticate" in page.url:
        page.locator("input[name=password]").fill(PASSWORD)
        page.locator("main form button[type=submit]").first.click()


def copy_of(page: Page, home: Path, address: str, seen: set[Path], folder: Path) -> dict[str, bytes]:
    """Access and portability: ask, wait, fetch with the mailed code; the files of the zip."""
    page.goto("/console/privacy/")
    page.locator('form[action="/console/privacy/copy/"] button').click()
    again(page)
    ready = page.locator('.copy-row[data-state="ready"] button')
    expect(ready).to_be_visible(timeout=30_000)
    ready.click()
    again(page)
    code = next_mail(home, address, CODE, seen)
    page.locator("input[name=code]").fill(code)
    with page.expect_download() as waiting:
        page.locator("main form button[type=submit]").first.click()
    path = folder / "copy.zip"
    waiting.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def press(page: Page, selector: str) -> None:
    page.locator(selector).first.click()
    page.wait_for_load_state()


@pytest.mark.parametrize("face", EVERY_FACE, indirect=True)
def test_whoever_has_an_account_uses_every_right(
    face: Watched, running_shop: RunningShop, tmp_path: Path
) -> None:
    page, home, seen = face.page, running_shop.home, set[Path]()
    address = f"rights-{secrets.token_hex(4)}@example.com"
    chinese = page.evaluate("navigator.language").startswith("zh")

    # informed
    page.goto("/privacy/")
    assert page.locator("html").get_attribute("lang") == ("zh-hans" if chinese else "en")
    expect(page.locator("#rights")).to_be_attached()
    sign_up(page, home, address, seen)

    # rectified
    page.goto("/console/settings/")
    page.locator("input[name=nickname]").fill("Ada Right")
    page.locator("form:has(input[name=nickname]) button[type=submit]").click()
    page.goto("/console/settings/")
    expect(page.locator("input[name=nickname]")).to_have_value("Ada Right")

    # objected, and allowed again
    page.goto("/console/privacy/")
    face.check()
    wish = page.locator(".choice-row button").first
    before = wish.inner_text()
    wish.click()
    expect(page.locator(".choice-row button").first).not_to_have_text(before)
    press(page, ".choice-row button")
    expect(page.locator(".choice-row button").first).to_have_text(before)

    # opted out of sale and sharing
    page.locator("form:has(input[value=sale]) button").click()
    expect(page.locator("input[value=sale]")).to_have_count(0)

    # to know and to limit (California), a correction of what one cannot reach, a complaint
    for kind in ("know", "limit", "rectify", "complaint"):
        page.locator("#wish_kind").select_option(kind)
        page.locator("#wish_words").fill(
            "" if kind in ("know", "limit") else "An old invoice names me wrongly."
        )
        page.locator("form:has(#wish_kind) button[type=submit]").click()
        expect(page.locator("[role=status], .note, .notes").first).to_contain_text("R-")
        page.goto("/console/privacy/")
    expect(page.locator('a[href*="/privacy/request/R-"]')).to_have_count(4)
    page.goto(str(page.locator('a[href*="/privacy/request/R-"]').first.get_attribute("href")))
    face.check()
    page.goto("/console/privacy/")
    face.check()

    # restricted, and lifted
    press(page, 'form[action*="privacy/restrict"] button[value=store]')
    page.goto("/console/keys/")
    assert "/console/privacy/" in page.url, "only rights and support are open"
    press(page, 'form[action*="privacy/restrict"] button[value=lift]')
    page.goto("/console/keys/")
    assert page.url.endswith("/console/keys/")

    # access and portability
    files = copy_of(page, home, address, seen, tmp_path)
    assert json.loads(files["data/accounts.User.json"])[0]["nickname"] == "Ada Right"
    assert json.loads(files["provided/account.EmailAddress.json"]) == [{"email": address}]
    actions = [row["action"] for row in json.loads(files["data/privacy.Choice.json"])]
    assert actions[:3] == ["object", "allow", "opt_out"]
    assert ("一切" if chinese else "Everything") in files["index.html"].decode()
    page.goto("/console/privacy/")
    expect(page.locator('.copy-row[data-state="taken"]')).to_be_visible()
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not wide

    # erased: preview, frozen, taken back, then at once
    for at_once in (False, True):
        page.goto("/console/privacy/close/")
        again(page)
        expect(page.locator(".goes li").first).to_be_visible()
        page.locator("input[name=sure]").check()
        if at_once:
            page.locator("input[name=at_once]").check()
        page.locator("form:has(input[name=sure]) button[type=submit]").click()
        page.wait_for_url("**/privacy/erasure/**")
        link = page.url
        page.goto("/console/")
        assert "/accounts/login/" in page.url, "frozen at once"
        page.goto(link)
        if not at_once:
            page.locator("main form button[type=submit]").first.click()
            page.wait_for_url("**/accounts/login/**")
            page.locator("input[name=login]").fill(address)
            page.locator("input[name=password]").fill(PASSWORD)
            page.locator("main form button[type=submit]").first.click()
            page.wait_for_url("**/console/**")
    done = page.locator("main dl.facts dd").first
    until = time.monotonic() + 30
    while "(UTC)" not in done.inner_text() and time.monotonic() < until:
        page.reload()
    expect(done).to_contain_text("(UTC)")
    face.check()

    # and welcome again, as some minutes later
    forget_throttles(home)
    sign_up(page, home, address, seen)
    page.goto("/console/privacy/")
    expect(page.locator(".copy-row")).to_have_count(0)


@pytest.mark.parametrize("face", FACES, indirect=True)
def test_a_stranger_asks_without_an_account(face: Watched, running_shop: RunningShop) -> None:
    page, home = face.page, running_shop.home
    kinds = ("know", "erase", "rectify", "opt_out", "limit")
    addresses = {kind: f"{kind}-{secrets.token_hex(4)}@example.com" for kind in kinds}
    for kind, address in addresses.items():
        page.goto("/privacy/request/")
        page.locator("select[name=kind]").select_option(kind)
        page.locator("input[name=contact]").fill(address)
        page.locator("input[name=california]").check()
        page.locator("form:has(select[name=kind]) button[type=submit]").click()
        expect(page.locator("[role=status], .note, .notes").first).to_contain_text("R-")
    for kind, address in addresses.items():
        page.goto(next_mail(home, address, CASE, set()))
        if kind not in ("opt_out", "limit"):  # nothing is asked of who only wants to be left alone
            page.locator("button[value=address]").click()
            expect(page.locator("button[value=address]")).to_have_count(0)
    face.check()
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.parametrize("face", FACES, indirect=True)
def test_who_cannot_sign_in_withdraws_and_gets_a_copy(face: Watched, running_shop: RunningShop) -> None:
    """Consent is withdrawn at once; a copy asks for the link, and then for sign-in or a fact."""
    page, home, seen = face.page, running_shop.home, set[Path]()
    address = f"lost-{secrets.token_hex(4)}@example.com"
    sign_up(page, home, address, seen)
    page.context.clear_cookies()
    for kind in ("withdraw", "access"):
        page.goto("/privacy/request/")
        page.locator("select[name=kind]").select_option(kind)
        page.locator("input[name=contact]").fill(address)
        page.locator("form:has(select[name=kind]) button[type=submit]").click()
        page.wait_for_load_state()
        link = next_mail(home, address, CASE, seen)
        if kind == "withdraw":
            page.goto(link)
            expect(page.locator("main")).to_contain_text(re.compile("It is done|已完成"))
            next_mail(home, address, CASE, seen)  # receipt and answer are two letters
    page.goto(link)
    page.locator("button[value=address]").click()
    page.locator("input[name=fact]").fill("TK-WRONG")
    page.locator("form:has(input[name=fact]) button[type=submit]").click()
    expect(page.locator(".field-error")).to_be_visible()
    face.complaints.clear()  # the browser notes the status 422 of a form with a mistake
    face.check()
    page.locator(".case-way a").click()
    page.locator("input[name=login]").fill(address)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main form button[type=submit]").first.click()
    page.wait_for_load_state()
    again(page)
    page.wait_for_url("**/privacy/request/**")
    until = time.monotonic() + 30
    while page.locator('form[action$="/copy/"]').count() == 0 and time.monotonic() < until:
        page.reload()
    page.locator('form[action$="/copy/"] button').click()
    page.locator("input[name=code]").fill(next_mail(home, address, CODE, seen))
    with page.expect_download() as waiting:
        page.locator("main form button[type=submit]").first.click()
    assert zipfile.is_zipfile(waiting.value.path())
