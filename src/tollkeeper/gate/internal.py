"""The internal port: health, readiness and metrics. Never to be reached from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PAGES = ("/healthz", "/readyz", "/metrics")
Page = tuple[int, str, str]
"""Status, content type, body."""


async def serve_internal(host: str, port: int, page: Callable[[str], Page]) -> asyncio.Server:
    """Answer ``GET`` on the internal port; one request per connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=5)
            words = head.split(b"\r\n", 1)[0].split(b" ")
            path = words[1].decode("ascii", "replace") if len(words) == 3 else ""
            status, kind, body = page(path.split("?")[0])
            raw = body.encode()
            writer.write(
                f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}"
                "\r\nConnection: close\r\n\r\n".encode()
                + (b"" if words[0] == b"HEAD" else raw)
            )
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a probe that breaks off is no event
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port, limit=8192)
