"""Both programs of the tour chat alike with a real model API, and say what is wrong with a bad one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tollkeeper.cli.touring import library
from tollkeeper.cli.touring.browser import Stuck
from tollkeeper.cli.touring.models import Client, Library, Plain, price_micro

CHUNK = b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[%s]%s}\n\n'
PIECE = b'{"index":0,"delta":{"role":"assistant","content":"ho"},"finish_reason":null}'
USAGE = b',"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}'
WHOLE = b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"ho"}}]%s}'  # noqa: E501
STREAM = CHUNK % (PIECE, b"") * 2 + CHUNK % (b"", USAGE) + b"data: [DONE]\n\n"
UNKNOWN = (
    b'{"error":{"message":"no such","type":"invalid_request_error","param":null,"code":"model_unknown"}}'
)

Answer = tuple[int, str, bytes]
JSON, SSE = "application/json", "text/event-stream"


class Model(ThreadingHTTPServer):
    """Answers with the next of ``plan``, the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.plan: list[Answer] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, kind, body = self.server.plan.pop(0) if len(self.server.plan) > 1 else self.server.plan[0]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def model() -> Iterator[Model]:
    server = Model()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["library", "plain"])
def client(request: pytest.FixtureRequest, model: Model) -> Client:
    if request.param == "plain":
        return Plain(model.base, "sk-1")
    found = library.openai()
    assert found is not None
    return Library(found, model.base, "sk-1")


def test_a_stream_is_put_together(model: Model, client: Client) -> None:
    model.plan = [(503, JSON, b"{}"), (200, SSE, STREAM)]
    chatted = client.stream("?")
    assert (chatted.text, chatted.pieces, chatted.usage["total_tokens"]) == ("hoho", 2, 5)
    assert chatted.told == "3 tokens in, 2 out"


def test_an_answer_in_one_piece(model: Model, client: Client) -> None:
    model.plan = [(200, JSON, WHOLE % USAGE)]
    assert client.ask("?").usage["completion_tokens"] == 2


def test_refusals_have_status_and_code(model: Model, client: Client) -> None:
    model.plan = [(404, JSON, UNKNOWN)]
    assert client.refusal("?", "x") == (404, "model_unknown")
    with pytest.raises(Stuck, match="404"):
        client.ask("?")
    model.plan = [(200, JSON, WHOLE % USAGE)]
    assert client.refusal("?") == (200, "")


def test_a_stream_without_usage_is_not_good_enough(model: Model, client: Client) -> None:
    model.plan = [(200, SSE, CHUNK % (PIECE, b"") + b"data: [DONE]\n\n")]
    with pytest.raises(Stuck, match="usage None"):
        client.stream("?")


def test_nobody_there_is_told(client: Client, model: Model) -> None:
    model.shutdown()
    model.socket.close()
    with pytest.raises(Stuck, match="no answer"):
        client.ask("?")
    with pytest.raises(Stuck, match="no answer"):
        client.refusal("?")


def test_prices_round_up_once() -> None:
    book = {"input": 3_600_000, "cache_read": 360_000, "output": 18_000_000, "per_call": 5}
    usage = {"prompt_tokens": 12, "completion_tokens": 85, "prompt_tokens_details": {"cached_tokens": 2}}
    assert price_micro(usage, book) == -(-(10 * 3_600_000 + 2 * 360_000 + 85 * 18_000_000) // 10**6) + 5
    assert price_micro({"prompt_tokens": 1, "completion_tokens": 0}, {**book, "input": 1}) == 6
