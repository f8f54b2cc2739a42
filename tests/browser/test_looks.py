"""Public pages in the dark, on a phone, by keyboard: nobody is shut out, nothing sticks out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched
from tests.services.running import RunningShop

PAGES = (
    "/",
    "/plans/",
    "/contact/",
    "/imprint/",
    "/status/",
    "/accounts/login/",
    "/accounts/signup/",
    "/docs/",
)
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.fixture(params=[(size, colours) for size in SIZES for colours in ("light", "dark")], ids="-".join)
def looker(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Watched]:
    size, colours = request.param
    context = browser.new_context(locale="en", viewport=SIZES[size], color_scheme=colours)
    yield Watched(context.new_page())
    context.close()


def test_pages_fit_and_are_open_to_all(running_shop: RunningShop, looker: Watched) -> None:
    shop = running_shop.address("storefront")
    for path in PAGES:
        looker.page.goto(f"{shop}{path}")
        looker.check()
        wider = looker.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wider <= 0, f"{path} sticks out by {wider} px"


def test_the_theme_is_switched_and_kept(running_shop: RunningShop, watched: Watched) -> None:
    page: Page = watched.page
    page.goto(running_shop.address("storefront"))
    page.get_by_role("button", name="Switch between light and dark").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.goto(f"{running_shop.address('storefront')}/plans/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(9, 9, 11)"


def test_the_first_tab_skips_to_the_content(running_shop: RunningShop, watched: Watched) -> None:
    watched.page.goto(running_shop.address("storefront"))
    watched.page.keyboard.press("Tab")
    link = watched.page.get_by_role("link", name="Skip to content")
    expect(link).to_be_focused()
    expect(link).to_be_in_viewport()
    watched.page.keyboard.press("Enter")
    assert watched.page.evaluate("location.hash") == "#main"


def test_a_phone_has_a_menu(running_shop: RunningShop, browser: Browser) -> None:
    context = browser.new_context(locale="en", viewport=SIZES["phone"], java_script_enabled=False)
    page = context.new_page()
    page.goto(running_shop.address("storefront"))
    page.locator(".masthead-menu > summary").click()
    page.locator(".masthead-menu").get_by_role("link", name="Plans").click()
    expect(page.get_by_role("heading", name="Plans and prices")).to_be_visible()
    context.close()
