"""Fills in every form of every page with what should never be kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

from django.test import Client

_LEFT = re.compile(
    r"logout|close|deactivate|revoke|password|cancel|/seen/|reauthenticate|2fa|email/|sessions"
)
"""Addresses of forms that end or change the visit itself; their fields are tried by other ways."""


@dataclass
class Form:
    """A form as it stands on a page: where it is sent to, and its fields with their values and types."""

    action: str
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._open: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(urljoin(self.page, facts.get("href", "")))
        elif tag == "form":
            self._open = None
            if facts.get("method", "").lower() == "post":
                self._open = Form(urljoin(self.page, facts.get("action", "")))
                self.forms.append(self._open)
        elif self._open is not None and facts.get("name"):
            name = self._select = facts["name"]
            if tag == "textarea":
                self._open.fields[name] = ("", "textarea")
            elif tag == "select":
                self._open.fields.setdefault(name, ("", "select"))
            elif tag == "input" and (facts.get("type") != "radio" or name not in self._open.fields):
                self._open.fields[name] = (facts.get("value", ""), facts.get("type", "text"))
        elif tag == "option" and self._open is not None:
            value, kind = self._open.fields.get(self._select, ("", "select"))
            self._open.fields[self._select] = (value or facts.get("value", ""), kind)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None


def fill_in(client: Client, starts: list[str], say: Callable[[str], str], most: int = 60) -> Iterator[str]:
    """Walk the pages from ``starts`` and send each form once; the addresses sent to.

    ``say(kind)`` is what is typed into a field; kinds are those of input elements and ``textarea``,
    an empty answer leaves a field as it is.
    """
    seen: set[str] = set()
    sent: set[str] = set()
    waiting = list(starts)
    while waiting and len(seen) < most:
        page = waiting.pop(0).split("#")[0].split("?")[0]
        if page in seen or not page.startswith("/") or _LEFT.search(page):
            continue
        seen.add(page)
        answer = client.get(page, headers={"Accept": "text/html"})
        if answer.status_code != 200 or "text/html" not in answer.get("Content-Type", ""):
            continue
        reader = _Reader(page)
        reader.feed(answer.content.decode())
        waiting += [link for link in reader.links if link.startswith("/") and not link.startswith("/docs/")]
        for form in reader.forms:
            key = re.sub(r"\d{2,}|[A-Z0-9]{6,}", "#", form.action) + ",".join(form.fields)
            if key not in sent and not _LEFT.search(form.action):
                sent.add(key)
                client.post(form.action, _values(form, say))
                yield form.action


def _values(form: Form, say: Callable[[str], str]) -> dict[str, str]:
    made = {}
    for name, (value, kind) in form.fields.items():
        if kind in ("hidden", "submit", "select", "radio"):
            made[name] = value
        elif kind == "checkbox":
            made[name] = value or "on"
        elif name != "website":  # the trap for robots stays empty
            made[name] = say(kind) or value
    return made
