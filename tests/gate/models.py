"""A stand-in for language models: answers as OpenAI and Anthropic do, from golden files."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

from tests.gate.upstream import JSON, OK, ScriptedUpstream, Seen
from tollkeeper.core.terms import MICRO, ModelTerms, RouteTerms

GOLDEN = Path(__file__).parents[1] / "core" / "meters" / "golden"
ROUTES = tuple(
    RouteTerms(name, path, methods=("POST",), meter="tokens", protocol=protocol)
    for name, path, protocol in (
        ("chat", "/v1/chat/completions", "openai"),
        ("embeddings", "/v1/embeddings", "openai"),
        ("responses", "/v1/responses", "openai"),
        ("messages", "/v1/messages", "anthropic"),
    )
)
MODELS = (
    ModelTerms("small", 1 * MICRO, 2 * MICRO, max_output=1000),
    ModelTerms("large", 1000 * MICRO, 2000 * MICRO, max_output=1000),
)
NAMED = ModelTerms("vendor/named:1", 1 * MICRO, 2 * MICRO)
"""Prices per million tokens: one micro-unit a token of ``small``'s input, two of its output."""
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _golden(connection: socket.socket, name: str, delay_s: float = 0.0) -> bool:
    data = (GOLDEN / name).read_bytes()
    if name.endswith(".json"):
        connection.sendall(JSON % len(data) + data)
        return True
    connection.sendall(EVENTS)
    for event in data.split(b"\n\n")[:-1]:
        piece = event + b"\n\n"
        connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        time.sleep(delay_s)
    connection.sendall(b"0\r\n\r\n")
    return True


def _scripted(stem: str, stream: str) -> object:
    def answer(connection: socket.socket, seen: Seen) -> bool:
        asked = json.loads(seen.body)
        prompt = json.dumps(asked)
        if "please fail" in prompt:
            body = b'{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":null}}'
            connection.sendall(
                b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                % len(body)
                + body
            )
            return True
        if "be empty" in prompt:
            return _golden(connection, "openai_chat_empty.json")
        if "be a page" in prompt:
            connection.sendall(OK % 4 + b"<h1>")
            return True
        if "tell no usage" in prompt:
            body = b'{"choices":[{"message":{"content":"four of them made"}}]}'
            connection.sendall(JSON % len(body) + body)
            return True
        if "break off" in prompt:
            connection.sendall(EVENTS + b"10\r\ndata: {")
            return False
        if asked.get("stream"):
            return _golden(connection, stream, 0.05 if "slowly" in prompt else 0.0)
        return _golden(connection, stem)

    return answer


def teach(upstream: ScriptedUpstream) -> None:
    """Give the scripted upstream the answers of language models."""
    upstream.scripts.update(
        {
            "/v1/chat/completions": _scripted("openai_chat.json", "openai_chat_stream.sse"),
            "/v1/embeddings": _scripted("openai_embeddings.json", ""),
            "/v1/responses": _scripted("openai_responses.json", "openai_responses_stream.sse"),
            "/v1/messages": _scripted("anthropic.json", "anthropic_stream.sse"),
        }
    )
