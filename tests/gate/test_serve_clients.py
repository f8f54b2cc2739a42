"""Programs that people already use work through the gate as they are, without a word about us."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import anthropic
import httpx
import openai
import pytest
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.gate import models
from tests.gate.stage import RunningGate, Stage
from tests.gate.upstream import ScriptedUpstream
from tollkeeper.core.terms import MICRO, RouteTerms, UpstreamTerms

HELLO = [{"role": "user", "content": "hello"}]


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """The port of a WebSocket server that says everything back."""

    def say_back(socket: ServerConnection) -> None:
        for message in socket:
            socket.send(message)

    with serve(say_back, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def gate(stage: Stage, upstream: ScriptedUpstream, echo: int) -> Iterator[RunningGate]:
    models.teach(upstream)
    stage.publish(
        routes=(
            *models.ROUTES,
            RouteTerms("live", "/live", upstream="echo"),
            RouteTerms("any", "/{rest...}", methods=("GET", "POST")),
        ),
        models=models.MODELS,
        upstreams=(
            UpstreamTerms("main", f"http://127.0.0.1:{upstream.port}"),
            UpstreamTerms("echo", f"http://127.0.0.1:{echo}"),
        ),
    )
    running = stage.run_gate()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def key(gate: RunningGate, stage: Stage) -> str:
    _, text = stage.customer(1000)
    asked = time.monotonic()
    while b" 200 " not in gate.talk(_probe(text))[:20]:
        assert time.monotonic() - asked < 10
    return text.decode()


def _probe(key: bytes) -> bytes:
    return (
        b"GET /v1/limits HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "
        + key
        + b"\r\n\r\n"
    )


def _url(gate: RunningGate, path: str = "") -> str:
    return f"http://127.0.0.1:{gate.port}{path}"


def test_httpx(gate: RunningGate, key: str) -> None:
    with httpx.Client(base_url=_url(gate), headers={"Authorization": f"Bearer {key}"}) as client:
        assert client.get("/n").text == "/n"
        assert client.post("/n", content=iter([b"a", b"b"])).text.startswith("1\r\na\r\n")
        with client.stream("GET", "/stream") as answer:
            assert next(answer.iter_lines()) == "data: x"
        assert client.get("/fail").status_code == 500
        refused = client.get("/n", headers={"Authorization": "Bearer wrong"})
        assert refused.headers["content-type"] == "application/problem+json"


def test_curl(gate: RunningGate, key: str, tmp_path: Path) -> None:
    sent = tmp_path / "body"
    sent.write_bytes(b"y" * 200_000)  # large enough that curl asks with Expect: 100-continue
    command = ["curl", "-sS", "--fail-with-body", "-H", f"Authorization: Bearer {key}"]
    shown = subprocess.run(
        [*command, "-H", "Expect: 100-continue", "--data-binary", f"@{sent}", _url(gate, "/n")],
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert shown.stdout == sent.read_bytes()
    head = subprocess.run([*command, "-I", _url(gate, "/n")], capture_output=True, check=False, timeout=20)
    assert head.stdout.startswith(b"HTTP/1.1 200 ")
    assert head.stdout.lower().count(b"content-length: 2\r\n") == 1, "what GET would have sent"
    stream = subprocess.run(
        [*command, "-N", "-m", "1", _url(gate, "/stream")], capture_output=True, check=False, timeout=20
    )
    assert stream.returncode == 28, "curl itself ended the endless stream"
    assert stream.stdout.startswith(b"data: x\n")


def test_a_websocket_client(gate: RunningGate, key: str) -> None:
    address = _url(gate, "/live").replace("http", "ws", 1)
    with connect(address, additional_headers={"Authorization": f"Bearer {key}"}) as socket:
        for message in ("hello", b"\x00\xff", "long " * 50_000):
            socket.send(message)
            assert socket.recv(timeout=10) == message
        socket.ping().wait(10)


def test_async_sdks(gate: RunningGate, key: str) -> None:
    async def converse() -> tuple[str, str, int]:
        async with openai.AsyncOpenAI(api_key=key, base_url=_url(gate, "/v1"), max_retries=0) as client:
            stream = await client.chat.completions.create(model="small", messages=HELLO, stream=True)
            said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            several = await asyncio.gather(
                *(
                    client.embeddings.create(model="small", input="x", encoding_format="float")
                    for _ in range(8)
                )
            )
        async with (
            anthropic.AsyncAnthropic(api_key=key, base_url=_url(gate), max_retries=0) as other,
            other.messages.stream(model="small", max_tokens=50, messages=HELLO) as talk,
        ):
            answered = "".join([text async for text in talk.text_stream])
        return said, answered, sum(one.usage.total_tokens for one in several)

    said, answered, tokens = asyncio.run(converse())
    assert said.startswith("Hel")
    assert answered == "Hello!"
    assert tokens == 8 * 8


def test_what_was_used_can_be_read_with_the_key_itself(gate: RunningGate, key: str) -> None:
    answer = httpx.get(_url(gate, "/v1/usage"), headers={"Authorization": f"Bearer {key}"})
    before = json.loads(answer.text)
    assert httpx.get(_url(gate, "/n"), headers={"Authorization": f"Bearer {key}"}).status_code == 200
    after = httpx.get(_url(gate, "/v1/usage"), headers={"Authorization": f"Bearer {key}"}).json()
    assert before != after, f"one call of {MICRO} micro-units changes what is left"
