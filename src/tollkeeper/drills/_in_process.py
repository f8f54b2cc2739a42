"""Asks a stand-in in this process, over a line that can be cut at any request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from tollkeeper.delivery.provisioners import Reply, Unsure


class Died(BaseException):
    """The worker was killed at this very moment."""


@dataclass
class Line:
    """The way to a stand-in. ``dies_at`` counts down over requests; at 0 the worker dies with it.

    ``before``: it dies before the request was sent, otherwise after it took effect.
    """

    app: Any
    dies_at: int = -1
    before: bool = False
    requests: int = 0

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """See ``provisioners.Http``."""
        self.requests += 1
        self.dies_at -= 1
        if self.dies_at == 0 and self.before:
            raise Died
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = asyncio.run(_ask(self.app, method, url, dict(headers), raw, urlencode(query or {})))
        if self.dies_at == 0:
            raise Died
        if sent is None:
            raise Unsure("the answer broke off")
        return sent


async def _ask(
    app: Any, method: str, url: str, headers: dict[str, str], raw: bytes, query: str
) -> Reply | None:
    path = urlsplit(url).path
    headers.setdefault("content-type", "application/json")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": raw, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    try:
        await app(scope, receive, send)
    except ConnectionError:
        return None
    start = sent[0]
    found = {name.decode().lower(): value.decode() for name, value in start.get("headers", [])}
    return Reply(start["status"], found, b"".join(part.get("body", b"") for part in sent[1:]))
