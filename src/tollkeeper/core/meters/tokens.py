"""Counts tokens of language models, from JSON answers and from streams of events.

Speaks OpenAI's Chat Completions, Completions, Embeddings and Responses and
Anthropic's Messages; the route's ``protocol`` says whose. The body is always
written anew from what was read, so that the upstream serves the very model and
bounds that were priced. A stream of Chat Completions is asked for its usage; a
client that did not ask for it does not see it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tollkeeper.core import prices
from tollkeeper.core.events import Events, EventTooLong, event_data
from tollkeeper.core.meters import MAX_KEPT, UNREADABLE, Count, Meter, Reading, Request, Tokens, Unmetered
from tollkeeper.core.terms import ModelTerms
from tollkeeper.core.token_usage import anthropic_tokens, openai_tokens

BYTES_PER_TOKEN = 2
"""For the hold: no common text has more tokens than this."""
TYPICAL_BYTES_PER_TOKEN = 4
"""For an estimate, where the upstream reports nothing and something was sent."""
IMAGE_TOKENS = 1500
"""Held for each image or file, whether it stands in the body or is only named there."""
_ATTACHED = frozenset(
    ("image_url", "input_image", "image", "input_audio", "file", "input_file", "document", "video_url")
)
"""Types of parts of a message that are such."""
_SILENT = ("/embeddings", "/moderations", "/rerank")
_data_url = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,", re.ASCII).match
_usage_object = re.compile(rb'"usage"\s*:\s*\{').search
_CONTENTS = ("choices", "content", "output", "data", "results")
"""Where answers hold what is sold: Chat and Completions, Messages, Responses, Embeddings, Rerank."""
_ENDS = (b'"message_stop"', b'"response.completed"', b'"response.incomplete"')
_DONE = (b"data: [DONE]", b"data:[DONE]")


class _TokenReading:
    def __init__(
        self, model: ModelTerms, anthropic: bool, generates: bool, hides: bool, bounds: tuple[int, int]
    ) -> None:
        given, made = bounds
        self._terms = model
        self._anthropic = anthropic
        self._generates = generates
        self._hides = hides
        self._given_bound = given
        self._events: Events | None = None
        self._kept: list[bytes] = []
        self._size = 0
        self._lost = False
        self._tokens: Tokens | None = None
        self._event_count = 0
        self._event_bytes = 0
        self._shortest = 1 << 30
        self._ended = self._failed = self._reported = False
        self.held = prices.bound(model, given, made)
        self.tokens_held = given + made
        self.model = model.name
        self.rewrites = False

    def begin(self, status: int, events: bool, readable: bool) -> None:
        self._lost = not readable or status >= 400
        if events and readable:
            self._events = Events()
            self.rewrites = self._hides

    def feed(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._events is None:
            if self._size <= MAX_KEPT and not self._lost:
                self._kept.append(data)
            return data
        if self._lost:
            return data
        try:
            events = self._events.feed(data)
        except EventTooLong:
            self._lost = True
            return self._events.rest() if self.rewrites else data
        shown = [event for event in events if not self._hidden(event)]
        return b"".join(shown) if self.rewrites else data

    def end(self) -> bytes:
        return self._events.rest() if self.rewrites and self._events is not None and not self._lost else b""

    def _hidden(self, event: bytes) -> bool:
        """Follow one event; True if the client did not ask for it."""
        if _usage_object(event) is not None:
            return self._read_usage(event)
        if event.startswith(_DONE) or any(end in event for end in _ENDS):
            self._ended = True
        elif event.startswith(b"event: error") or b'data: {"error"' in event or b'"response.failed"' in event:
            self._failed = True
        elif b"data:" in event:
            self._event_count += 1
            self._event_bytes += len(event)
            self._shortest = min(self._shortest, len(event))
        return False

    def _read_usage(self, event: bytes) -> bool:
        try:
            data: Any = msgspec.json.decode(event_data(event))
        except (msgspec.DecodeError, *UNREADABLE):
            return False
        if not isinstance(data, dict):
            return False
        kind = data.get("type")
        if kind in ("response.completed", "response.incomplete", "message_stop"):
            self._ended = True
        elif kind == "response.failed":
            self._failed = True
        inner = data.get("message") if self._anthropic else data.get("response")
        usage = data.get("usage") or (inner.get("usage") if isinstance(inner, dict) else None)
        if self._anthropic:
            self._tokens = anthropic_tokens(usage, self._tokens)
            self._reported = self._reported or kind == "message_delta"
            return False
        self._tokens = openai_tokens(usage) or self._tokens
        self._reported = self._tokens is not None
        return self._hides and data.get("choices") == []

    def count(self) -> Count:
        if self._lost:
            return Count(units=None)
        if self._events is not None:
            return self._count_stream()
        return self._count_json()

    def _count_stream(self) -> Count:
        failed = self._failed or not self._ended
        tokens = self._tokens
        if tokens is not None and (self._reported or self._ended):
            empty = self._generates and tokens[1] == 0 and not self._event_count
            return Count(prices.price(self._terms, tokens), False, tokens, empty, failed)
        if not self._event_count and tokens is None:
            return Count(None, failed=failed)
        spare = self._event_bytes - self._event_count * min(self._shortest, self._event_bytes)
        made = max(self._event_count, spare // TYPICAL_BYTES_PER_TOKEN)
        given = tokens[0] if tokens else self._given_bound * BYTES_PER_TOKEN // TYPICAL_BYTES_PER_TOKEN
        read, written = (tokens[2], tokens[3]) if tokens else (0, 0)
        estimate = (given, made, read, written)
        return Count(prices.price(self._terms, estimate), True, estimate, False, failed)

    def _count_json(self) -> Count:
        if self._size > MAX_KEPT:
            return Count(units=None)
        try:
            answer: Any = msgspec.json.decode(b"".join(self._kept))
        except msgspec.DecodeError:
            answer = None
        except UNREADABLE:
            return Count(units=None)
        if not isinstance(answer, dict):  # a page for people, say: nothing of what is sold came
            return Count(units=None, empty=True)
        usage = answer.get("usage")
        tokens = anthropic_tokens(usage, None) if self._anthropic else openai_tokens(usage)
        if tokens is None:
            return self._estimate_json(answer)
        return Count(prices.price(self._terms, tokens), False, tokens, self._generates and tokens[1] == 0)

    def _estimate_json(self, answer: dict[str, Any]) -> Count:
        """An answer without usage: by the text in it, if it holds any of what is sold."""
        contents = [answer[name] for name in _CONTENTS if answer.get(name)]
        if not contents or answer.get("error"):
            return Count(units=None, empty=True)
        made = -(-sum(map(_text, contents)) // TYPICAL_BYTES_PER_TOKEN) if self._generates else 0
        estimate = (self._given_bound * BYTES_PER_TOKEN // TYPICAL_BYTES_PER_TOKEN, made, 0, 0)
        return Count(prices.price(self._terms, estimate), True, estimate)


def _text(value: object, depth: int = 0) -> int:
    """Bytes of all texts in a piece of JSON."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    if depth > 12:
        return 0
    if isinstance(value, dict):
        value = list(value.values())
    return sum([_text(part, depth + 1) for part in value]) if isinstance(value, list) else 0


def _open(request: Request) -> tuple[Reading, bytes]:
    try:
        body: Any = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, *UNREADABLE):
        raise Unmetered("bad_body", "The body must be JSON.") from None
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise Unmetered("bad_body", "The body must be a JSON object that names a model.")
    model = request.models.get(body["model"])
    if model is None:
        raise Unmetered("model_unknown")
    if body.get("background"):  # its usage would be told to another call, long after this one
        raise Unmetered(
            "bad_body", "What is made in the background cannot be metered: leave `background` out."
        )
    anthropic = request.route.protocol == "anthropic"
    generates = not request.route.path.endswith(_SILENT)
    hides = False
    if body.get("stream") is True and not anthropic and request.route.path.endswith("/completions"):
        options = body.get("stream_options")
        options = dict(options) if isinstance(options, dict) else {}
        hides = options.get("include_usage") is not True
        body["stream_options"] = {**options, "include_usage": True}
    if model.upstream_name:
        body["model"] = model.upstream_name
    sent = msgspec.json.encode(body)
    bounds = (_input_bound(body, len(sent)), _output_bound(body, model) if generates else 0)
    return _TokenReading(model, anthropic, generates, hides, bounds), sent


def _output_bound(body: dict[str, Any], model: ModelTerms) -> int:
    asked = 0
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        value = body.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            asked = max(asked, value)
    times = 1
    for name in ("n", "best_of"):
        value = body.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            times = max(times, min(value, 128))
    return (asked or model.max_output) * times


def _input_bound(body: dict[str, Any], size: int) -> int:
    embedded, count = _embedded(body, 0)
    return (size - embedded) // BYTES_PER_TOKEN + 16 + count * IMAGE_TOKENS


def _embedded(value: object, depth: int) -> tuple[int, int]:
    """Bytes of what stands in the body as base64, and the number of images and files."""
    if isinstance(value, str):
        return (len(value), 1) if len(value) > 256 and _data_url(value) else (0, 0)
    if depth > 12:
        return 0, 0
    if isinstance(value, dict):
        data = value.get("data")
        if value.get("type") == "base64" and isinstance(data, str):
            return len(data), 1
        parts = [_embedded(part, depth + 1) for part in value.values()]
    elif isinstance(value, list):
        parts = [_embedded(part, depth + 1) for part in value]
    else:
        return 0, 0
    attached = isinstance(value, dict) and value.get("type") in _ATTACHED
    return sum(size for size, _ in parts), max(sum(count for _, count in parts), attached)


METER = Meter("tokens", reads="both", open=_open)
