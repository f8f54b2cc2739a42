"""The stand-in as an ASGI application. It serves who knows ``LLM_API_KEY``: the gate."""

from __future__ import annotations

import asyncio
import hmac
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from samples.llm import chat, faults, messages, responses, shapes
from samples.llm.faults import BadKnob, Faults
from samples.llm.shapes import Refused

DEMO_KEY = "demo-llm-key"
MAX_BODY = 8 * 1024 * 1024


class Cut(ConnectionError):
    """Thrown to break the connection in the middle of an answer."""


def key_of(request: Request) -> str:
    """The key a caller sent, in either API's way."""
    bearer = request.headers.get("authorization", "")
    return bearer[7:] if bearer[:7].lower() == "bearer " else request.headers.get("x-api-key", "")


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object of a request; raises :class:`Refused`."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BODY:
            raise Refused(413, "invalid_request_error", "the body is too large")
    try:
        body = json.loads(raw)
    except ValueError:
        raise Refused(400, "invalid_request_error", "the body is no JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "invalid_request_error", "the body must be a JSON object")
    return body


async def sent(
    pieces: Iterator[bytes], knobs: Faults, failure: Callable[[str], bytes]
) -> AsyncIterator[bytes]:
    """A stream's pieces, with what the knobs do to them."""
    number = 0
    for number, piece in enumerate(pieces):
        if number == knobs.cut:
            raise Cut
        if number == knobs.error_event:
            yield failure("the model went away")
            return
        if knobs.pace:
            await asyncio.sleep(knobs.pace)
        yield piece
    if knobs.cut > number:
        raise Cut


class LLM:
    """One stand-in with its own key and knobs."""

    def __init__(self, key: str | None = None) -> None:
        self.key = key if key is not None else os.environ.get("LLM_API_KEY", DEMO_KEY)
        self.faults = Faults()
        self.calls = 0
        self.app = Starlette(
            routes=self._routes(), exception_handlers={Refused: self._on_refused, BadKnob: _on_knob}
        )

    def _routes(self) -> list[Route]:
        return [
            Route("/", self.health),
            Route("/healthz", self.health),
            Route("/_faults", self.set_faults, methods=["GET", "PUT"]),
            Route("/v1/models", self.models),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/responses", self.responses, methods=["POST"]),
            Route("/v1/embeddings", self.embeddings, methods=["POST"]),
            Route("/v1/messages", self.messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", self.count_tokens, methods=["POST"]),
        ]

    async def health(self, request: Request) -> Response:
        return JSONResponse({"service": "llm", "ok": True, "calls": self.calls})

    async def set_faults(self, request: Request) -> Response:
        """``PUT /_faults`` with ``{"faults": "delay=1"}``: for all calls from now on; empty ends them."""
        if request.method == "PUT":
            self.faults = faults.parse(str((await read_body(request)).get("faults", "")))
        return JSONResponse({name: getattr(self.faults, name) for name in Faults.__slots__})

    async def models(self, request: Request) -> Response:
        self._admit(request)
        return JSONResponse(shapes.model_list())

    async def chat(self, request: Request) -> Response:
        return await self._answer(request, chat)

    async def responses(self, request: Request) -> Response:
        return await self._answer(request, responses)

    async def messages(self, request: Request) -> Response:
        return await self._answer(request, messages)

    async def embeddings(self, request: Request) -> Response:
        knobs = self._admit(request)
        body = await read_body(request)
        return await self._spoilt(request, knobs) or JSONResponse(shapes.embeddings(body, knobs))

    async def count_tokens(self, request: Request) -> Response:
        self._admit(request)
        return JSONResponse(messages.count_tokens(await read_body(request)))

    async def _answer(self, request: Request, api: Any) -> Response:
        knobs = self._admit(request)
        asked = api.read(await read_body(request), knobs)
        spoilt = await self._spoilt(request, knobs)
        if spoilt is not None:
            return spoilt
        if not asked.stream:
            return JSONResponse(api.whole(asked))
        stream = sent(api.stream(asked), knobs, api.error_event)
        return StreamingResponse(
            stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
        )

    def _admit(self, request: Request) -> Faults:
        self.calls += 1
        if not hmac.compare_digest(key_of(request).encode(), self.key.encode()):
            raise Refused(401, "invalid_request_error", "Incorrect API key provided", code="invalid_api_key")
        return faults.parse(request.headers.get(faults.HEADER, ""), self.faults)

    async def _spoilt(self, request: Request, knobs: Faults) -> Response | None:
        """The answer instead of the answer, if the knobs want one."""
        if knobs.delay:
            await asyncio.sleep(knobs.delay)
        if knobs.html:
            return Response("<html><body>Please come back later.</body></html>", media_type="text/html")
        if knobs.status:
            refusal = Refused(knobs.status, "server_error", "the stand-in was told to fail")
            answer = await self._on_refused(request, refusal)
            if knobs.retry_after >= 0:
                answer.headers["Retry-After"] = str(knobs.retry_after)
            return answer
        return None

    async def _on_refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        if request.url.path.startswith("/v1/messages"):
            return JSONResponse(messages.error_body(error.status, error.message), error.status)
        shown = {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}
        return JSONResponse({"error": shown}, error.status)


async def _on_knob(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": {"message": str(error), "type": "bad_knob"}}, 400)


def make_app(key: str | None = None) -> Starlette:
    """A fresh stand-in; ``key`` overrides ``LLM_API_KEY``."""
    return LLM(key).app


app = make_app()
