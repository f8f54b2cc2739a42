"""Real servers with an application that writes down each whole request they made of what came."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.services.postgres import free_port

VARIABLE = "TOLLKEEPER_RECORD"
ANSWER = b"seen"
_APPLICATION = "tests.services.recorder:application"
_NODE = """
const http = require('http'), fs = require('fs');
http.createServer({ requestTimeout: 0 }, (request, response) => {
  const parts = [];
  request.on('data', part => parts.push(part));
  request.on('end', () => {
    const line = JSON.stringify([request.method, request.url, Buffer.concat(parts).toString('latin1')]);
    fs.appendFileSync(process.env.TOLLKEEPER_RECORD, line + '\\n');
    response.writeHead(200, { 'Content-Length': 4 });
    response.end('seen');
  });
  request.on('error', () => {});
}).listen(Number(process.argv[1]), '127.0.0.1');
"""


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """ASGI: one line for each request that came whole, before it is answered."""
    if scope["type"] != "http":
        return
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return  # it broke off
        body += message.get("body", b"")
        more = message.get("more_body", False)
    target = scope.get("raw_path") or scope["path"].encode()
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    line = json.dumps([scope["method"], target.decode("latin-1"), body.decode("latin-1")])
    _append(line + "\n")
    fields = [(b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": ANSWER})


def _append(line: str) -> None:
    with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as file:
        file.write(line)


def kinds() -> list[str]:
    """The servers there are: hyper (granian), h11 and llhttp (uvicorn), and Node's where it is installed."""
    return ["hyper", "h11", "llhttp", *(["node"] if shutil.which("node") else [])]


def _command(kind: str, port: int) -> list[str]:
    if kind == "node":
        return ["node", "-e", _NODE, str(port)]
    if kind == "hyper":
        options = ["--interface", "asgi", "--http", "1", "--no-ws", "--workers", "1", "--port", str(port)]
        return [sys.executable, "-m", "granian", *options, _APPLICATION]
    parser = {"h11": "h11", "llhttp": "httptools"}[kind]
    options = ["--http", parser, "--ws", "none", "--lifespan", "off", "--no-access-log", "--port", str(port)]
    return [sys.executable, "-m", "uvicorn", *options, _APPLICATION]


class RecordingServer:
    """One server on a free port. Use as a context manager."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.port = free_port()
        self.record = folder / f"{kind}.jsonl"
        self.record.touch()
        self.log = folder / f"{kind}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                _command(kind, self.port),
                env={**os.environ, VARIABLE: str(self.record)},
                cwd=Path(__file__).resolve().parents[2],
                stdout=log,
                stderr=log,
            )

    def __enter__(self) -> RecordingServer:
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{self.kind} did not start: {self.log.read_text()}") from None
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def seen(self) -> list[tuple[str, str, str]]:
        """Method, target and body of each whole request, in no order."""
        return sorted(tuple(json.loads(line)) for line in self.record.read_text("utf-8").splitlines())
