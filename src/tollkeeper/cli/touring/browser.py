"""The stranger's browser: cookies, forms, redirects, and patience with a server that restarts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import requests

from tollkeeper.cli.touring import html
from tollkeeper.cli.touring.html import Element, Form

PATIENCE_S = 40.0
"""How long the stranger tries again while a server is away or behind."""
_REDIRECTS = {301, 302, 303, 307, 308}
_PAUSE_S = 0.1
_MOST_HOPS = 20

Found = TypeVar("Found")


class Stuck(Exception):
    """The story cannot go on; the text says what was expected and what was there instead."""


class Broken(Exception):
    """A connection broke after something was sent: whether it happened must be read anew."""


@dataclass(slots=True)
class Page:
    """An answer of the site."""

    url: str
    status: int
    headers: Mapping[str, str]
    root: Element

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def text(self) -> str:
        return self.root.text

    def form(self, *fields: str) -> Form | None:
        """The first form in the page's main part that has controls with these names."""
        for form in self.main.forms:
            if all(field in form.values for field in fields):
                return form
        return None

    def link(self, pattern: str) -> str:
        """The absolute address of the first link whose path matches; empty if there is none."""
        for element in self.root.all("a"):
            address = urljoin(self.url, element.attributes.get("href", ""))
            if re.search(pattern, urlsplit(address).path):
                return address
        return ""

    @property
    def main(self) -> Element:
        """What is peculiar to this page, menus left out."""
        return self.root.first("main") or self.root

    @property
    def said(self) -> str:
        """Where it is and how it begins, for a message to people."""
        return f"{self.status} at {self.path}: {self.main.text[:160]}"


class Browser:
    """One stranger's cookies. Reading is tried again; sending is not (see :class:`Broken`)."""

    def __init__(self, site: str) -> None:
        self.site = site
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Accept": "text/html", "Accept-Language": "en", "User-Agent": "tour/1"})

    def get(self, address: str) -> Page:
        """Read a page, following redirects; patient while the server is away (502 to 504 included)."""
        return self._follow(urljoin(self.site, address))

    def send(self, page: Page, form: Form, changes: Mapping[str, str]) -> Page:
        """Send a form of ``page``; raises :class:`Broken` if no answer came."""
        target = urljoin(page.url, form.action or page.url)
        origin = "{0.scheme}://{0.netloc}".format(urlsplit(page.url))
        try:
            answer = self._session.request(
                form.method,
                target,
                data={**form.values, **changes},
                headers={"Referer": page.url, "Origin": origin},
                allow_redirects=False,
                timeout=30,
            )
        except requests.RequestException as error:
            raise Broken(f"no answer from {urlsplit(target).path} ({type(error).__name__})") from None
        return self._follow_answer(answer)

    def _follow(self, address: str, hops: int = 0) -> Page:
        def once() -> requests.Response | None:
            try:
                answer = self._session.get(address, allow_redirects=False, timeout=30)
            except requests.RequestException:
                return None
            return None if answer.status_code in {502, 503, 504} else answer

        return self._follow_answer(patiently(once, f"an answer from {address}"), hops)

    def _follow_answer(self, answer: requests.Response, hops: int = 0) -> Page:
        if answer.status_code in _REDIRECTS and "location" in answer.headers:
            if hops >= _MOST_HOPS:
                raise Stuck(f"{answer.url} redirects in a circle")
            return self._follow(urljoin(answer.url, answer.headers["location"]), hops + 1)
        return Page(answer.url, answer.status_code, answer.headers, html.read(answer.text))


def patiently(attempt: Callable[[], Found | None], what: str, patience_s: float = PATIENCE_S) -> Found:
    """Try until ``attempt`` gives something; raises :class:`Stuck` naming ``what`` when patience ends."""
    deadline = time.monotonic() + patience_s
    while True:
        found = attempt()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise Stuck(f"waited {patience_s:.0f} s in vain for {what}")
        time.sleep(_PAUSE_S)
