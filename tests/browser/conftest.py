"""A real browser, and what every page is held to: no script errors, no accessibility violations."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Headless Chromium, for one file: while it is open, no other test can run an event loop."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page whose console is read: a policy violation or a script error fails the test."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self._axe = Axe()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def check(self) -> None:
        """No complaint so far, and nothing on this page that shuts somebody out."""
        assert self.complaints == []
        found = self._axe.run(self.page, options={"resultTypes": ["violations"]}).response["violations"]
        assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A fresh visitor."""
    context = browser.new_context(locale="en")
    yield Watched(context.new_page())
    context.close()


@pytest.fixture
def plain(browser: Browser) -> Iterator[Page]:
    """A fresh visitor whose browser runs no script."""
    context = browser.new_context(locale="en", java_script_enabled=False)
    yield context.new_page()
    context.close()
