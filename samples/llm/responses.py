"""OpenAI's Responses: ``POST /v1/responses``, stateless."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from samples.llm import shapes
from samples.llm.faults import Faults
from samples.llm.shapes import Refused, Usage
from samples.llm.text import Written


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was understood, with its answer."""

    id: str
    model: str
    written: Written
    used: Usage | None
    stream: bool
    faults: Faults


def read(body: dict[str, Any], faults: Faults) -> Asked:
    """Understand a request; raises :class:`Refused`."""
    model = shapes.known_model(body)
    if body.get("background") or body.get("previous_response_id"):
        raise Refused(400, "invalid_request_error", "background and stored responses are not offered")
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise Refused(400, "invalid_request_error", "input must be a string or a list of items", "input")
    prompt = "\n".join(
        [str(body.get("instructions") or ""), *(shapes.plain(item.get("content")) for item in items)]
    )
    most = shapes.whole_number(body, "max_output_tokens")
    written = shapes.answer(model, shapes.plain(items[-1].get("content")), most, faults)
    return Asked(
        id=shapes.identity("resp_", model, prompt, most),
        model=model,
        written=written,
        used=shapes.usage(prompt, len(items), written, faults),
        stream=bool(body.get("stream")),
        faults=faults,
    )


def whole(asked: Asked) -> dict[str, Any]:
    """The finished response object."""
    short = asked.written.finish == "length"
    return _response(asked, "incomplete" if short else "completed", [_item(asked, "completed")], asked.used)


def stream(asked: Asked) -> Iterator[bytes]:
    """The response as numbered events, from ``response.created`` to ``response.completed``."""
    number = 0

    def send(kind: str, **fields: Any) -> bytes:
        nonlocal number
        number += 1
        return shapes.event({"type": kind, "sequence_number": number - 1, **fields}, kind)

    part = {"type": "output_text", "text": "", "annotations": []}
    done = {**part, "text": asked.written.text}
    place = {"item_id": _item_id(asked), "output_index": 0, "content_index": 0}
    yield send("response.created", response=_response(asked, "in_progress", [], None))
    yield send("response.in_progress", response=_response(asked, "in_progress", [], None))
    yield send(
        "response.output_item.added", output_index=0, item={**_item(asked, "in_progress"), "content": []}
    )
    yield send("response.content_part.added", **place, part=part)
    for piece in shapes.pieces(asked.written):
        yield send("response.output_text.delta", **place, delta=piece)
    yield send("response.output_text.done", **place, text=asked.written.text)
    yield send("response.content_part.done", **place, part=done)
    yield send("response.output_item.done", output_index=0, item=_item(asked, "completed"))
    end = "response.incomplete" if asked.written.finish == "length" else "response.completed"
    if not asked.faults.no_final:
        yield send(end, response=whole(asked))


def error_event(message: str) -> bytes:
    """How a failure looks in the middle of a stream."""
    return shapes.event({"type": "error", "code": "server_error", "message": message, "param": None}, "error")


def _item_id(asked: Asked) -> str:
    return asked.id.replace("resp_", "msg_")


def _item(asked: Asked, status: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": asked.written.text, "annotations": []}
    return {
        "id": _item_id(asked),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [part],
    }


def _response(asked: Asked, status: str, output: list[Any], used: Usage | None) -> dict[str, Any]:
    short = {"reason": "max_output_tokens"} if status == "incomplete" else None
    shown: dict[str, Any] = {
        "id": asked.id,
        "object": "response",
        "created_at": shapes.CREATED,
        "status": status,
        "error": None,
        "incomplete_details": short,
        "instructions": None,
        "metadata": {},
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
    }
    if used is not None:
        shown["usage"] = {
            "input_tokens": used.prompt,
            "input_tokens_details": {"cached_tokens": used.cached},
            "output_tokens": used.answer,
            "output_tokens_details": {"reasoning_tokens": used.reasoning},
            "total_tokens": used.prompt + used.answer,
        }
    return shown
