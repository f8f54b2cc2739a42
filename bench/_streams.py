"""Many streams of events at once: an upstream that sends them, and a program that reads them.

``python -m bench._streams upstream PORT`` answers every request with ``RATE`` events a second until
``SECONDS`` are over; ``… read PORT KEYS COUNT`` opens so many streams and tells how many events came
and how many streams were refused.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

RATE = 20
SECONDS = 6.0
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_EVENT = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":" word~"},"finish_reason":null}]}\n\n'
_USAGE = (
    b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}\n\n'
)
_BODY = b'{"model":"small","stream":true,"messages":[{"role":"user","content":"tell me"}]}'


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            writer.write(_HEAD)
            event = _chunk(_EVENT)
            for _ in range(int(RATE * SECONDS)):
                writer.write(event)
                await asyncio.sleep(1 / RATE)
            writer.write(_chunk(_USAGE) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    writer.close()


async def _read_one(port: int, key: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = f"Host: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    head = f"POST /v3/chat/completions HTTP/1.1\r\n{fields}Content-Length: {len(_BODY)}\r\n\r\n"
    writer.write(head.encode() + _BODY)
    events = 0
    answer = await reader.readuntil(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 200"):
        writer.close()
        return 0
    while data := await reader.read(65536):
        events += data.count(b"~")
        if data.endswith(b"0\r\n\r\n"):
            break
    writer.close()
    return events


async def _read(port: int, keys: list[str], count: int) -> tuple[int, int]:
    counts = await asyncio.gather(*(_read_one(port, keys[n % len(keys)]) for n in range(count)))
    return sum(counts), counts.count(0)


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


def main() -> None:
    """See the top."""
    if sys.argv[1] == "upstream":
        asyncio.run(_serve(int(sys.argv[2])))
    else:
        keys = Path(sys.argv[3]).read_text().split()
        events, refused = asyncio.run(_read(int(sys.argv[2]), keys, int(sys.argv[4])))
        sys.stdout.write(f"{events} {refused}\n")


if __name__ == "__main__":
    main()
