"""Calls an ASGI application in process: what a sample answers, byte by byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; ``parts`` are the body's pieces as they were sent."""

    status: int
    headers: dict[str, str]
    parts: tuple[bytes, ...]
    whole: bool
    """False if the application failed before it had sent the end."""

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    app: Any, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: Any = None
) -> Answer:
    """One call; a ``body`` that is not bytes is sent as JSON."""
    return asyncio.run(_call(app, method, url, dict(headers or {}), body))


async def _call(app: Any, method: str, url: str, headers: dict[str, str], body: Any) -> Answer:
    parts = urlsplit(url)
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers.setdefault("content-type", "application/json")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    inbox = [{"type": "http.request", "body": body or b"", "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if inbox:
            return inbox.pop()
        await asyncio.sleep(3600)  # a client that stays
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        await asyncio.wait_for(app(scope, receive, send), 20)
        whole = True
    except ConnectionError:
        whole = False
    start = next(message for message in sent if message["type"] == "http.response.start")
    return Answer(
        status=start["status"],
        headers={name.decode().lower(): value.decode() for name, value in start.get("headers", [])},
        parts=tuple(m.get("body", b"") for m in sent if m["type"] == "http.response.body" and m.get("body")),
        whole=whole,
    )
