"""OpenAI's Chat Completions: ``POST /v1/chat/completions``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from samples.llm import shapes
from samples.llm.faults import Faults
from samples.llm.shapes import Refused, Usage
from samples.llm.text import Written

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Chat:
    """A request that was understood, with its answer."""

    id: str
    model: str
    written: Written
    used: Usage | None
    stream: bool
    include_usage: bool
    faults: Faults


def read(body: dict[str, Any], faults: Faults) -> Chat:
    """Understand a request; raises :class:`Refused`."""
    model = shapes.known_model(body)
    if shapes.MODELS[model] == 0:
        raise Refused(400, "invalid_request_error", f"{model} is no chat model", "model")
    messages = body.get("messages")
    if (
        not isinstance(messages, list)
        or not messages
        or not all(isinstance(m, dict) and "role" in m for m in messages)
    ):
        raise Refused(
            400, "invalid_request_error", "messages must be a list of messages with roles", "messages"
        )
    options = body.get("stream_options")
    if options is not None and not body.get("stream"):
        raise Refused(400, "invalid_request_error", "stream_options needs stream: true", "stream_options")
    prompt = "\n".join(shapes.plain(message.get("content")) for message in messages)
    question = next(
        (shapes.plain(m.get("content")) for m in reversed(messages) if m["role"] == "user"), prompt
    )
    most = shapes.whole_number(body, "max_completion_tokens", "max_tokens")
    written = shapes.answer(model, question, most, faults)
    return Chat(
        id=shapes.identity("chatcmpl-", model, prompt, most),
        model=model,
        written=written,
        used=shapes.usage(prompt, len(messages), written, faults),
        stream=bool(body.get("stream")),
        include_usage=bool(isinstance(options, dict) and options.get("include_usage")),
        faults=faults,
    )


def whole(chat: Chat) -> dict[str, Any]:
    """The answer in one piece."""
    message = {"role": "assistant", "content": chat.written.text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": chat.written.finish}
    found: dict[str, Any] = {**_head(chat, "chat.completion"), "choices": [choice]}
    if chat.used is not None:
        found["usage"] = shapes.openai_usage(chat.used)
    return found


def stream(chat: Chat) -> Iterator[bytes]:
    """The answer as events. With ``include_usage`` every chunk has ``usage``, null but in the last."""
    head = _head(chat, "chat.completion.chunk")
    blank: dict[str, Any] = {"usage": None} if chat.include_usage else {}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return shapes.event({**head, "choices": [choice], **blank})

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for piece in shapes.pieces(chat.written):
        yield chunk({"content": piece})
    yield chunk({}, chat.written.finish)
    if chat.include_usage and chat.used is not None:
        none: list[Any] | None = None if chat.faults.null_choices else []
        yield shapes.event({**head, "choices": none, "usage": shapes.openai_usage(chat.used)})
    if not chat.faults.no_final:
        yield DONE


def error_event(message: str) -> bytes:
    """How a failure looks in the middle of a stream."""
    return shapes.event({"error": {"message": message, "type": "server_error", "param": None, "code": None}})


def _head(chat: Chat, kind: str) -> dict[str, Any]:
    return {
        "id": chat.id,
        "object": kind,
        "created": shapes.CREATED,
        "model": chat.model,
        "system_fingerprint": "fp_sample",
    }
