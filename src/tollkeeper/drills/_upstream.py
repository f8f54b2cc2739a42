"""An upstream for drills: answers at once, slowly, in pieces, or breaks off, as the path says."""

from __future__ import annotations

import asyncio
import json
import re
import threading

OK = b'{"ok": true}'
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}


class Upstream:
    """Runs in a thread; ``served`` counts requests by path."""

    def __init__(self) -> None:
        self.port = 0
        self.served: dict[str, int] = {}
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._run, daemon=True).start()
        self._ready.wait(10)

    def close(self) -> None:
        """Stop."""
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ")[1].decode().partition("?")[0]
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                left = int(length[1]) if length else 0
                body = b""
                while left:
                    piece = await reader.read(min(left, 65536))
                    if not piece:
                        return
                    left -= len(piece)
                    body = piece if len(body) > 1 << 20 else body + piece
                self.served[path] = self.served.get(path, 0) + 1
                if not await self._answer(writer, path, body):
                    return
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, path: str, body: bytes) -> bool:
        if path.startswith("/v1/chat"):
            return await self._chat(writer, json.loads(body))
        if path == "/v1/messages":
            return await self._messages(writer, json.loads(body))
        if path.startswith("/big/"):
            pieces = int(path.removeprefix("/big/")) << 4
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces << 16))
            for _ in range(pieces):
                writer.write(b"z" * 65536)
                await writer.drain()
            return True
        if path == "/fail":
            writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
            return True
        if path == "/half":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
            await writer.drain()
            return False
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(OK) + OK
        )
        return True

    async def _chat(self, writer: asyncio.StreamWriter, asked: dict[str, object]) -> bool:
        how = str(asked.get("user", ""))
        if not asked.get("stream"):
            usage = USAGE if how != "empty" else {**USAGE, "completion_tokens": 0}
            answer = json.dumps({"choices": [{"message": {"content": ""}}], "usage": usage}).encode()
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            writer.write(head % len(answer) + answer)
            return True
        await asyncio.sleep(4.0 if how == "begin_late" else 0)
        writer.write(EVENTS)
        for number in range(5):
            if how == "dies" and number == 3:
                await writer.drain()
                return False
            _event(writer, json.dumps({"choices": [{"delta": {"content": f"word{number}"}}]}).encode())
            await writer.drain()
            await asyncio.sleep(0.4 if how == "slow" else 0)
        if how == "error":
            _event(writer, b'{"error": {"message": "overloaded"}}')
        elif how != "silent":
            _event(writer, json.dumps({"choices": [], "usage": USAGE}).encode())
        if how != "error":
            _event(writer, b"[DONE]")
        writer.write(b"0\r\n\r\n")
        return True

    async def _messages(self, writer: asyncio.StreamWriter, asked: dict[str, object]) -> bool:
        """A stream as Anthropic's: input is told at the beginning, output at the end, as a total."""
        how = str(asked.get("user", ""))
        given, made = USAGE["prompt_tokens"], USAGE["completion_tokens"]
        writer.write(EVENTS)
        usage = {"input_tokens": given, "output_tokens": 1}
        _named(writer, "message_start", {"message": {"role": "assistant", "usage": usage}})
        for number in range(5):
            if how == "dies" and number == 3:
                await writer.drain()
                return False
            _named(writer, "content_block_delta", {"delta": {"text": f"word{number}"}})
            await writer.drain()
            await asyncio.sleep(0.4 if how == "slow" else 0)
        _named(writer, "message_delta", {"usage": {"output_tokens": made}})
        _named(writer, "message_stop", {})
        writer.write(b"0\r\n\r\n")
        return True


def _event(writer: asyncio.StreamWriter, data: bytes) -> None:
    event = b"data: %b\n\n" % data
    writer.write(b"%x\r\n%b\r\n" % (len(event), event))


def _named(writer: asyncio.StreamWriter, name: str, data: dict[str, object]) -> None:
    event = b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps({"type": name, **data}).encode())
    writer.write(b"%x\r\n%b\r\n" % (len(event), event))
