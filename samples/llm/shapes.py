"""Requests and answers as the two APIs shape them: framework-free, so that tests can call them."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from samples.llm import text
from samples.llm.faults import Faults
from samples.llm.text import Written

CREATED = 1_793_491_200
"""All objects say they were made at this second: answers follow from requests alone."""
MODELS = {"tern-1": 8192, "tern-1-mini": 4096, "heron-1": 8192, "wren-embed-1": 0}
"""Models of the stand-in and the longest answer each gives; 0 writes none."""
DEFAULT_MOST = 1024


class Refused(Exception):
    """A request that the API refuses; ``kind`` is an error type of OpenAI's."""

    def __init__(
        self, status: int, kind: str, message: str, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.message, self.param, self.code = status, kind, message, param, code


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as counted: ``prompt`` holds ``cached`` and ``written``, ``answer`` holds ``reasoning``."""

    prompt: int
    answer: int
    cached: int = 0
    written: int = 0
    reasoning: int = 0


def identity(prefix: str, *parts: object) -> str:
    """An id that follows from the request."""
    return prefix + hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def plain(content: Any) -> str:
    """The text of a message's content: a string, or parts of which some are text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def known_model(body: dict[str, Any]) -> str:
    """The model's name; refuses others as OpenAI does."""
    model = body.get("model")
    if not isinstance(model, str) or model not in MODELS:
        raise Refused(
            404, "invalid_request_error", f"The model `{model}` does not exist", "model", "model_not_found"
        )
    return model


def whole_number(body: dict[str, Any], *names: str) -> int | None:
    """The first of these fields that is given; refuses what is no positive whole number."""
    for name in names:
        value = body.get(name)
        if value is not None:
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise Refused(400, "invalid_request_error", f"{name} must be a positive integer", name)
            return value
    return None


def answer(model: str, prompt: str, most: int | None, faults: Faults) -> Written:
    """What the model writes under these faults."""
    if faults.empty:
        return Written((), "stop")
    limit = min(most or DEFAULT_MOST, MODELS[model])
    return text.write(model, prompt, limit)


def usage(prompt: str, messages: int, written: Written, faults: Faults) -> Usage | None:
    """The usage to report; None if it is to be left out."""
    if faults.no_usage:
        return None
    if faults.zero_usage:
        return Usage(0, 0)
    asked = text.count(prompt) + 3 * messages
    return Usage(
        prompt=asked,
        answer=len(written.tokens) + faults.reasoning,
        cached=min(faults.cached, asked),
        written=min(faults.written, max(asked - faults.cached, 0)),
        reasoning=faults.reasoning,
    )


def openai_usage(used: Usage) -> dict[str, Any]:
    """Usage of chat completions: details are contained in the sums."""
    return {
        "prompt_tokens": used.prompt,
        "completion_tokens": used.answer,
        "total_tokens": used.prompt + used.answer,
        "prompt_tokens_details": {"cached_tokens": used.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning, "audio_tokens": 0},
    }


def event(data: Any, name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


def embeddings(body: dict[str, Any], faults: Faults) -> dict[str, Any]:
    """``POST /v1/embeddings``."""
    model = known_model(body)
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(item, str) and item for item in texts):
        raise Refused(400, "invalid_request_error", "input must be a string or a list of strings", "input")
    size = whole_number(body, "dimensions") or 64
    rows = []
    for position, item in enumerate(texts):
        values = text.vector(item, size)
        packed = base64.b64encode(struct.pack(f"<{size}f", *values)).decode()
        shown = packed if body.get("encoding_format") == "base64" else values
        rows.append({"object": "embedding", "index": position, "embedding": shown})
    used = sum(text.count(item) for item in texts)
    found: dict[str, Any] = {"object": "list", "data": [] if faults.empty else rows, "model": model}
    if not faults.no_usage:
        found["usage"] = {"prompt_tokens": 0 if faults.zero_usage else used, "total_tokens": used}
    return found


def model_list(owner: str = "samples") -> dict[str, Any]:
    """``GET /v1/models`` in OpenAI's form."""
    data = [{"id": name, "object": "model", "created": CREATED, "owned_by": owner} for name in MODELS]
    return {"object": "list", "data": data}


def pieces(written: Written) -> Iterator[str]:
    """The answer in the pieces in which a stream sends it."""
    yield from written.tokens
