"""What probes stand on: the shop's policy, the inventories, the answers of the shop's own pages."""

from __future__ import annotations

import datetime as dt
import http.client
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client
from django.utils import timezone

from tollkeeper.core.personal import Inventory, Personal
from tollkeeper.core.policy import content_hash, read_policy
from tollkeeper.core.policy_schema import Policy
from tollkeeper.privacy.discovery import inventory
from tollkeeper.privacy.policy_queries import Version, get_current

_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of our own page: header names in lower case, cookies with their attributes."""

    status: int
    headers: dict[str, str]
    cookies: dict[str, str]
    """Name → the whole ``Set-Cookie`` line without the value."""
    body: bytes
    live: bool
    """True if a running web process answered over TCP, False if this process did."""


class Context:
    """Made once per run; what is expensive is fetched when first asked for."""

    def __init__(self) -> None:
        self.now = timezone.now()

    @property
    def today(self) -> dt.date:
        """The day of this run, UTC."""
        return self.now.date()

    @property
    def home(self) -> Path:
        """The folder of all state."""
        return Path(settings.ENV.home)

    @property
    def live(self) -> bool:
        """True where real customers are served."""
        return bool(settings.ENV.live)

    @cached_property
    def policy(self) -> Policy:
        """The shop's policy; raises ``BadPolicy``."""
        return read_policy((Path(settings.SHOP) / "policy.toml").read_text())

    @cached_property
    def policy_hash(self) -> str:
        """The content hash of the policy."""
        return content_hash(self.policy)

    @cached_property
    def version(self) -> Version:
        """The version in force; raises ``NoPolicy``."""
        return get_current()

    @property
    def inventory(self) -> Inventory:
        """What every column is."""
        return inventory()

    def columns(self, category: str | None = None, purpose: str | None = None) -> dict[str, Personal]:
        """Personal columns by ``app.Model.column``, of one category or purpose if given."""
        return {
            f"{label}.{name}": column
            for label, model in self.inventory.models.items()
            for name, column in model.personal.items()
            if (category is None or column.category == category)
            and (purpose is None or purpose in column.purposes)
        }

    @cached_property
    def running(self) -> dict[str, str]:
        """Addresses of what ``up`` runs on this home, by name; empty if nothing runs."""
        try:
            facts = json.loads((self.home / "run.json").read_text())
            return {str(name): str(url) for name, url in facts.get("addresses", {}).items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Visit a page of ours without cookies: from the running web process, else in this one."""
        address = self.running.get("storefront", "")
        if address:
            try:
                return _over_tcp(address, path, headers or {})
            except OSError:
                pass  # it has just stopped: ask this process
        answer: Any = Client(raise_request_exception=False).get(path, headers=headers)
        cookies = {name: morsel.OutputString() for name, morsel in answer.cookies.items()}
        return Answer(
            answer.status_code,
            {name.lower(): value for name, value in answer.headers.items()},
            {name: _without_value(line) for name, line in cookies.items()},
            b"".join(answer.streaming_content) if answer.streaming else answer.content,
            live=False,
        )


def _without_value(line: str) -> str:
    head, semicolon, rest = line.partition(";")
    return head.split("=", 1)[0] + semicolon + rest


def _over_tcp(address: str, path: str, headers: dict[str, str]) -> Answer:
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        lines = answer.headers.get_all("Set-Cookie") or []
        return Answer(
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            {line.split("=", 1)[0].strip(): _without_value(line) for line in lines},
            answer.read(),
            live=True,
        )
    finally:
        connection.close()
