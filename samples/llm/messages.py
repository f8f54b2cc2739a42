"""Anthropic's Messages: ``POST /v1/messages`` and ``/v1/messages/count_tokens``.

Its buckets are disjoint: ``input_tokens`` counts neither what was read from the
cache nor what was written to it. In a stream the usage of the prompt comes first,
and ``message_delta`` reports the answer's tokens as a running total.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from samples.llm import shapes, text
from samples.llm.faults import Faults
from samples.llm.shapes import Refused, Usage
from samples.llm.text import Written

_STOPS = {"stop": "end_turn", "length": "max_tokens"}
ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
}
ERRORS |= {413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was understood, with its answer."""

    id: str
    model: str
    written: Written
    used: Usage | None
    stream: bool
    faults: Faults


def prompt_of(body: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """System text and messages as one prompt, and the messages; raises :class:`Refused`."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise Refused(400, "invalid_request_error", "messages: at least one message is required")
    texts = [shapes.plain(message.get("content")) for message in messages]
    return "\n".join([shapes.plain(body.get("system") or ""), *texts]), messages


def read(body: dict[str, Any], faults: Faults) -> Asked:
    """Understand a request; raises :class:`Refused`."""
    model = shapes.known_model(body)
    most = shapes.whole_number(body, "max_tokens")
    if most is None:
        raise Refused(400, "invalid_request_error", "max_tokens: Field required")
    prompt, messages = prompt_of(body)
    written = shapes.answer(model, shapes.plain(messages[-1].get("content")), most, faults)
    return Asked(
        id=shapes.identity("msg_", model, prompt, most),
        model=model,
        written=written,
        used=shapes.usage(prompt, len(messages), written, faults),
        stream=bool(body.get("stream")),
        faults=faults,
    )


def count_tokens(body: dict[str, Any]) -> dict[str, int]:
    """``POST /v1/messages/count_tokens``."""
    shapes.known_model(body)
    prompt, messages = prompt_of(body)
    return {"input_tokens": text.count(prompt) + 3 * len(messages)}


def whole(asked: Asked) -> dict[str, Any]:
    """The answer in one piece."""
    content = [{"type": "text", "text": asked.written.text}] if asked.written.tokens else []
    return _message(
        asked,
        content,
        _STOPS[asked.written.finish],
        _usage(asked.used, asked.used.answer if asked.used else 0),
    )


def stream(asked: Asked) -> Iterator[bytes]:
    """The answer as named events."""
    begun = _message(asked, [], None, _usage(asked.used, 1))
    yield shapes.event({"type": "message_start", "message": begun}, "message_start")
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield shapes.event(block, "content_block_start")
    yield shapes.event({"type": "ping"}, "ping")
    for piece in shapes.pieces(asked.written):
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        yield shapes.event(delta, "content_block_delta")
    yield shapes.event({"type": "content_block_stop", "index": 0}, "content_block_stop")
    end: dict[str, Any] = {"type": "message_delta"}
    end["delta"] = {"stop_reason": _STOPS[asked.written.finish], "stop_sequence": None}
    if asked.used is not None:
        end["usage"] = {"output_tokens": asked.used.answer}
    yield shapes.event(end, "message_delta")
    if not asked.faults.no_final:
        yield shapes.event({"type": "message_stop"}, "message_stop")


def error_body(status: int, message: str) -> dict[str, Any]:
    """An error in Anthropic's form."""
    return {"type": "error", "error": {"type": ERRORS.get(status, "api_error"), "message": message}}


def error_event(message: str) -> bytes:
    """How a failure looks in the middle of a stream."""
    return shapes.event({"type": "error", "error": {"type": "overloaded_error", "message": message}}, "error")


def _usage(used: Usage | None, output: int) -> dict[str, int] | None:
    if used is None:
        return None
    return {
        "input_tokens": used.prompt - used.cached - used.written,
        "cache_creation_input_tokens": used.written,
        "cache_read_input_tokens": used.cached,
        "output_tokens": output,
    }


def _message(
    asked: Asked, content: list[Any], stop: str | None, used: dict[str, int] | None
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": asked.id,
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
    }
    if used is not None:
        shown["usage"] = used
    return shown
