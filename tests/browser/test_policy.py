"""Whole room: the policy's pages as people see them: any width, light and dark, without script, on paper."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Watched
from tests.services.running import RunningShop

PATHS = (
    "/privacy/",
    "/trust/",
    "/privacy/versions/",
    "/privacy/california/",
    "/privacy/cookies/",
    "/contact/",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_fit_and_shut_nobody_out(
    browser: Browser, running_shop: RunningShop, scheme: str, width: int
) -> None:
    context = browser.new_context(
        locale="en",
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,
    )
    for path in PATHS:
        watched = Watched(context.new_page())
        watched.page.goto(running_shop.address("storefront") + path)
        watched.page.evaluate("for (const one of document.querySelectorAll('main details')) one.open = true")
        wide = watched.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide, f"{path} is wider than the screen"
        watched.check()
    context.close()


def test_no_page_asks_another_site_for_anything(browser: Browser, running_shop: RunningShop) -> None:
    context = browser.new_context(locale="en")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in PATHS:
        page.goto(running_shop.address("storefront") + path)
    assert asked
    assert [url for url in asked if not url.startswith((running_shop.address("storefront"), "data:"))] == []
    stored = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert stored[:2] == [0, 0]
    context.close()


def test_the_page_reads_without_script_and_its_contents_lead_to_their_sections(
    plain: Page, running_shop: RunningShop
) -> None:
    plain.goto(running_shop.address("storefront") + "/privacy/")
    links = plain.locator(".policy-toc a")
    assert links.count() > 12
    assert plain.locator(".policy-cards").is_visible()
    assert (
        plain.get_by_role("link", name="Ask without an account").get_attribute("href") == "/privacy/request/"
    )
    assert not plain.locator("#retention").is_visible()
    links.filter(has_text="How long we keep it").click()
    assert plain.url.endswith("#retention")
    assert plain.locator("#retention").is_visible()


def test_on_paper_the_text_stands_alone(browser: Browser, running_shop: RunningShop) -> None:
    context = browser.new_context(locale="en")
    page = context.new_page()
    page.goto(running_shop.address("storefront") + "/privacy/")
    page.emulate_media(media="print")
    assert not page.locator(".policy-toc").is_visible()
    assert not page.locator(".masthead").is_visible()
    assert page.locator(".policy-layer[open]").count() == 0
    for name in ("collection", "retention", "contact"):
        assert page.locator(f"#{name} dd, #{name} table").first.is_visible(), name
    open_pages = len(page.pdf(format="A4"))
    page.evaluate("for (const one of document.querySelectorAll('.policy-layer')) one.remove()")
    assert open_pages > 2 * len(page.pdf(format="A4"))
    context.close()


def test_all_sections_open_and_close_at_once(browser: Browser, running_shop: RunningShop) -> None:
    context = browser.new_context(locale="en")
    page = context.new_page()
    page.goto(running_shop.address("storefront") + "/privacy/")
    layers = page.locator(".policy-layer")
    page.get_by_role("button", name="Open all").click()
    assert page.locator(".policy-layer[open]").count() == layers.count() > 12
    page.get_by_role("button", name="Close all").click()
    assert page.locator(".policy-layer[open]").count() == 0
    context.close()


def test_the_signal_of_the_browser_is_shown(browser: Browser, running_shop: RunningShop) -> None:
    context = browser.new_context(locale="en", extra_http_headers={"Sec-GPC": "1"})
    page = context.new_page()
    page.goto(running_shop.address("storefront") + "/privacy/")
    assert page.get_by_text("Opt-out preference signal honoured.").is_visible()
    context.close()
